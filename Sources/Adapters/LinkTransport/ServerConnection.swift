import CLinux
import CWebSockets

/// One accepted socket, from its first byte to its last.
final class ServerConnection {
    enum State {
        /// TLS or HTTP: not yet known to be a puck.
        case handshaking
        case open
        /// Sends what is queued, then closes.
        case closing
        /// Dropped; waits for libwebsockets to let go.
        case dead
    }

    let id: ConnectionID
    let peer: String
    let address: PeerAddress
    /// Of somebody who is being paired, on CLOCK_MONOTONIC.
    var openedAt: Int64 = 0
    /// What the door knows it by.
    let doorNumber: UInt32
    var identity = ""
    /// Has no token: is here to be paired.
    var isStranger = false
    var wsi: OpaquePointer?
    var meter: Meter?
    var gate: Gate?
    /// Without TLS: what the kernel had counted when that was looked at last.
    var counted = ReceivedTraffic()
    var state = State.handshaking
    private(set) var wasOpen = false
    /// When the handshake or the close must be over, on CLOCK_MONOTONIC.
    var deadline: Int64?
    var closeReason: String?
    var assembler = MessageAssembler()
    /// Taken when libwebsockets has it: asked a second time, it would not wait for the answer to it.
    private var closeFrame: (code: UInt16, reason: String)?
    /// Only an open connection has a queue: silent ones cost no 64 KiB.
    private var ring: SendRing?

    init(id: ConnectionID, address: SocketAddress, doorNumber: UInt32) {
        self.id = id
        peer = address.numericHost
        self.address = PeerAddress(address)
        self.doorNumber = doorNumber
    }

    var isOpenOrClosing: Bool { state == .open || state == .closing }
    var queuedBytes: Int { ring?.queuedBytes ?? 0 }

    /// - Parameter deadline: when it has to be over; nil for a puck, which stays.
    func open(until deadline: Int64? = nil) {
        state = .open
        wasOpen = true
        self.deadline = deadline
        ring = SendRing()
    }

    func queue(head: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer) -> Bool {
        guard let ring, ring.append(head: head, body: body) else { return false }
        lws_callback_on_writable(wsi)
        return true
    }

    func beginClose(code: UInt16, reason: String, by deadline: Int64) {
        state = .closing
        closeFrame = (code, reason)
        closeReason = "closed by the hub (code \(code)\(reason.isEmpty ? "" : ": " + reason))"
        self.deadline = deadline
        lws_callback_on_writable(wsi)
    }

    /// -1 ends the connection, with the close frame that was set.
    func writable(_ wsi: OpaquePointer) -> Int32 {
        guard let ring, isOpenOrClosing else { return state == .dead ? -1 : 0 }
        if !writeQueued(ring, to: wsi) { return -1 }
        if ring.isEmpty, let frame = closeFrame.take() {
            setCloseReason(wsi, frame.code, frame.reason)
            return -1
        }
        return 0
    }

    /// Has libwebsockets close the socket in its next round, whatever state it is in.
    func kill() {
        if let wsi { lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC) }
    }
}

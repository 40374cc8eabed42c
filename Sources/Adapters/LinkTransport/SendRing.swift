import CLinux
import CWebSockets

/// Messages that wait to be written: one block of memory, each message contiguous behind the headroom that
/// libwebsockets writes the frame header into. Nothing is allocated per message.
///
/// An empty ring starts again at its beginning, so a link that keeps up touches one page of the block. The block is mapped
/// and not taken from the heap, where it would come to lie on pages that a TLS handshake has touched before.
final class SendRing {
    static let capacityBytes = LinkProtocol.sendQueueBytes
    /// Headroom in front of each message; its first bytes hold the length until libwebsockets overwrites them.
    private static let headroomBytes = max((puck_lws_pre() + 7) & ~7, MemoryLayout<UInt64>.size)

    private let storage: UnsafeMutableRawPointer
    private var readOffset = 0
    private var writeOffset = 0
    /// Where the records before a wrap end; meaningful while `isWrapped`.
    private var wrapOffset = 0
    private var isWrapped = false
    private(set) var count = 0
    /// Bytes of the queued messages, without headroom.
    private(set) var queuedBytes = 0

    init() {
        let mapped = mmap(nil, Self.capacityBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped, mapped != UnsafeMutableRawPointer(bitPattern: -1) else {
            fatalError("no memory for the send queue of a connection")
        }
        storage = mapped
    }

    deinit { munmap(storage, Self.capacityBytes) }

    var isEmpty: Bool { count == 0 }

    /// False, and nothing changed, when the message does not fit.
    func append(head: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer) -> Bool {
        let length = head.count + body.count
        guard length <= LinkProtocol.maximumMessageBytes else { return false }
        let size = Self.headroomBytes + (length + 7) & ~7
        guard let offset = place(size) else { return false }
        storage.storeBytes(of: UInt64(length), toByteOffset: offset, as: UInt64.self)
        let payload = storage + offset + Self.headroomBytes
        if head.count > 0 { payload.copyMemory(from: head.baseAddress!, byteCount: head.count) }
        if body.count > 0 { (payload + head.count).copyMemory(from: body.baseAddress!, byteCount: body.count) }
        count += 1
        queuedBytes += length
        return true
    }

    /// The oldest message, preceded by the headroom. Valid until the next call.
    func takeFirst() -> UnsafeMutableRawBufferPointer? {
        if count == 0 { return nil }
        let length = Int(storage.load(fromByteOffset: readOffset, as: UInt64.self))
        let message = UnsafeMutableRawBufferPointer(
            start: storage + readOffset + Self.headroomBytes, count: length)
        readOffset += Self.headroomBytes + (length + 7) & ~7
        count -= 1
        queuedBytes -= length
        if isWrapped && readOffset == wrapOffset {
            readOffset = 0
            isWrapped = false
        }
        if count == 0 { removeAll() }
        return message
    }

    func removeAll() {
        readOffset = 0
        writeOffset = 0
        isWrapped = false
        count = 0
        queuedBytes = 0
    }

    /// Where a record of `size` bytes goes, or nil.
    private func place(_ size: Int) -> Int? {
        if isWrapped {
            guard writeOffset + size <= readOffset else { return nil }
        } else if writeOffset + size > Self.capacityBytes {
            guard size <= readOffset else { return nil }
            wrapOffset = writeOffset
            writeOffset = 0
            isWrapped = true
        }
        let offset = writeOffset
        writeOffset += size
        return offset
    }
}

/// Writes what is queued until the socket pushes back. The order of messages is kept; a partly written one is finished
/// by libwebsockets itself. False when the connection is broken.
///
/// To be called when libwebsockets says that the socket is writable, which is then known of the first message;
/// `lws_send_pipe_choked` is a system call.
func writeQueued(_ ring: SendRing, to wsi: OpaquePointer) -> Bool {
    var isWritable = true
    while !ring.isEmpty {
        if !isWritable, lws_send_pipe_choked(wsi) != 0 {
            lws_callback_on_writable(wsi)
            return true
        }
        isWritable = false
        guard let message = ring.takeFirst() else { return true }
        let start = message.baseAddress!.assumingMemoryBound(to: UInt8.self)
        if lws_write(wsi, start, message.count, LWS_WRITE_BINARY) < 0 { return false }
    }
    return true
}

/// Sets the close code and reason that libwebsockets sends when the callback then returns -1.
/// RFC 6455 allows 123 bytes of reason; longer ones are cut.
func setCloseReason(_ wsi: OpaquePointer, _ code: UInt16, _ reason: String) {
    var text = [UInt8](reason.utf8.prefix(123))
    let length = text.count
    lws_close_reason(wsi, lws_close_status(UInt32(code)), &text, length)
}

/// Puts the pieces that libwebsockets hands out back together.
struct MessageAssembler: ~Copyable {
    enum Outcome {
        case incomplete
        case message(UnsafeRawBufferPointer)
        case tooLarge
        case text
    }

    /// Made for the first message that comes in pieces: a puck's fit into one read, as a rule.
    private var buffer: UnsafeMutableRawPointer?
    private var filled = 0

    init() {}

    deinit { buffer?.deallocate() }

    /// Adds a piece. A message that came in one piece is handed on without a copy. The result is valid during the
    /// callback.
    mutating func add(_ wsi: OpaquePointer, _ input: UnsafeMutableRawPointer?, _ length: Int) -> Outcome {
        if lws_frame_is_binary(wsi) == 0 { return .text }
        let remaining = lws_remaining_packet_payload(wsi)
        guard remaining <= LinkProtocol.maximumMessageBytes, filled + length <= LinkProtocol.maximumMessageBytes
        else { return .tooLarge }
        let isLast = lws_is_final_fragment(wsi) != 0 && remaining == 0
        if filled == 0 && isLast {
            return .message(UnsafeRawBufferPointer(start: input, count: length))
        }
        let buffer = self.buffer ?? .allocate(byteCount: LinkProtocol.maximumMessageBytes, alignment: 16)
        self.buffer = buffer
        if let input, length > 0 { (buffer + filled).copyMemory(from: input, byteCount: length) }
        filled += length
        if !isLast { return .incomplete }
        defer { filled = 0 }
        return .message(UnsafeRawBufferPointer(start: buffer, count: filled))
    }

    mutating func reset() { filled = 0 }
}

/// A close frame's payload: two bytes of code in network order, then text. Code 1005 ("none given") when empty.
func decodeClose(_ input: UnsafeMutableRawPointer?, _ length: Int) -> (code: UInt16, reason: String) {
    guard let input, length >= 2 else { return (1005, "") }
    let bytes = UnsafeRawBufferPointer(start: input, count: length)
    let code = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
    return (code, String(decoding: bytes.dropFirst(2), as: UTF8.self))
}

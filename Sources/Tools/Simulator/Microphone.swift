import PuckBase
import PuckCore

/// A puck's microphone with its encoder: while it runs, a packet each 20 ms of the puck's clock, beginning with the
/// preroll that lies in the ring.
struct Microphone {
    static let packet = Interval.milliseconds(20)
    /// The ring's second, less two periods that are being written.
    static let ringPackets = 48
    static let preroll = Interval.milliseconds(300)
    /// Packets encoded in one turn of the loop (PuckRuntime).
    static let packetsPerTurn = 6

    private(set) var isRunning = false
    /// Of this run of the encoder; never 0 once it ran.
    private(set) var recording: Int32 = 0
    /// Local time at which packet 0 began.
    private var start = Instant.zero
    /// The next packet's place in the recording.
    private(set) var next: Int32 = 0
    /// Which packet lies in which slot.
    private var slots = [Sound](repeating: Sound(recording: 0, index: 0), count: UplinkWindow.slotCount)

    mutating func begin(recording: Int32, onset: Instant, withPreroll: Bool, now: Instant) {
        self.recording = recording
        isRunning = true
        next = 0
        let wanted = min(onset, now) - (withPreroll ? Self.preroll : .zero)
        let behind = (now - wanted).nanoseconds
        let packets = min((behind + Self.packet.nanoseconds - 1) / Self.packet.nanoseconds, Int64(Self.ringPackets))
        // Packets end where periods end, so the newest is whole now.
        start = now - Self.packet * Int(packets)
    }

    mutating func stop() { isRunning = false }

    /// Whole packets in the ring.
    func waiting(_ now: Instant) -> Int {
        Int((now - start).nanoseconds / Self.packet.nanoseconds) - Int(next)
    }

    /// When the next packet is whole.
    var nextIsWhole: Instant { start + Self.packet * (Int(next) + 1) }

    /// When packet `index` began, on the puck's clock.
    func began(_ index: Int32) -> Instant { start + Self.packet * Int(index) }

    /// The ring has overwritten what nobody read: jumps to what is left.
    /// - Returns: samples that were lost.
    mutating func skipLost(_ now: Instant) -> Int64 {
        let lost = waiting(now) - Self.ringPackets
        if lost <= 0 { return 0 }
        next += Int32(lost)
        return Int64(lost) * 320
    }

    /// The device itself lost so much.
    mutating func lose(packets: Int) { next += Int32(packets) }

    /// Puts the next packet into a slot.
    mutating func encode(into slot: Int) -> Sound {
        let sound = Sound(recording: recording, index: next)
        slots[slot] = sound
        next += 1
        return sound
    }

    func sound(in slot: Int) -> Sound { slots[slot] }

    /// The process is new.
    mutating func forget() {
        isRunning = false
        for i in slots.indices { slots[i] = Sound(recording: 0, index: 0) }
    }
}

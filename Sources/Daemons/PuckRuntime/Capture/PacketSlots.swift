/// Preallocated room for packets, one slot a sequence number modulo the count: the audio path moves bytes through these
/// slots and allocates nothing. Loop thread only.
final class PacketSlots {
    /// The longest Opus packet (RFC 6716, 3.4) and 20 ms of PCM16 at 16 kHz both fit.
    static let slotBytes = 1275

    private let memory: UnsafeMutableRawBufferPointer
    private var lengths: [Int]

    init(count: Int) {
        memory = .allocate(byteCount: count * Self.slotBytes, alignment: 8)
        lengths = [Int](repeating: 0, count: count)
    }

    deinit { memory.deallocate() }

    /// The whole slot, to be filled.
    func room(_ slot: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[slot * Self.slotBytes..<(slot + 1) * Self.slotBytes])
    }

    func setLength(_ length: Int, of slot: Int) {
        precondition(length >= 0 && length <= Self.slotBytes, "a packet longer than its slot")
        lengths[slot] = length
    }

    /// Copies a packet in. False when it is too long for any packet of the protocol.
    func store(_ bytes: UnsafeRawBufferPointer, in slot: Int) -> Bool {
        guard bytes.count <= Self.slotBytes else { return false }
        room(slot).copyMemory(from: bytes)
        lengths[slot] = bytes.count
        return true
    }

    func bytes(_ slot: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: memory[slot * Self.slotBytes..<slot * Self.slotBytes + lengths[slot]])
    }
}

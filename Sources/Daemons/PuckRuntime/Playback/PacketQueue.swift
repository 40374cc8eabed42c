import PuckBase

/// Packets of one play that wait to be decoded, first in first out, in one ring of bytes: adding one allocates nothing.
/// Loop thread only.
final class PacketQueue {
    /// What the hub may have under way (2 s) and what it could not know was heard, as PCM16: 125 packets of 640 bytes.
    static let byteCapacity = 80_000
    static let packetCapacity = 160

    private struct Place {
        var offset: Int
        var count: Int
    }

    private let memory: UnsafeMutableRawBufferPointer
    private var places = BoundedQueue<Place>(capacity: PacketQueue.packetCapacity)
    private var writeOffset = 0

    init() { memory = .allocate(byteCount: Self.byteCapacity, alignment: 8) }

    deinit { memory.deallocate() }

    var count: Int { places.count }
    var isEmpty: Bool { places.isEmpty }

    func removeAll() {
        places.removeAll()
        writeOffset = 0
    }

    /// False when there is no room; the core refuses a hub that sends so much before it comes to that.
    func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let offset = room(for: bytes.count), places.append(Place(offset: offset, count: bytes.count)) else {
            return false
        }
        UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + bytes.count]).copyMemory(from: bytes)
        writeOffset = offset + bytes.count
        return true
    }

    /// A packet lies in one piece: at the end of the memory it goes round to the start.
    private func room(for count: Int) -> Int? {
        guard let oldest = places.first?.offset else { return count <= Self.byteCapacity ? 0 : nil }
        if writeOffset > oldest {
            if writeOffset + count <= Self.byteCapacity { return writeOffset }
            return count <= oldest ? 0 : nil
        }
        return writeOffset + count <= oldest ? writeOffset : nil
    }

    /// Lends the oldest packet, which leaves the queue. Nil when there is none.
    func withFirst<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        guard let place = places.popFirst() else { return nil }
        return body(UnsafeRawBufferPointer(rebasing: memory[place.offset..<place.offset + place.count]))
    }
}

// A reader of FlatBuffers that trusts nothing: every offset is checked before it is followed.
//
// A table begins with the distance back to its vtable, which holds for each field the distance from the table's
// beginning, or 0 where the field has its default. Vectors, strings and tables in fields are distances forward.

/// The bytes of a file.
struct FlatBuffer {
    let bytes: UnsafeRawBufferPointer

    /// `MemoryLayout<T>.size` bytes at `position`, least significant first as all machines that this runs on have it.
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ position: Int, as type: T.Type) throws(ModelError) -> T {
        guard position >= 0, position <= bytes.count - MemoryLayout<T>.size else {
            throw .damaged("something is said to be at byte \(position), and there are \(bytes.count)")
        }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
    }

    /// Where the distance at `position` leads.
    func follow(_ position: Int) throws(ModelError) -> Int {
        let distance = try load(position, as: UInt32.self)
        guard distance < UInt32(ModelLimits.fileBytes) else {
            throw .damaged("the distance at byte \(position) leads outside")
        }
        return position + Int(distance)
    }

    func root() throws(ModelError) -> FlatTable { try FlatTable(self, try follow(0)) }
}

/// A table, of which the vtable lies inside of the file; its fields are checked when they are read.
struct FlatTable {
    let buffer: FlatBuffer
    let position: Int
    private let vtable: Int
    private let vtableSize: Int

    init(_ buffer: FlatBuffer, _ position: Int) throws(ModelError) {
        self.buffer = buffer
        self.position = position
        let back = try buffer.load(position, as: Int32.self)
        let (vtable, overflow) = Int32(truncatingIfNeeded: position).subtractingReportingOverflow(back)
        guard !overflow else { throw .damaged("the table at byte \(position) has no beginning") }
        self.vtable = Int(vtable)
        vtableSize = Int(try buffer.load(self.vtable, as: UInt16.self))
        guard vtableSize >= 4, self.vtable <= buffer.bytes.count - vtableSize else {
            throw .damaged("the table at byte \(position) reaches outside")
        }
    }

    /// Where a field is; nil when it has its default.
    private func field(_ index: Int) throws(ModelError) -> Int? {
        let entry = 4 + 2 * index
        guard entry + 2 <= vtableSize else { return nil }
        let distance = try buffer.load(vtable + entry, as: UInt16.self)
        return distance == 0 ? nil : position + Int(distance)
    }

    func value<T: FixedWidthInteger & BitwiseCopyable>(_ index: Int, or standard: T) throws(ModelError) -> T {
        guard let at = try field(index) else { return standard }
        return try buffer.load(at, as: T.self)
    }

    func table(_ index: Int) throws(ModelError) -> FlatTable? {
        guard let at = try field(index) else { return nil }
        return try FlatTable(buffer, try buffer.follow(at))
    }

    /// Where a vector's elements are, and how many; nil when there is none.
    func vector(_ index: Int, elementSize: Int) throws(ModelError) -> (start: Int, count: Int)? {
        guard let at = try field(index) else { return nil }
        let start = try buffer.follow(at)
        let count = try buffer.load(start, as: UInt32.self)
        // The file is at most a MiB, so that this does not overflow.
        guard count <= UInt32(ModelLimits.fileBytes), Int(count) * elementSize <= buffer.bytes.count - start - 4 else {
            throw .damaged("the vector at byte \(start) reaches outside")
        }
        return (start + 4, Int(count))
    }

    /// A vector of numbers, at most `most` of them.
    func numbers<T: FixedWidthInteger & BitwiseCopyable>(
        _ index: Int, _ type: T.Type, most: Int, _ name: String
    ) throws(ModelError) -> [T] {
        guard let (start, count) = try vector(index, elementSize: MemoryLayout<T>.size) else { return [] }
        guard count <= most else { throw .tooLarge("\(count) \(name), and at most \(most) are allowed") }
        var result: [T] = []
        result.reserveCapacity(count)
        for i in 0..<count { result.append(try buffer.load(start + i * MemoryLayout<T>.size, as: T.self)) }
        return result
    }

    /// A vector of tables, at most `most` of them.
    func tables(_ index: Int, most: Int, _ name: String) throws(ModelError) -> [FlatTable] {
        guard let (start, count) = try vector(index, elementSize: 4) else { return [] }
        guard count <= most else { throw .tooLarge("\(count) \(name), and at most \(most) are allowed") }
        var result: [FlatTable] = []
        result.reserveCapacity(count)
        for i in 0..<count { result.append(try FlatTable(buffer, try buffer.follow(start + 4 * i))) }
        return result
    }
}

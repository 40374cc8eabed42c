/// Reads decisions out of an input. Past its end everything is 0, so that every input means something.
struct ByteReader {
    private var rest: UnsafeRawBufferPointer.SubSequence

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() -> Int { Int(rest.popFirst() ?? 0) }
    mutating func word() -> Int { byte() | byte() << 8 }
    /// 0..<n, for n up to 256.
    mutating func below(_ n: Int) -> Int { byte() % n }
}

import HubService
import TokenList

/// The disk of a simulated hub. It outlasts the process and the machine's power. A file is replaced as a whole or not at
/// all, as `writeFileAtomically` promises; what a crash leaves beside it is not simulated.
final class VirtualDisk {
    private var files: [String: (bytes: [UInt8], version: Int)] = [:]
    private var writes = 0
    /// Nothing can be written.
    var isFull = false
    /// Nothing can be opened: the process has no descriptor left, or the card does not answer.
    var isUnreadable = false
    /// Writes that failed.
    private(set) var failures = 0

    func version(of name: String) -> Int? { files[name]?.version }

    func read(_ name: String) throws(OutsideError) -> (bytes: [UInt8], version: Int)? {
        guard !isUnreadable else { throw OutsideError("cannot open \(name): Too many open files") }
        return files[name]
    }

    func replace(_ name: String, with bytes: [UInt8]) throws(OutsideError) {
        guard !isFull, !isUnreadable else {
            failures += 1
            throw OutsideError("cannot write \(name): No space left on device")
        }
        writes += 1
        files[name] = (bytes, writes)
    }
}

/// The token file on a virtual disk. Hashes are numbers that look like hashes: two tokens have one with a chance of 2⁻⁶⁴.
final class VirtualTokenFile: TokenPlace {
    struct Failure: TokenFailure {
        let message: String
        static func invalid(_ text: String) -> Failure { Failure(message: text) }
        static func line(path: String, number: Int, problem: String) -> Failure {
            Failure(message: "\(path):\(number): \(problem)")
        }
    }

    let path = "tokens"
    private let disk: VirtualDisk
    private var random: RandomStream

    init(_ disk: VirtualDisk, seed: UInt64) {
        self.disk = disk
        random = RandomStream(seed: seed, .tokens)
    }

    var identity: Int? { disk.version(of: path) }

    func read() throws(Failure) -> (bytes: [UInt8], identity: Int)? {
        do throws(OutsideError) { return try disk.read(path).map { ($0.bytes, $0.version) } } catch {
            throw Failure(message: error.message)
        }
    }

    func replace(with bytes: [UInt8]) throws(Failure) {
        do throws(OutsideError) { try disk.replace(path, with: bytes) } catch { throw Failure(message: error.message) }
    }

    func whileLocked(_ body: () throws(Failure) -> Void) throws(Failure) { try body() }

    func makeToken() throws(Failure) -> String { "token-" + String(random.bits(), radix: 16) }

    func hash(of token: String) -> String {
        var mixed: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in token.utf8 { mixed = (mixed ^ UInt64(byte)) &* 0x100_0000_01b3 }
        mixed ^= mixed >> 32
        let digits = String(mixed &* 0x9e37_79b9_7f4a_7c15, radix: 16)
        return String(repeating: "0", count: 64 - digits.utf8.count) + digits
    }

    func areEqual(_ a: String, _ b: String) -> Bool { a == b }
}

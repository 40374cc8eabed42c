import CLinux
import LinuxIO
import PuckBase
import WakeModel
import WakeWord

/// A wake word ready to be listened for, as `puckctl prepare-wake` hands it to puckd: the model's memory, and what of the
/// manifest is needed.
public struct PreparedWake {
    /// puckctl's command: `prepare-wake NAME FOLDER...`.
    public static let command = "prepare-wake"
    static let mostBytes = ModelLimits.memoryBytes + 8192
    /// A Raspberry Pi Zero reads a model in a tenth of a second.
    static let patience = Interval.seconds(10)

    public let name: String
    public let phrase: String
    public let manifestPath: String
    /// 0…1, as the manifest says.
    public let cutoff: Double
    public let window: Int
    public let model: PreparedModel

    // MARK: puckctl's end

    /// What `prepare-wake` writes: the wake word, or why there is none.
    public static func answer(_ name: String, folders: [String]) -> [UInt8] {
        do throws(WakeFileError) {
            let file = try WakeFolders(folders).load(name)
            let manifest = file.manifest
            let head = [
                "wake \(PuckVersion.text)", manifest.phrase, file.manifestPath,
                "\(Int((manifest.cutoff * 1_000_000).rounded())) \(manifest.window)",
            ]
            return Array((head.joined(separator: "\n") + "\n").utf8) + PreparedModel(file.plan).serialized()
        } catch { return Array("error: \(error.description)\n".utf8) }
    }

    // MARK: puckd's end

    /// Has puckctl prepare it, and waits for that.
    /// - Parameter program: puckctl.
    public init(_ name: String, folders: [String], by program: String) throws(WakeFileError) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw WakeFileError("no pipe: \(errorText(puck_errno()))") }
        for end in ends { puck_fcntl(end, F_SETFD, Int(FD_CLOEXEC)) }
        defer { close(ends[0]) }
        var child: ChildCommand
        do throws(SystemError) {
            child = try ChildCommand([program, Self.command, name] + folders, output: ends[1], isQuiet: true)
        } catch {
            close(ends[1])
            throw WakeFileError("\(error.description); \(Self.advice)")
        }
        close(ends[1])
        let bytes = Self.read(ends[0])
        if bytes == nil { child.kill() }
        while child.ended() == nil { poll(nil, 0, 1) }
        try self.init(name, parsing: bytes ?? [])
    }

    private static let advice = "install the puckctl that belongs to this puckd"

    /// All that comes until the end; nil when that takes too long, or is too much.
    private static func read(_ descriptor: Int32) -> [UInt8]? {
        let end = MonotonicClock.now() + patience
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while bytes.count < mostBytes {
            let left = (end - MonotonicClock.now()).wholeMilliseconds
            if left <= 0 { return nil }
            waitReadable(descriptor, milliseconds: Int(left))
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, 0) <= 0 { continue }
            let count = CLinux.read(descriptor, &chunk, chunk.count)
            if count <= 0 { return bytes }
            bytes += chunk[..<count]
        }
        return nil
    }

    /// What `answer` has made.
    init(_ name: String, parsing bytes: [UInt8]) throws(WakeFileError) {
        var rest = bytes[...]
        func line() -> String {
            let text = rest.prefix { $0 != UInt8(ascii: "\n") }
            rest = rest.dropFirst(text.count + 1)
            return String(decoding: text, as: UTF8.self)
        }
        let first = line()
        if first.hasPrefix("error: ") { throw WakeFileError(String(first.dropFirst(7))) }
        phrase = line()
        manifestPath = line()
        let numbers = line().split(separator: " ").compactMap { Int($0) }
        guard first == "wake \(PuckVersion.text)", numbers.count == 2, let model = PreparedModel(parsing: rest) else {
            throw WakeFileError("puckctl has not read the wake word \(name); " + Self.advice)
        }
        self.name = name
        self.model = model
        cutoff = Double(numbers[0]) / 1_000_000
        window = numbers[1]
    }
}

import CLinux
import LinuxIO
import PuckBase
import PuckCore

/// The search for a hub that takes this puck in, which a held button begins: `puckctl join`, as a child, with the puck's
/// own code. It tells this daemon itself when it has found one. Loop thread.
final class PairingSearch {
    /// How often it is looked at.
    static let lookEvery = Interval.milliseconds(500)

    private var command: ChildCommand
    private let log: Log
    private var isOver = false
    /// Until its end has been seen, so that the kernel can forget it.
    private(set) var lookAt: Instant?

    /// Nil when it cannot be begun, which it says.
    init?(_ settings: PuckSettings, log: Log) {
        self.log = log
        var words = [Self.program, "join", "--socket", settings.controlSocketPath]
        // A hub that the configuration names wins over what is found.
        if settings.hub.isFixed { words += ["--hub", Self.place(settings.hub)] }
        do throws(SystemError) {
            guard !settings.controlSocketPath.isEmpty else {
                throw SystemError("[control] socket is empty, by which puckctl would say that it is done", code: 0)
            }
            command = try ChildCommand(words)
        } catch {
            log.error("pairing.failed", [Field("detail", error.description)])
            return nil
        }
        lookAt = MonotonicClock.now() + Self.lookEvery
    }

    deinit { command.kill() }

    /// Ends it: nobody wants to know any more what comes of it.
    func end() {
        isOver = true
        command.kill()
    }

    /// - Returns: `failed` when it has ended by itself; what it had to say is in the log, from its own mouth.
    func timePassed() -> PairingEnd? {
        let now = MonotonicClock.now()
        guard let due = lookAt, due <= now else { return nil }
        guard let status = command.ended() else {
            lookAt = now + Self.lookEvery
            return nil
        }
        lookAt = nil
        if status == 0 || isOver { return nil }
        log.error("pairing.failed", [Field("command", "puckctl join"), Field("status", status)])
        return .failed
    }

    /// Beside this program, else by PATH.
    static var program: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        if length > 0, let slash = buffer[..<length].lastIndex(of: CChar(UInt8(ascii: "/"))) {
            let path = String(decoding: buffer[...slash].map { UInt8(bitPattern: $0) }, as: UTF8.self) + "puckctl"
            if access(path, X_OK) == 0 { return path }
        }
        return "puckctl"
    }

    private static func place(_ hub: HubLinkSettings) -> String {
        hub.host.utf8.contains(UInt8(ascii: ":")) ? "[\(hub.host)]:\(hub.port)" : "\(hub.host):\(hub.port)"
    }
}

import CLinux
import PuckBase

/// The way to the service manager that started this process: sd_notify(3)'s datagrams, sent by hand. The protocol is a
/// datagram of `KEY=value` lines to the socket that `NOTIFY_SOCKET` names, which is less than linking libsystemd.
///
/// One for a process, as long as that lives. Any thread but the audio threads. Never blocks: a manager that does not read loses the message.
public struct ServiceManager: Sendable {
    /// What the manager is told about how things stand is cut there.
    public static let longestStatusBytes = 256

    /// A day: more would overflow somewhere, and means never.
    static let longestWatchdogMicroseconds: Int64 = 86_400_000_000

    /// How long the manager waits for a `WATCHDOG=1` before it ends the process; nil when it does not.
    public let watchdog: Interval?
    private let address: UnixAddress
    private let descriptor: Int32

    /// The manager of the environment; nil when there is none, or one that cannot be reached so.
    public init?() {
        self.init(
            socket: environmentValue("NOTIFY_SOCKET") ?? "", watchdogMicroseconds: environmentValue("WATCHDOG_USEC"),
            watchdogProcess: environmentValue("WATCHDOG_PID"), process: getpid())
    }

    /// - Parameters:
    ///   - socket: a path, or "@" and a name in the abstract namespace.
    ///   - watchdogMicroseconds, watchdogProcess: as `WATCHDOG_USEC` and `WATCHDOG_PID` give them. A watchdog that is
    ///     meant for another process is none.
    ///   - process: this one's id.
    init?(socket: String, watchdogMicroseconds: String?, watchdogProcess: String?, process: Int32) {
        guard let address = UnixAddress(notifySocket: socket) else { return nil }
        do throws(SystemError) { descriptor = try UnixAddress.makeSocket() } catch { return nil }
        self.address = address
        let isOurs = watchdogProcess.map { Int32($0) == process } ?? true
        let time = min(watchdogMicroseconds.flatMap { Int64($0) } ?? 0, Self.longestWatchdogMicroseconds)
        watchdog = isOurs && time > 0 ? Interval(nanoseconds: time * 1000) : nil
    }

    /// All is set up; or set up again, after `reloading`.
    public func ready() { send("READY=1") }

    /// The configuration is being read again, from `now` on; `ready` ends it.
    public func reloading(now: Instant) { send("RELOADING=1\nMONOTONIC_USEC=\(now.nanoseconds / 1000)") }

    public func stopping() { send("STOPPING=1") }

    /// One line for `systemctl status`.
    public func status(_ text: String) {
        var line = "STATUS="
        for scalar in text.unicodeScalars {
            if line.utf8.count >= Self.longestStatusBytes { break }
            line.unicodeScalars.append(scalar.value < 0x20 ? " " : scalar)
        }
        send(line)
    }

    /// Everything works: the manager's clock starts anew.
    public func allIsWell() { send("WATCHDOG=1") }

    private func send(_ text: String) {
        var text = text
        text.withUTF8 { address.send(UnsafeRawBufferPointer($0), over: descriptor) }
    }
}

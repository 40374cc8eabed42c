import CLinux
import LinuxIO
import PuckBase

/// A session with the daemon, and Ctrl-C.
struct Session {
    /// A daemon that neither gives nor takes anything for so long hangs: it does so ten times a second.
    static let patienceMilliseconds: Int32 = 20_000

    enum News: Equatable {
        /// The session can be read or written.
        case ready
        case interrupted
        case nothing
    }

    let control: ControlSession
    let signals: SignalDescriptor

    static let gone = "the daemon has gone"
    static let hangs = "the daemon hangs; look into its log"

    /// Asks for it. The exit status where there is none, and it has been said why.
    static func begin(_ request: String, at socket: String) -> Result {
        SignalDescriptor.ignoreBrokenPipes()
        do throws(SystemError) {
            let signals = try SignalDescriptor([.interrupt, .terminate])
            let (reply, control) = try ControlClient.open(request, at: socket)
            if let refusal = Command.refusal(in: reply) {
                return .failed(Command.fail("puckctl: " + refusal, ExitCode.refused))
            }
            return .begun(Session(control: control, signals: signals))
        } catch { return .failed(Command.fail("puckctl: \(error.description)", ExitCode.of(error))) }
    }

    enum Result {
        case begun(Session)
        case failed(Int32)
    }

    func wait(forRoom: Bool) -> News {
        var entries = [
            pollfd(fd: control.descriptor, events: Int16(POLLIN | (forRoom ? POLLOUT : 0)), revents: 0),
            pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&entries, 2, Self.patienceMilliseconds)
        if entries[1].revents != 0 { return .interrupted }
        return entries[0].revents != 0 ? .ready : .nothing
    }
}

import HubCore
import HubService
import LinkTransport
import LinuxIO
import PuckBase

/// What the service manager hears of the hub (sd_notify(3)), and who watches over its threads.
final class HubLiveness {
    /// How the watching thread is started; a test's fails.
    typealias MakeWatch = (ServiceManager?, Log) throws(SystemError) -> ThreadWatch

    private let interpreter: HubInterpreter<LinuxHub>
    /// Nil until it runs, and where nothing like systemd started this process.
    private var manager: ServiceManager?
    /// The number of pucks that it was told of last.
    private var shownSessions = -1
    private var watching: AdoptedDescriptor?

    init(_ interpreter: HubInterpreter<LinuxHub>) { self.interpreter = interpreter }

    deinit { watching?.remove() }

    private var outside: LinuxHub { interpreter.outside }

    /// As `HubDaemon.run`.
    func run(under manager: ServiceManager?, makeWatch: MakeWatch) throws(HubStartError) {
        self.manager = manager
        let watch: ThreadWatch?
        do throws(HubStartError) {
            watch = try startWatch(manager, makeWatch)
        } catch {
            if manager?.watchdog != nil { throw error }
            // Nobody counts on it: the hub serves all the same.
            outside.log.warning("watch.missing", [Field("detail", error.message)])
            watch = nil
        }
        manager?.ready()
        report()
        outside.loop.run()
        watch?.stop()
        interpreter.keepLearned()
    }

    private func startWatch(_ manager: ServiceManager?, _ makeWatch: MakeWatch) throws(HubStartError) -> ThreadWatch {
        let watch: ThreadWatch
        do throws(SystemError) { watch = try makeWatch(manager, outside.log) } catch {
            throw HubStartError("cannot watch the hub's threads: \(error.description)")
        }
        do throws(TransportError) {
            // Sound: `deinit` takes the callback back.
            watching = try outside.loop.adopt(fileDescriptor: watch.turnDescriptor) { [unowned(unsafe) self] _ in
                if watch.turned() { report(again: true) }
            }
            return watch
        } catch {
            throw HubStartError("cannot watch the hub's threads: \(error.message)")
        }
    }

    /// Tells the service manager how many pucks there are, when that has changed.
    func report(again: Bool = false) {
        guard let manager, again || interpreter.hub.sessionCount != shownSessions else { return }
        shownSessions = interpreter.hub.sessionCount
        manager.status("\(shownSessions) puck\(shownSessions == 1 ? "" : "s") connected")
    }

    func ready() { manager?.ready() }
    func reloading() { manager?.reloading(now: MonotonicClock.now()) }
    func stopping() { manager?.stopping() }
}

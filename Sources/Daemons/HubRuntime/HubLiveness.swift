import HubCore
import LinkTransport
import LinuxIO
import PuckBase

// What the service manager hears of the hub (sd_notify(3)).

extension HubDaemon {
    /// How the watching thread is started; a test's fails.
    typealias MakeWatch = (ServiceManager?, Log) throws(SystemError) -> ThreadWatch

    /// Serves until `stop` or SIGTERM, under the eyes of the service manager where there is one.
    ///
    /// Throws when that manager wants to hear that all is well (`WATCHDOG_USEC`) and there is no thread to say so: it
    /// would end a hub in good order every 20 s, and nothing would say why.
    public func run() throws(HubStartError) {
        try run(under: ServiceManager()) { (manager, log) throws(SystemError) in
            try ThreadWatch([], manager: manager, log: log)
        }
    }

    func run(under manager: ServiceManager?, makeWatch: MakeWatch) throws(HubStartError) {
        self.manager = manager
        let watch: ThreadWatch?
        do throws(HubStartError) {
            watch = try startWatch(manager, makeWatch)
        } catch {
            if manager?.watchdog != nil { throw error }
            // Nobody counts on it: the hub serves all the same.
            log.warning("watch.missing", [Field("detail", error.message)])
            watch = nil
        }
        manager?.ready()
        reportToManager()
        loop.run()
        watch?.stop()
        learned.keep(hub.earshot, log)
    }

    private func startWatch(_ manager: ServiceManager?, _ makeWatch: MakeWatch) throws(HubStartError) -> ThreadWatch {
        let watch: ThreadWatch
        do throws(SystemError) { watch = try makeWatch(manager, log) } catch {
            throw HubStartError("nobody can watch over the hub's threads: \(error.description)")
        }
        do throws(TransportError) {
            adopted.append(
                // Sound: the daemon removes what it has adopted when it goes.
                try loop.adopt(fileDescriptor: watch.turnDescriptor) { [unowned(unsafe) self] _ in
                    if watch.turned() { reportToManager(again: true) }
                })
            return watch
        } catch {
            throw HubStartError("nobody can watch over the hub's threads: \(error.message)")
        }
    }

    /// Tells the service manager how many pucks there are, when that has changed.
    func reportToManager(again: Bool = false) {
        guard let manager, again || hub.sessionCount != shownSessions else { return }
        shownSessions = hub.sessionCount
        manager.status("\(shownSessions) puck\(shownSessions == 1 ? "" : "s") connected")
    }
}

import HubCore
import LinkTransport
import LinuxIO
import PuckBase

// What the service manager hears of the hub (sd_notify(3)).

extension HubDaemon {
    /// Serves until `stop` or SIGTERM, under the eyes of the service manager where there is one.
    public func run() {
        let manager = ServiceManager()
        self.manager = manager
        let watch = startWatch(manager)
        manager?.ready()
        reportToManager()
        loop.run()
        watch?.stop()
        learned.keep(hub.earshot, log)
    }

    /// Nil when there is no thread to be had: then the hub serves all the same.
    private func startWatch(_ manager: ServiceManager?) -> ThreadWatch? {
        do throws(SystemError) {
            let watch = try ThreadWatch([], manager: manager, log: log)
            do throws(TransportError) {
                adopted.append(
                    try loop.adopt(fileDescriptor: watch.turnDescriptor) { [unowned(unsafe) self] _ in
                        if watch.turned() { reportToManager(again: true) }
                    })
                return watch
            } catch { log.warning("watch.missing", [Field("detail", error.message)]) }
        } catch { log.warning("watch.missing", [Field("detail", error.description)]) }
        return nil
    }

    /// Tells the service manager how many pucks there are, when that has changed.
    func reportToManager(again: Bool = false) {
        guard let manager, again || hub.sessionCount != shownSessions else { return }
        shownSessions = hub.sessionCount
        manager.status("\(shownSessions) puck\(shownSessions == 1 ? "" : "s") connected")
    }
}

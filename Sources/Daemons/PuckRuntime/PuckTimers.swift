import PuckBase
import PuckCore

// unowned(unsafe) is sound here: the timers are the daemon's own, and are used by its thread alone.

extension PuckDaemon {
    /// A part that waits for a time: when, and what it does then, together, so that neither is forgotten.
    struct Timer {
        var due: () -> Instant?
        /// Called when any of them is due, and does nothing when it is not this one.
        var passed: () -> Void
    }

    func makeTimers() -> [Timer] {
        [
            Timer(due: { [unowned(unsafe) self] in inputs?.nextDeadline }) { [unowned(unsafe) self] in
                inputs?.timePassed()
            },
            Timer(due: { [unowned(unsafe) self] in care?.nextDeadline }) { [unowned(unsafe) self] in care?.timePassed()
            },
            Timer(due: { [unowned(unsafe) self] in search?.lookAt }) { [unowned(unsafe) self] in
                if let end = search?.timePassed() { perform(.pairingEnded(end)) }
            },
            Timer(due: { [unowned(unsafe) self] in movedHub?.lookAt }) { [unowned(unsafe) self] in movedHubTimePassed()
            },
            Timer(due: { [unowned(unsafe) self] in outputs?.nextDeadline }) { [unowned(unsafe) self] in
                outputs?.timePassed()
                noteDegraded()
            },
            Timer(due: { [unowned(unsafe) self] in kept.nextDeadline }) { [unowned(unsafe) self] in kept.timePassed() },
            Timer(due: { [unowned(unsafe) self] in mixer.nextDeadline }) { [unowned(unsafe) self] in mixer.timePassed()
            },
            Timer(due: { [unowned(unsafe) self] in lights?.nextDeadline }) { [unowned(unsafe) self] in
                lights?.timePassed()
            },
            Timer(due: { [unowned(unsafe) self] in visitors.nextDeadline }) { [unowned(unsafe) self] in
                visitorsTimePassed()
            },
            // Last: the others may have told it something.
            Timer(due: { [unowned(unsafe) self] in puck.nextDeadline }) { [unowned(unsafe) self] in perform(.timePassed)
            },
        ]
    }
}

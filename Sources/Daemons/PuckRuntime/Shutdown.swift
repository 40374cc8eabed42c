import CLinux
import LinkTransport
import LinuxIO
import PuckBase

extension PuckDaemon {
    /// A daemon ends within 200 ms of SIGTERM; this is where it stops being polite.
    static let shutdownMilliseconds: UInt32 = 150
    /// Of these, what the hub has to take the puck's goodbye and answer it; a close that was sent arrives without that.
    static let goodbyeWithin = Interval.milliseconds(75)

    /// Says goodbye to the hub and ends `run`. Nothing that happens from here on reaches the core.
    func beginStop() {
        if isStopping { return }
        isStopping = true
        manager?.stopping()
        // Whatever hangs (a device that never returns, a name server): the process still ends in time.
        Self.limitShutdown(status: exitStatus)
        microphone.stop()
        threads.askToStop()  // they end while the goodbye is under way
        kept.save()  // first of all that may be cut short
        guard socketInUse else { return loop.stop() }
        // Sound: the loop is the daemon's own.
        loop.onDeadline = { [unowned(unsafe) self] in loop.stop() }
        loop.setDeadline((MonotonicClock.now() + Self.goodbyeWithin).nanoseconds)
        link.close(code: CloseCode.goingAway, reason: "the puck is stopping")
    }

    /// Ends the process, with the status that it would have had, if it has not ended by itself in time: a sound driver or a name server that hangs
    /// must not hold up a shutdown.
    static func limitShutdown(status: Int32) { puck_exit_after(shutdownMilliseconds, status) }

    /// Everything that could have hung has ended: the process may leave in order.
    static func liftShutdownLimit() { puck_exit_after(0, 0) }
}

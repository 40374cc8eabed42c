import CLinux

extension PuckDaemon {
    /// A daemon ends within 200 ms of SIGTERM; this is where it stops being polite.
    static let shutdownMilliseconds: UInt32 = 150

    /// Ends the process, successfully, if it has not ended by itself in time: a sound driver or a name server that hangs
    /// must not hold up a shutdown.
    static func limitShutdown() { puck_exit_after(shutdownMilliseconds) }

    /// Everything that could have hung has ended: the process may leave in order.
    static func liftShutdownLimit() { puck_exit_after(0) }
}

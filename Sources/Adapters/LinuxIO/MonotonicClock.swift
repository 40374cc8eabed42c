import CLinux
import PuckBase

/// The one place where a daemon reads the time: `CLOCK_MONOTONIC`, which never jumps and stands still in suspend.
public enum MonotonicClock {
    public static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)  // Cannot fail for this clock.
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}

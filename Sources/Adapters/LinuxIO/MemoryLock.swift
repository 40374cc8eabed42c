import CLinux
import PuckBase

/// Keeps every page that this process has touched in memory, so that a short board does not drop the code of the audio
/// threads and fetch it from a slow card while a period waits. Pages that nobody touches are not fetched for it.
///
/// Only without a limit on locked memory (`LimitMEMLOCK=infinity` in the unit): with one, everything that is mapped counts,
/// stacks and libraries whole, and a later thread might not start.
/// - Returns: false when the limit or the system forbids it: the process works on, and may wait for its card at times.
public func lockTouchedMemory() -> Bool {
    puck_may_lock_all_memory() != 0 && mlockall(MCL_CURRENT | MCL_FUTURE | Int32(MCL_ONFAULT)) == 0
}

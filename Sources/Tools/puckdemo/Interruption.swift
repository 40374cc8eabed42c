import Foundation
import Synchronization

/// Ctrl-C and its kin: noted here, acted on by the loop, so that what was started is ended in the ordinary way.
enum Interruption {
    private static let flag = Atomic<Bool>(false)

    static var came: Bool { flag.load(ordering: .relaxed) }

    /// A store into an atomic is all that a signal handler may do.
    static func watch() {
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number) { _ in Interruption.flag.store(true, ordering: .relaxed) }
        }
    }
}

import CLinux
import Credentials
import LinuxIO
import PuckBase

/// Waits for a hub that knows this puck's own code: asks every hub of the network, again and again. A hub with nothing
/// open turns it away at the door and learns nothing.
struct HubWait {
    /// As long as an offer of the hub's lives.
    static let patience = Interval.seconds(600)
    static let pause = Interval.seconds(3)
    /// Hubs that turned out not to know the code are left alone for so long; their offer may be another puck's, and
    /// bears few wrong codes.
    static let rest = Interval.seconds(60)
    /// Each gives whoever poses as a hub one guess in 100,000,000.
    static let mostWrong = 5
    static let mostHubs = 8

    private var wrong = 0
    private var resting: [(hub: HubPlace, until: Instant)] = []
    private var lastProblem = ""

    /// Blocks until there is one. Says on a terminal what to do; in a log the code has no place.
    /// - Parameters:
    ///   - code: eight digits.
    ///   - hub: the only one that is asked; nil looks for them by mDNS.
    static func run(code: String, hub: HubPlace?) throws(JoinStop) -> (Joined, HubPlace) {
        if isatty(1) == 1 {
            sayOnTerminal(
                "This puck's code is \(PairingSecret.written(code: code)). Within ten minutes, on the hub:\n\n"
                    + "    puckhub pair NAME --code \(PairingSecret.written(code: code))\n\n"
                    + "Waiting for it; Ctrl-C ends that.\n")
        }
        var wait = HubWait()
        let limit = MonotonicClock.now() + patience
        while MonotonicClock.now() < limit {
            if let found = try wait.round(code, hub) { return found }
            poll(nil, 0, Int32(pause.wholeMilliseconds))
        }
        throw JoinStop(
            JoinCommand.unreachable,
            "no hub asked for this puck within ten minutes"
                + (wait.lastProblem.isEmpty
                    ? ": none was found on this network" : "; the last one said: \(wait.lastProblem)"))
    }

    private mutating func round(_ code: String, _ only: HubPlace?) throws(JoinStop) -> (Joined, HubPlace)? {
        var hubs: [HubPlace] = []
        if let only {
            hubs = [only]
        } else {
            do throws(SystemError) { hubs = try HubFinder.search().prefix(Self.mostHubs).map { $0.place } } catch {
                throw JoinStop(JoinCommand.unreachable, error.description)
            }
        }
        for hub in hubs {
            let now = MonotonicClock.now()
            resting.removeAll { $0.until <= now }
            if resting.contains(where: { $0.hub == hub }) { continue }
            do throws(JoinFailure) {
                return (try JoinExchange.run(.code(code), host: hub.host, port: hub.port), hub)
            } catch {
                lastProblem = "\(JoinLine.place(hub.host, hub.port)): \(error.text)"
                guard error.kind == .refused else { continue }
                wrong += 1
                if wrong >= Self.mostWrong {
                    throw JoinStop(
                        JoinCommand.refused,
                        "\(wrong) times a hub did not know this puck's code: type the one that 'puckctl code' prints")
                }
                resting.append((hub, now + Self.rest))
            }
        }
        return nil
    }

    private static func sayOnTerminal(_ text: String) {
        var text = text
        text.withUTF8 { bytes in _ = write(1, bytes.baseAddress, bytes.count) }
    }
}

import CLinux
import LinuxIO
import PuckBase
import PuckCore
import PuckWire

/// Carries out what `NetworkLadder` wants: asks the gateway, runs the configured commands, one after the other.
/// Loop thread.
final class NetworkCare {
    /// How often a running command is looked at, and when it is ended.
    static let lookEvery = Interval.milliseconds(250)
    static let commandLimit = Interval.seconds(30)

    private let settings: NetworkSettings
    private let log: Log
    /// The service is to be started anew.
    private let onRestart: () -> Void
    private var ladder: NetworkLadder
    private var effects: [NetworkLadder.Effect] = []
    private var probe: GatewayProbe?
    /// The last probe's; nil before one.
    private var hasAnswered: Bool?
    private var isHubThere = false
    /// What is still to be run, two commands at most.
    private var waiting: [[String]] = []
    private var running: (command: ChildCommand, words: [String], since: Instant, isKilled: Bool)?
    private var lookAt: Instant?

    init(_ settings: NetworkSettings, log: Log, hasManager: Bool, onRestart: @escaping () -> Void) {
        self.settings = settings
        self.log = log
        self.onRestart = onRestart
        let parameters = settings.ladder(hasManager: hasManager)
        let place = Self.takeState(settings.stateFile)
        ladder = NetworkLadder(parameters, resumedAt: place, now: MonotonicClock.now())
    }

    /// What was begun is finished without being waited for: an interface that was taken down comes up again.
    deinit {
        for words in waiting { _ = try? ChildCommand(words) }
        if waiting.isEmpty { running?.command.kill() }
    }

    /// While a command runs the ladder stands.
    var nextDeadline: Instant? { lookAt ?? ladder.nextDeadline }

    /// How the link stands; says nothing new most times.
    func hub(isThere: Bool) {
        if isThere == isHubThere { return }
        isHubThere = isThere
        step(isThere ? .hubReached : .hubLost)
    }

    func timePassed() {
        let now = MonotonicClock.now()
        if let due = lookAt {
            if due <= now { lookAtCommand(now) }
            return
        }
        if let due = ladder.nextDeadline, due <= now { step(.timePassed) }
    }

    private func step(_ event: NetworkLadder.Event) {
        var next: NetworkLadder.Event? = event
        // Ends: only `endProbe` leads to a further event, and that to none.
        while let event = next {
            next = nil
            effects.removeAll(keepingCapacity: true)
            ladder.step(event, now: MonotonicClock.now(), into: &effects)
            for effect in effects {
                switch effect {
                case .beginProbe: probe = Gateway.current().flatMap { GatewayProbe($0) }
                case .endProbe:
                    let answered = probe?.hasAnswer() ?? false
                    probe = nil
                    hasAnswered = answered
                    next = .probed(answered: answered)
                case .climb(let rung, let index): climb(rung, index)
                case .log(let record): log.write(record)
                }
            }
        }
    }

    private func climb(_ rung: NetworkLadder.Rung, _ next: NetworkLadder.Place) {
        switch rung {
        case .reconnect: run([settings.reconnect])
        case .interface: run([settings.interfaceDown, settings.interfaceUp])
        case .reboot: run([settings.reboot])
        case .service:
            do throws(SystemError) {
                if !settings.stateFile.isEmpty {
                    try writeFileAtomically(settings.stateFile, Array("\(next.next) \(next.rounds)\n".utf8))
                }
            } catch { log.warning("network.state", [Field("detail", error.description)]) }
            onRestart()
        }
    }

    private func run(_ commands: [[String]]) {
        waiting = commands
        startNext(MonotonicClock.now())
    }

    private func startNext(_ now: Instant) {
        lookAt = nil
        while running == nil, !waiting.isEmpty {
            let words = waiting.removeFirst()
            do throws(SystemError) {
                running = (try ChildCommand(words), words, now, false)
                lookAt = now + Self.lookEvery
            } catch { log.error("network.command", [Field("detail", error.description)]) }
        }
        if running == nil { step(.climbed) }
    }

    private func lookAtCommand(_ now: Instant) {
        lookAt = now + Self.lookEvery
        guard let words = running?.words, let since = running?.since else { return startNext(now) }
        if let status = running?.command.ended() {
            running = nil
            let command = words.reduce("") { $0.isEmpty ? $1 : $0 + " " + $1 }
            log.record(
                status == 0 ? .notice : .error, "network.command",
                [Field("command", command), Field("status", status)])
            startNext(now)
        } else if now - since > Self.commandLimit, running?.isKilled == false {
            // One that hangs in the kernel ends when that lets go of it; nothing else is tried until then.
            running?.command.kill()
            running?.isKilled = true
            log.error("network.command", [Field("command", words[0]), Field("detail", "is killed after 30 s")])
        }
    }

    /// Where the ladder stood before a restart; read once.
    private static func takeState(_ path: String) -> NetworkLadder.Place? {
        if path.isEmpty { return nil }
        do throws(SystemError) {
            let bytes = try readSmallFile(path, limit: 16)
            unlink(path)
            let words = bytes.split(whereSeparator: { $0 == 32 || $0 == 10 }).map {
                Int(String(decoding: $0, as: UTF8.self))
            }
            guard words.count == 2, let next = words[0], let rounds = words[1] else { return nil }
            return NetworkLadder.Place(next: next, rounds: rounds)
        } catch { return nil }
    }

    /// For the status: the gateway, and the Wi-Fi where there is one.
    func describe(_ json: inout JSONWriter) {
        json.set("gateway", Gateway.current()?.text ?? "none")
        json.set("gateway_answers", hasAnswered.map { $0 ? "yes" : "no" } ?? "unknown")
        json.set("network", ladder.isStuck ? "wedged" : "ok")
    }
}

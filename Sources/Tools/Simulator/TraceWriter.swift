import PuckAudio
import PuckBase
import PuckCore
import PuckWire

/// Writes what was seen as lines for people: the house's time in seconds, who, what. Only with `--trace`.
final class TraceWriter {
    private let names: [String]
    private let write: (String) -> Void
    private var puckOf: [Int: Int] = [:]

    init(_ scenario: Scenario, _ write: @escaping (String) -> Void) {
        names = scenario.pucks.map { $0.name } + ["copy"]
        self.write = write
    }

    func violation(_ violation: Violation) { write("!!! \(violation.line)") }

    func write(_ observation: Observation, now: Instant) {
        if case .connectionOpened(let connection, let puck) = observation { puckOf[connection] = puck }
        guard let (who, what) = describe(observation) else { return }
        let time = fixed(now.inSeconds, 4)
        write(String(repeating: " ", count: max(0, 10 - time.utf8.count)) + time + "  " + leftAligned(who, 9) + what)
    }

    private func name(_ puck: Int) -> String { names[puck] }
    private func hub(_ connection: Int) -> String { "hub" }
    private func peer(_ connection: Int) -> String { puckOf[connection].map { names[$0] } ?? "?" }

    private func describe(_ observation: Observation) -> (String, String)? {
        switch observation {
        case .puckStarted(let p): (name(p), "process starts")
        case .puckEnded(let p): (name(p), "process ends")
        case .puckFroze(let p): (name(p), "stands still")
        case .puckThawed(let p): (name(p), "goes on")
        case .hubStarted(let run): ("hub", "process starts, life \(run)")
        case .hubEnded: ("hub", "process ends")
        case .hubFroze: ("hub", "stands still")
        case .hubThawed: ("hub", "goes on")
        case .socketWanted(let p): (name(p), "opens a socket")
        case .candidateWanted(let p): (name(p), "opens a socket to an address that was found")
        case .hubSearched(let p): (name(p), "searches for its hub")
        case .hubKept(let p): (name(p), "keeps the hub's new address")
        case .hubMoved(let address): ("hub", "has another address, number \(address)")
        case .socketOpened(let p, let c): (name(p), "socket open, connection \(c)")
        case .socketDropped(let p): (name(p), "closes its socket")
        case .socketLost(let p, let reason): (name(p), "socket is gone: \(reason)")
        case .puckSent(let p, _, let control): (name(p), "→ " + TraceText.of(control))
        case .puckSentAudio(let p, _, let s, let sound, _):
            (name(p), "→ packet \(s.value)   (recording \(sound.recording), \(sound.index))")
        case .puckRefused(let p, _, let error): (name(p), "→ ERROR \(error.code.name) \(error.detail)")
        case .puckHeard(let p, _, let control, let s): (name(p), "← " + TraceText.of(control, s))
        case .puckHeardAudio(let p, _, let s, let packet):
            (name(p), "← [\(s.value)] packet \(packet.index) of answer \(packet.answer)")
        case .puckHeardError(let p, _, let error): (name(p), "← ERROR \(error.code.name) \(error.detail)")
        case .networkChanged(let p): (name(p), "its network has changed")
        case .puckQueueFull(let p, _): (name(p), "send queue is full")
        default: describeRest(observation)
        }
    }

    private func describeRest(_ observation: Observation) -> (String, String)? {
        switch observation {
        case .connectionOpened(let c, let p): ("hub", "connection \(c) from \(name(p))")
        case .connectionClosed(let c): ("hub", "connection \(c) of \(peer(c)) ends")
        case .hubSent(let c, let control, let s): ("hub", "→ \(peer(c)): " + TraceText.of(control, s))
        case .hubSentAudio(let c, let s, let packet):
            ("hub", "→ \(peer(c)): [\(s.value)] packet \(packet.index) of answer \(packet.answer)")
        case .hubRefused(let c, let error): ("hub", "→ \(peer(c)): ERROR \(error.code.name) \(error.detail)")
        case .hubHeard(let c, let control): ("hub", "← \(peer(c)): " + TraceText.of(control))
        case .hubHeardAudio(let c, let s, let sound):
            ("hub", "← \(peer(c)): packet \(s.value)   (recording \(sound.recording), \(sound.index))")
        case .hubHeardError(let c, let error): ("hub", "← \(peer(c)): ERROR \(error.code.name) \(error.detail)")
        case .hubQueueFull(let c): ("hub", "send queue to \(peer(c)) is full")
        case .kept: nil
        case .answerWanted(let id, let play, let answer):
            ("hub", "answer \(answer) to \(id) is asked for, play \(play)")
        case .produced(let answer, let count, let whole):
            ("hub", "answer \(answer): \(count) packets\(whole ? ", all" : "")")
        case .answerFailed(let answer): ("hub", "answer \(answer) fails")
        case .answerForgotten(let play): ("hub", "play \(play) is let go")
        case .playPrepared(let p, let play, let category, let answer):
            ("hub", "play \(play) for \(name(p)): \(category.rawValue), answer \(answer)")
        case .playRefused(let p): ("hub", "a play for \(name(p)) is refused")
        case .playCancelled(let play): ("hub", "play \(play) is cancelled")
        case .forgotten(let id): ("hub", "\(id) is over")
        default: describeDevices(observation)
        }
    }

    private func describeDevices(_ observation: Observation) -> (String, String)? {
        switch observation {
        case .wakeFound(let p, let confidence, let isPerson):
            (name(p), "hears a wake word of \(isPerson ? "somebody" : "a television"), \(fixed(Double(confidence), 2))")
        case .recordingStarted(let p, let n): (name(p), "records, recording \(n)")
        case .recordingStopped(let p, let n): (name(p), "recording \(n) ends")
        case .encoded: nil
        case .captureGap(let p, let samples): (name(p), "\(samples) samples of the utterance are lost")
        case .captureWorks(let p, let works): (name(p), works ? "microphone is back" : "microphone is lost")
        case .playbackWorks(let p, let works): (name(p), works ? "loudspeaker is back" : "loudspeaker is lost")
        case .playStarted(let p, let start):
            (name(p), "plays \(start.playID) of \(start.conversationID) from \(start.resumedAtMilliseconds) ms")
        case .played(let p, let packet): (name(p), "♪ packet \(packet.index) of answer \(packet.answer)")
        case .playFinishing(let p): (name(p), "plays out")
        case .playDrained(let p): (name(p), "has played everything")
        case .playStopped(let p): (name(p), "is silent")
        case .playStarved(let p): (name(p), "has run dry")
        case .playPaused(let p): (name(p), "pauses what it plays")
        case .playResumed(let p): (name(p), "goes on with what was paused")
        case .pausedPlayDropped(let p): (name(p), "drops what was paused")
        case .earcon(let p, let earcon): (name(p), "♪ \(earcon.rawValue)")
        case .lights(let p, let lights): (name(p), "lights: \(lights.rawValue)")
        case .muted(let p, let on): (name(p), on ? "muted" : "unmuted")
        case .volume(let p, let percent): (name(p), "volume \(percent)")
        case .puckLogged(let p, let record): (name(p), "log: " + TraceText.of(record))
        case .hubLogged(let record): ("hub", "log: " + TraceText.of(record))
        case .faultStruck(let fault): TraceText.of(fault, names)
        case .personActed(let act): TraceText.of(act, names)
        case .copyEnded(let p, _): (name(p), "its copy is switched off")
        case .healed: ("house", "the faults are over")
        case .forged(let p, let c): (name(p), "a forged message, connection \(c)")
        case .probed(let p, let attempt): (name(p), "is probed, attempt \(attempt)")
        case .probeSucceeded(let p): (name(p), "serves")
        default: nil
        }
    }
}

import PuckBase
import PuckWire

/// One line each for what a trace shows.
enum TraceText {
    static func of(_ control: PuckControl) -> String {
        switch control {
        case .hello(let m):
            "hello" + (m.resume.map { " resume epoch=\($0.epoch) seq=\($0.sequence.value)" } ?? "")
                + (m.uplink.map { " uplink \($0.conversationID) \($0.first.value)..<\($0.next.value)" } ?? "")
        case .wakeCandidate(let m): "wake_candidate \(m.wakeID) snr=\(fixed(m.snrDecibels, 1))"
        case .uplinkEnd(let m): "up_end \(m.conversationID) last=\(m.lastSequence.value) \(m.reason.rawValue)"
        case .played(let m):
            "played seq=\(m.sequence.value) play=\(m.playID) at=\(m.positionMilliseconds) left=\(m.bufferedMilliseconds)"
                + (m.state == .playing ? "" : " \(m.state)")
        case .status(let m): "status \(m.phase) muted=\(m.muted) capture=\(m.captureOK) playback=\(m.playbackOK)"
        case .ping: "ping"
        case .pong: "pong"
        case .trusts: "trusts"
        case .unknown(let op): "unknown \(op)"
        }
    }

    static func of(_ control: HubControl, _ sequence: SerialNumber) -> String {
        let number = control.isStreamed ? "[\(sequence.value)] " : ""
        let text =
            switch control {
            case .welcome(let m):
                "welcome \(m.resume.rawValue) epoch=\(m.epoch) from=\(m.from.value)"
                    + (m.uplinkNext.map { " uplink_next=\($0.value)" } ?? "")
                    + (m.floor.map { " floor=\($0)" } ?? "")
            case .grant(let wakeID, let id): "arb_grant \(wakeID) \(id)"
            case .cancel(let wakeID, let reason): "arb_cancel \(wakeID) \(reason.rawValue)"
            case .uplinkAck(let id, let next): "up_ack \(id) \(next.value)"
            case .listenStop(let id, let reason): "listen_stop \(id) \(reason)"
            case .set: "set"
            case .token: "token"
            case .trust: "trust"
            case .ping: "ping"
            case .pong: "pong"
            case .phase(let id, let phase): "phase \(id) \(phase.rawValue)"
            case .downStart(let m):
                "down_start \(m.playID) \(m.conversationID) \(m.category.rawValue)"
                    + " at=\(m.resumedAtMilliseconds)"
            case .downStop(let playID, let reason): "down_stop \(playID) \(reason.rawValue)"
            case .downPause(let playID): "down_pause \(playID)"
            case .downResume(let playID): "down_resume \(playID)"
            case .earcon(let name): "earcon \(name)"
            case .unknown(let op, _): "unknown \(op)"
            }
        return number + text
    }

    static func of(_ record: LogRecord) -> String {
        var text = record.event.text.description
        for field in record.fields { text += " " + field.key.text.description + "=" + field.value }
        return text
    }

    static func of(_ fault: Fault, _ names: [String]) -> (String, String) {
        let who = fault.kind.concernsHub ? "hub" : names[fault.puck]
        return (who, "### fault \(fault.ordinal): \(fault.kind.rawValue) for \(fixed(fault.duration.inSeconds, 3)) s")
    }

    static func of(_ act: Act, _ names: [String]) -> (String, String) {
        let what =
            switch act.kind {
            case .speak(let speech, let hearers):
                "somebody speaks for \(fixed(speech.duration.inSeconds, 1)) s, heard by "
                    + hearers.map { "\(names[$0.puck]) (\(fixed($0.snrDecibels, 1)) dB)" }.joined(separator: ", ")
            case .television(let programme, let hearers):
                "a television goes on for \(fixed(programme.sounds.duration.inSeconds, 0)) s, heard by "
                    + hearers.map { names[$0] }.joined(separator: ", ")
            case .press: "the button is pressed"
            case .stop: "\"stop\""
            case .mute(let on): on ? "somebody mutes" : "somebody unmutes"
            case .volume(let percent): "volume \(percent)"
            case .play(let request): "\(request.category.rawValue) of \(request.packets) packets is asked for"
            case .cancelPlay: "what was asked for last is not wanted any more"
            }
        return (names[act.puck], "=== act \(act.ordinal): \(what)")
    }
}

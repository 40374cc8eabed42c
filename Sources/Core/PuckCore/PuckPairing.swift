import PuckAudio
import PuckBase
import PuckWire

// What a person does with the button beyond a short press: a long one closes the microphone or opens it, a very long one
// begins pairing. And pairing itself, as far as this machine is concerned: it is shown, and it ends.

/// Why pairing ended.
public enum PairingEnd: String, Equatable, Sendable {
    /// A hub has taken this puck in.
    case joined
    /// By a short press, or by whoever had begun it.
    case cancelled
    case timedOut = "timed_out"
    /// The search for a hub ended without one; the log says why.
    case failed
}

extension Puck {
    /// Closes an open microphone at once. A closed one is opened when the press ends: what becomes a very long press must
    /// not open it in between.
    mutating func longPressed(_ now: Instant, _ effects: inout [PuckEffect]) {
        // Of a press whose end was never heard of: the line was lost.
        isMutedByThisPress = false
        if muted { return }
        mutedByAPerson(true, now, &effects)
        isMutedByThisPress = true
    }

    /// It has not become a very long one.
    mutating func longPressEnded(_ now: Instant, _ effects: inout [PuckEffect]) {
        if isMutedByThisPress {
            isMutedByThisPress = false
            return
        }
        if !muted { return }
        if mutedBySwitch {
            effects.append(.log(LogRecord(.info, "mute.kept", [.init("reason", "the mute switch is on")])))
            return playEarcon(.failed, &effects)
        }
        mutedByAPerson(false, now, &effects)
    }

    /// The press was a long one first: what it did then was not meant.
    mutating func veryLongPressed(_ now: Instant, _ effects: inout [PuckEffect]) {
        if isMutedByThisPress { mutedByAPerson(false, now, &effects) }
        pairingRequested(now, &effects)
    }

    /// Asked for again, it begins anew.
    mutating func pairingRequested(_ now: Instant, _ effects: inout [PuckEffect]) {
        deadlines[.pairing] = now + .seconds(parameters.pairingSeconds)
        if isPairing { return }
        isPairing = true
        effects.append(
            .log(LogRecord(.notice, "pairing.began", [.init("ends_in_s", parameters.pairingSeconds)])))
        effects.append(.beginPairing)
    }

    mutating func endPairing(_ reason: PairingEnd, _ effects: inout [PuckEffect]) {
        if !isPairing { return }
        isPairing = false
        deadlines.clear(.pairing)
        effects.append(.log(LogRecord(.notice, "pairing.ended", [.init("reason", reason.rawValue)])))
        effects.append(.endPairing(reason))
    }
}

import PuckAudio
import PuckBase
import PuckWire

// What lets a puck hear and be heard: mute, volume, and devices that come and go.

extension Puck {
    /// The hub may always close the microphone, and open it again when it was the one that closed it.
    mutating func mutedByTheHub(_ on: Bool, _ now: Instant, _ effects: inout [PuckEffect]) {
        let before = muted
        if on == before { return }
        if !on && !mutedByHub {
            let reason = mutedByPerson ? "a person muted this puck" : "the mute switch is on"
            return effects.append(.log(LogRecord(.warning, "mute.kept", [.init("reason", reason)])))
        }
        mutedByHub = on
        muteChanged(from: before, now, &effects)
    }

    /// A person's word, whatever the hub had said: theirs counts from now on.
    mutating func mutedByAPerson(_ on: Bool, _ now: Instant, _ effects: inout [PuckEffect]) {
        let before = muted
        isMutedByThisPress = false
        mutedByPerson = on
        mutedByHub = false
        muteChanged(from: before, now, &effects)
    }

    /// The switch is where it is, and has no opinion on what others want.
    mutating func mutedByTheSwitch(_ on: Bool, _ now: Instant, _ effects: inout [PuckEffect]) {
        let before = muted
        mutedBySwitch = on
        muteChanged(from: before, now, &effects)
    }

    private mutating func muteChanged(from before: Bool, _ now: Instant, _ effects: inout [PuckEffect]) {
        let on = muted
        if on == before { return }
        effects.append(.setMuted(on))
        if on {
            switch turn {
            case .candidate, .standby, .interrupted: endTurn(&effects)
            case .idle, .listening, .thinking: break
            }
            if case .listening = turn { endUtterance(.muted, now, &effects) }
        }
        playEarcon(on ? .muted : .unmuted, &effects)
        reportStatus(now, &effects)
    }

    /// Somebody wants another volume: it is shown, and heard unless something else is, or somebody speaks.
    mutating func changeVolume(_ requested: Int, _ now: Instant, _ effects: inout [PuckEffect]) {
        setVolume(requested, &effects)
        deadlines[.volumeShown] = now + Self.volumeShownFor
        if turn == .idle, !isSounding { playEarcon(.volume, &effects) }
    }

    mutating func setVolume(_ requested: Int, _ effects: inout [PuckEffect]) {
        volume = min(100, max(0, requested))
        effects.append(.setVolume(volume))
    }

    mutating func setPlayback(ok: Bool, _ now: Instant, _ effects: inout [PuckEffect]) {
        if ok == playbackOK { return }
        playbackOK = ok
        reportStatus(now, &effects)
    }

    mutating func setCapture(ok: Bool, _ now: Instant, _ effects: inout [PuckEffect]) {
        if ok == captureOK { return }
        captureOK = ok
        if !ok {
            switch turn {
            case .candidate, .standby, .interrupted: endTurn(&effects)
            case .idle, .listening, .thinking: break
            }
            if case .listening = turn { endUtterance(.gap, now, &effects) }
        }
        reportStatus(now, &effects)
    }

    /// A turn ends: one that a voice began says whether voices can be believed.
    mutating func noteDoubt(_ reason: UplinkEnd.Reason, _ now: Instant, _ effects: inout [PuckEffect]) {
        guard isWokenByVoice, reason == .timeout || reason == .endpoint else { return }
        let changed = doubt.turnEnded(ranOut: reason == .timeout, now: now)
        if reason == .timeout, doubt.step > 0 { deadlines[.doubt] = now + WakeDoubt.decay }
        if changed { logDoubt(.warning, &effects) }
    }

    mutating func doubtDecayed(_ now: Instant, _ effects: inout [PuckEffect]) {
        doubt.decayed()
        if doubt.step > 0 { deadlines[.doubt] = now + WakeDoubt.decay }
        logDoubt(.notice, &effects)
    }

    private func logDoubt(_ level: LogRecord.Level, _ effects: inout [PuckEffect]) {
        let advice =
            doubt.step == 0
            ? "wake words are believed again"
            : "turns follow each other and do not end by themselves, as with a television: wake words must be clearer"
        effects.append(
            .log(
                LogRecord(
                    level, "wake.doubt",
                    [
                        .init("step", doubt.step), .init("least_confidence", Double(doubt.leastConfidence)),
                        .init("detail", advice),
                    ])))
    }
}

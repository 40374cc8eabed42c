import PuckAudio
import PuckBase
import PuckWire

// What lets a puck hear and be heard: mute, volume, and devices that come and go.

extension Puck {
    /// The hub may always close the microphone, and open it again when it was the one that closed it.
    mutating func mutedByTheHub(_ on: Bool, _ now: Instant, _ effects: inout [PuckEffect]) {
        if on == muted { return }
        if !on && !mutedByHub {
            return effects.append(.log(LogRecord(.warning, "mute.kept", [.init("reason", "a person muted this puck")])))
        }
        setMuted(on, now, &effects)
        mutedByHub = on
    }

    mutating func setMuted(_ on: Bool, _ now: Instant, _ effects: inout [PuckEffect]) {
        // A person's word, whatever the hub had said: theirs counts from now on.
        mutedByHub = false
        isMutedByThisPress = false
        if on == muted { return }
        muted = on
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
        #if MUTATIONS
            if Mutation.is(.deafAfterLoss), ok { return }
        #endif
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
}

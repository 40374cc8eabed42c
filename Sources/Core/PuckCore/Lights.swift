import PuckWire

/// What the puck is doing, for people and for the hub.
public enum Phase: String, CaseIterable, Equatable, Sendable {
    case idle, candidate, listening, thinking, speaking
}

/// How the link stands, as far as anyone looking at the puck cares.
public enum LinkView: CaseIterable, Equatable, Sendable {
    case starting, up
    /// Down for less than 30 s: nothing to bother anybody with yet (FAILURES.md row L21).
    case reconnecting
    case offline
}

/// Everything that the lights depend on.
public struct StatusView: Equatable, Sendable {
    public var phase: Phase
    public var link: LinkView
    public var muted: Bool
    /// The microphone or the loudspeaker is broken.
    public var fault: Bool
    /// Something without which the puck still serves is broken: its button, say.
    public var degraded: Bool
    /// The volume was changed a moment ago.
    public var volumeChanged: Bool
    public var pairing: Bool

    public init(
        phase: Phase, link: LinkView, muted: Bool, fault: Bool, degraded: Bool = false, volumeChanged: Bool = false,
        pairing: Bool = false
    ) {
        self.phase = phase
        self.link = link
        self.muted = muted
        self.fault = fault
        self.degraded = degraded
        self.volumeChanged = volumeChanged
        self.pairing = pairing
    }
}

/// One of the things that lights can say. What that looks like is `pattern`.
public enum Lights: String, CaseIterable, Equatable, Sendable {
    case starting, idle, candidate, listening, thinking, speaking, muted, offline, degraded, error, volume, pairing
}

/// The lights for a status: derived, never set, so that they cannot be stuck. Highest first:
///
/// 1. a fault: a deaf puck must not look healthy;
/// 2. an open microphone: nothing else may hide that the room is being heard;
/// 3. what a person has just asked for at the puck itself: pairing, then the volume;
/// 4. the closed microphone, except while an answer sounds;
/// 5. what is going on, then the link, then what is broken and not needed just now.
public func lights(for status: StatusView) -> Lights {
    if status.fault { return .error }
    if !status.muted {
        if status.phase == .candidate { return .candidate }
        if status.phase == .listening { return .listening }
    }
    if status.pairing { return .pairing }
    if status.volumeChanged { return .volume }
    if status.muted && status.phase != .speaking { return .muted }
    switch status.phase {
    case .candidate: return .candidate
    case .listening: return .listening
    case .thinking: return .thinking
    case .speaking: return .speaking
    case .idle:
        switch status.link {
        case .starting: return .starting
        case .offline: return .offline
        case .up, .reconnecting: return status.degraded ? .degraded : .idle
        }
    }
}

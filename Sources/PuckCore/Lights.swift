import PuckWire

/// What the puck is doing, for people and for the hub.
public enum Phase: String, Equatable, Sendable {
    case idle, candidate, listening, thinking, speaking
}

/// How the link stands, as far as anyone looking at the puck cares.
public enum LinkView: Equatable, Sendable {
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

    public init(phase: Phase, link: LinkView, muted: Bool, fault: Bool) {
        self.phase = phase
        self.link = link
        self.muted = muted
        self.fault = fault
    }
}

/// One of the things that lights can say. What that looks like is the renderer's business.
public enum Lights: String, CaseIterable, Equatable, Sendable {
    case starting, idle, candidate, listening, thinking, speaking, muted, offline, error
}

/// The lights for a status: derived, never set, so that they cannot be stuck. A fault beats everything, since a deaf
/// puck must not look healthy; then privacy; then what is going on; then the link.
public func lights(for status: StatusView) -> Lights {
    if status.fault { return .error }
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
        case .up, .reconnecting: return .idle
        }
    }
}

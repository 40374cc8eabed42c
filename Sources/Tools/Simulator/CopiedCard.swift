import HubCore
import PuckBase

// The fault `copied-card`: a real puck, the core and all, that has another one's id and token. It is switched on while the
// first one is connected and at rest, and off again some minutes later. Meanwhile nothing else goes wrong with the two and
// with the hub, and nobody talks to them: who has the place when is what is looked at, and the checkers that know pucks by
// their number are told nothing of the copy.

extension House {
    struct Copy {
        var victim: Int
        /// It is off again; the victim has not been welcomed yet.
        var isOver = false
    }

    /// A refused puck is back at the latest so long after the copy has gone: the longest pause, a tenth more, an attempt.
    static let copyAftermath = Interval.seconds(345)

    /// The number of the puck that is the copy.
    var copyIndex: Int { scenario.pucks.count }

    func isCopied(_ puck: Int) -> Bool { copy?.victim == puck }

    /// Whether the fault may strike now: it needs two that are well, and time.
    private func mayCopy(_ fault: Fault) -> Bool {
        let puck = pucks[fault.puck]
        let isFree = !network.up[fault.puck].isBlocked(now) && !network.down[fault.puck].isBlocked(now)
        return copy == nil && puck.isConnected && !hub.hasPlay(for: fault.puck) && puck.isIdle && !puck.isFrozen
            && !puck.loudspeaker.isPlaying && isFree
            && now >= network.refusedUntil[fault.puck] && hub.isRunning && !hub.isFrozen
            && hub.hasSettledToken(puck.token, of: puck.setup.name)
            && scenario.healAt - now > fault.duration + Self.copyAftermath
    }

    /// - Returns: whether the fault is dropped.
    func isDropped(_ fault: Fault) -> Bool {
        if fault.kind == .copiedCard { return !mayCopy(fault) }
        return copy.map { fault.kind.concernsHub || fault.puck == $0.victim } ?? false
    }

    func switchCopyOn(_ fault: Fault) {
        copy = Copy(victim: fault.puck)
        observer.disturbances.disturb(fault.puck, until: fault.end + Self.copyAftermath + Self.aftermath)
        pucks[copyIndex].become(copyOf: pucks[fault.puck])
        pucks[copyIndex].start()
        queue.schedule(.copyEnds, at: fault.end, subject: fault.puck)
    }

    func switchCopyOff() {
        guard let victim = copy?.victim else { return }
        let name = scenario.pucks[victim].name
        if !hub.core.duplicates(now: hub.localNow).contains(where: { $0.puckID == name }) {
            observer.found(.copies, victim, "the hub does not say that two have its id and token", now)
        }
        // The copy is the one that was refused, when the first one had just been away when it came.
        let hasPlace = pucks[victim].isConnected && !pucks[copyIndex].isConnected
        pucks[copyIndex].end(powerLost: false)
        copy = hasPlace ? nil : Copy(victim: victim, isOver: true)
        note(.copyEnded(victim, hasPlace: hasPlace))
    }

    /// The victim has its place again.
    func copyWelcomed(_ puck: Int) {
        if copy?.victim == puck, copy?.isOver == true { copy = nil }
    }

    /// What the copy does and is told, which only its own checker looks at.
    func noteCopy(_ observation: Observation, local: Instant) {
        observer.noteCopy(observation, now: now, local: local)
    }
}

extension Observation {
    /// The connection of what a hub does or hears; nil for all else.
    var hubConnection: Int? {
        switch self {
        case .connectionOpened(let c, _), .connectionClosed(let c), .hubSent(let c, _, _), .hubSentAudio(let c, _, _),
            .hubRefused(let c, _), .hubHeard(let c, _), .hubHeardAudio(let c, _, _), .hubHeardError(let c, _),
            .hubQueueFull(let c):
            c
        default: nil
        }
    }
}

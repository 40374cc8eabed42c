import PuckBase

// What people are told of a puck beside its lights (`puckctl status`). Nothing here decides anything.

/// The round trips to the hub of late.
struct RoundTrips: Sendable {
    /// As many exchanges as the hub's own estimate of a puck's clock looks back on.
    static let kept = 8

    private var samples: [(milliseconds: Double, takenAt: Instant)] = []

    mutating func add(_ milliseconds: Double, at now: Instant) {
        if samples.count == Self.kept { samples.removeFirst() }
        samples.append((milliseconds, now))
    }

    mutating func removeAll() { samples.removeAll(keepingCapacity: true) }

    var last: Double? { samples.last?.milliseconds }

    var best: (milliseconds: Double, takenAt: Instant)? {
        samples.min { $0.milliseconds < $1.milliseconds }
    }
}

extension Puck {
    /// How the link stands, for people.
    public enum LinkState: String, CaseIterable, Sendable {
        /// There is no hub to go to.
        case unpaired
        /// Between two attempts.
        case waiting
        case connecting, greeting, up
    }

    public var linkState: LinkState {
        switch link {
        case .down: isUnpaired ? .unpaired : .waiting
        case .connecting: .connecting
        case .greeting: .greeting
        case .up: .up
        }
    }

    /// When the next attempt to connect begins; nil when none is planned.
    public var nextAttemptAt: Instant? { deadlines[.reconnect] }

    /// Milliseconds of the last exchange with this hub; nil before the first.
    public var lastRoundTrip: Double? { roundTrips.last }

    /// The least of the last eight, milliseconds.
    public var leastRoundTrip: Double? { roundTrips.best?.milliseconds }

    /// Two clocks that run freely drift apart by so much at most: 100 ppm, 50 of a cheap crystal on either side.
    private static let driftBound = 100e-6

    /// How far the hub's idea of this puck's clock can be off at most, in milliseconds: half the best round trip, and what
    /// the clocks have drifted apart since. By the pings of this end; the hub's own, by which it decides, are as many.
    public func clockErrorMilliseconds(now: Instant) -> Double? {
        roundTrips.best.map { $0.milliseconds / 2 + max(0, (now - $0.takenAt).milliseconds) * Self.driftBound }
    }

    /// By how many steps wake words are doubted, 0…4: see `WakeDoubt`.
    public var wakeDoubt: Int { doubt.step }

    /// Who keeps the microphone closed: "person", "switch", "hub", with commas in between; empty when it is open.
    public var muteCauses: String {
        var text = mutedByPerson ? "person" : ""
        if mutedBySwitch { text += text.isEmpty ? "switch" : ",switch" }
        if mutedByHub { text += text.isEmpty ? "hub" : ",hub" }
        return text
    }
}

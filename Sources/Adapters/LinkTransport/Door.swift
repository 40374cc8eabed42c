import PuckBase

/// Who gets in when more come than the hub can serve. Nobody has proved anything at the door, so all that tells peers
/// apart is the address and what came from it before. No socket and no clock in here: numbers, addresses and times.
///
///     arrived ─ its first TLS message is there ─▶ spoken ─ a place is free ─▶ handshake ─ token ─▶ proved
///     each of them ─ it ends, or gives way to another ─▶ gone
///
/// A caller that has not spoken costs a descriptor and nothing else; so there is room for many, and the oldest silent
/// one gives way. A handshake costs a millisecond of arithmetic: its places are few, and handshakes that lead to nothing
/// are bounded by the second. Addresses that showed a token before go first at every step; among the others, those from
/// which the least came to nothing.
struct Door {
    enum Limits {
        /// TLS and HTTP handshakes at a time.
        static let handshakes = 64
        /// Of these, those of addresses that never showed a token.
        static let strangers = 48
        /// Handshakes begun without a token in the end, a second and at once. With a certificate of RSA 2048 they take a
        /// quarter of one core of a Raspberry Pi 4, with the hub's own (ECDSA) a twentieth.
        static let wastedPerSecond = 50
        static let wastedAtOnce = 64
        /// The same for one address that has shown a token: as many as a puck makes in the second after a cut.
        static let wastedPerSecondOfKnown = 2
        static let wastedAtOnceOfKnown = 10
        /// A handshake younger than this does not give way to one of an address with as many: a slow puck needs 0.5 s.
        static let graceNanoseconds: Int64 = 1_000_000_000
        /// Callers that have not begun a handshake, at least; as many as the hub has places for pucks if that is more, so
        /// that all of them can come at once.
        static let callers = 256
        /// After this a caller that has not spoken counts as silent: more than a round trip.
        static let silentNanoseconds: Int64 = 100_000_000
        /// Callers of one known address that go before those of unknown ones.
        static let callersOfKnown = 16
        /// Addresses that are remembered for one token.
        static let addressesOfIdentity = 4
        /// Of all tokens; past it all are forgotten. A hub has 1,024 tokens at most.
        static let knownAddresses = 8_192
    }

    struct Caller {
        let address: PeerAddress
        let isKnown: Bool
        let arrived: Int64
        var hasSpoken = false
    }

    private struct Handshake {
        let address: PeerAddress
        /// It was let in as one of an address that has shown a token.
        let isKnown: Bool
        let begun: Int64
    }

    private let capacity: Int
    private(set) var callers = AscendingTable<UInt32, Caller>()
    private var handshakes = AscendingTable<UInt32, Handshake>()
    private var strangers = 0
    private var spoken = 0
    private var wasted = WastedConnections()
    private var budget = Allowance(perSecond: Limits.wastedPerSecond, atOnce: Limits.wastedAtOnce)
    private var known: [PeerAddress: Allowance] = [:]
    private var addresses: [String: [PeerAddress]] = [:]

    /// - Parameter connections: pucks that the hub has places for.
    init(connections: Int) { capacity = max(Limits.callers, connections) }

    var handshakeCount: Int { handshakes.count }
    /// Whether a caller waits for a place or for its turn.
    var hasSpoken: Bool { spoken > 0 }

    /// Connections of the last minute, from this address and those that count with it, that came to nothing.
    func wasted(by address: PeerAddress, now: Int64) -> Int { wasted.count(of: address.group, now: now) }

    // MARK: Callers

    /// Somebody has connected.
    /// - Parameter number: greater than every earlier one.
    /// - Returns: who gives way for it; it may be the newcomer.
    mutating func arrived(_ number: UInt32, from address: PeerAddress, now: Int64) -> UInt32? {
        let isKnown =
            known[address] != nil
            && callers.values.count { $0.isKnown && $0.address == address } < Limits.callersOfKnown
        callers[number] = Caller(address: address, isKnown: isKnown, arrived: now)
        guard callers.count > capacity else { return nil }
        return turnAway(now: now)
    }

    /// Takes out the caller that the door can best do without: of an unknown address, of the one from which the most
    /// came to nothing, of the one with the most callers, silent for so long that it cannot be the way of its first
    /// message, and the oldest of these.
    mutating func turnAway(now: Int64) -> UInt32? {
        var ofGroup: [PeerAddress: Int] = [:]
        for caller in callers.values { ofGroup[caller.address.group, default: 0] += 1 }
        let isSpread = ofGroup.count == callers.count
        var worst: (position: Int, cost: (Int, Int, Int, Int))?
        for (i, caller) in callers.values.enumerated() {
            let group = caller.address.group
            let cost = (
                caller.isKnown ? 0 : 1, wasted.count(of: group, now: now), isSpread ? 1 : ofGroup[group]!,
                !caller.hasSpoken && now - caller.arrived >= Limits.silentNanoseconds ? 1 : 0
            )
            if worst.map({ cost > $0.cost }) ?? true { worst = (i, cost) }
        }
        guard let worst else { return nil }
        let number = callers.keys[worst.position]
        gone(number, now: now)
        return number
    }

    /// A caller's first TLS message is complete: a handshake can begin.
    mutating func spoke(_ number: UInt32) {
        guard let i = callers.position(of: number), !callers.values[i].hasSpoken else { return }
        callers.values[i].hasSpoken = true
        spoken += 1
    }

    // MARK: Handshakes

    /// The caller whose handshake may begin now, and the handshake that gives way to it. Nil when nobody waits, or when
    /// it is nobody's turn before `nextTurn`.
    mutating func next(now: Int64) -> (begins: UInt32, givesWay: UInt32?)? {
        guard spoken > 0 else { return nil }
        budget.refill(now: now)
        var underWay: [PeerAddress: Int] = [:]
        for handshake in handshakes.values where !handshake.isKnown {
            underWay[handshake.address.group, default: 0] += 1
        }
        var best: (position: Int, cost: (Int, Int))?
        for (i, caller) in callers.values.enumerated() where caller.hasSpoken {
            var cost = (0, 0)
            if !(caller.isKnown && mayBegin(known: caller.address, now: now)) {
                if !budget.hasAny { continue }
                // What is under way has proved nothing yet.
                let group = caller.address.group
                cost = (1, wasted.count(of: group, now: now) + (underWay[group] ?? 0))
            }
            if best.map({ cost < $0.cost }) ?? true { best = (i, cost) }
        }
        guard let best else { return nil }
        let number = callers.keys[best.position]
        let caller = callers.values[best.position]
        let isKnown = best.cost.0 == 0
        var giver: UInt32?
        if handshakes.count >= Limits.handshakes || (!isKnown && strangers >= Limits.strangers) {
            giver = whoGivesWay(to: caller.address, isKnown: isKnown, now: now)
            guard let giver else { return nil }
            end(giver, isWasted: true, now: now)
        }
        callers[number] = nil
        spoken -= 1
        handshakes[number] = Handshake(address: caller.address, isKnown: isKnown, begun: now)
        if isKnown { known[caller.address]?.take() } else { budget.take() }
        strangers += isKnown ? 0 : 1
        return (number, giver)
    }

    private mutating func mayBegin(known address: PeerAddress, now: Int64) -> Bool {
        guard let i = known.index(forKey: address) else { return false }
        known.values[i].refill(now: now)
        return known.values[i].hasAny
    }

    /// The oldest handshake of the unknown address that has the most, if it has two more than the newcomer's; else the
    /// oldest of all, once it has had its time. For a known address no unknown one is spared.
    private func whoGivesWay(to address: PeerAddress, isKnown: Bool, now: Int64) -> UInt32? {
        let pool = isKnown && strangers == 0
        var ofGroup: [PeerAddress: Int] = [:]
        for handshake in handshakes.values where handshake.isKnown == pool {
            ofGroup[handshake.address.group, default: 0] += 1
        }
        var (most, oldest): (position: Int?, Int?) = (nil, nil)
        for (i, handshake) in handshakes.values.enumerated() where handshake.isKnown == pool {
            // In order of their numbers, which is nearly that of their beginning.
            if oldest.map({ handshake.begun < handshakes.values[$0].begun }) ?? true { oldest = i }
            let count = ofGroup[handshake.address.group]!
            if most.map({ count > ofGroup[handshakes.values[$0].address.group]! }) ?? true { most = i }
        }
        guard let most, let oldest else { return nil }
        let own = ofGroup[address.group] ?? 0
        if (isKnown && !pool) || ofGroup[handshakes.values[most].address.group]! >= own + 2 {
            return handshakes.keys[most]
        }
        return now - handshakes.values[oldest].begun >= Limits.graceNanoseconds ? handshakes.keys[oldest] : nil
    }

    /// When `next` may have another answer although nothing has happened; nil while nobody waits.
    func nextTurn(now: Int64) -> Int64? {
        guard spoken > 0 else { return nil }
        if !budget.hasAny { return budget.nextAt }
        let begun = handshakes.values.lazy.filter { !$0.isKnown }.map { $0.begun }.min()
        return begun.map { max($0 + Limits.graceNanoseconds, now + 1_000_000) }
    }

    /// A connection showed a token: its handshake cost nobody anything.
    /// - Parameter isWelcome: false when this token comes too often; it is then charged as if it had shown none.
    mutating func proved(_ number: UInt32, identity: String, isWelcome: Bool, now: Int64) {
        guard let handshake = handshakes[number] else { return }
        if isWelcome {
            remember(handshake.address, of: identity, now: now)
            if handshake.isKnown { known[handshake.address]?.giveBack() } else { budget.giveBack() }
        }
        end(number, isWasted: !isWelcome, now: now)
    }

    /// A caller or a handshake has ended without a token. Nothing for others.
    mutating func gone(_ number: UInt32, now: Int64) {
        if let i = callers.position(of: number) {
            let caller = callers.values[i]
            spoken -= caller.hasSpoken ? 1 : 0
            callers[number] = nil
            if !caller.isKnown { wasted.add(caller.address.group, now: now) }
        } else {
            end(number, isWasted: true, now: now)
        }
    }

    private mutating func end(_ number: UInt32, isWasted: Bool, now: Int64) {
        guard let handshake = handshakes[number] else { return }
        handshakes[number] = nil
        strangers -= handshake.isKnown ? 0 : 1
        if isWasted { wasted.add(handshake.address.group, now: now) }
    }

    private mutating func remember(_ address: PeerAddress, of identity: String, now: Int64) {
        if known.count >= Limits.knownAddresses {
            known = [:]
            addresses = [:]
        }
        var own = addresses[identity] ?? []
        if own.last != address {
            own.removeAll { $0 == address }
            own.append(address)
            if own.count > Limits.addressesOfIdentity { known[own.removeFirst()] = nil }
            addresses[identity] = own
        }
        if known[address] == nil {
            known[address] = Allowance(
                perSecond: Limits.wastedPerSecondOfKnown, atOnce: Limits.wastedAtOnceOfKnown, now: now)
        }
    }
}

/// So many of something a second, and so many at once (a token bucket).
struct Allowance: Equatable {
    private let interval: Int64
    private let atOnce: Int
    private var left: Int
    private var filledAt: Int64

    init(perSecond: Int, atOnce: Int, now: Int64 = 0) {
        interval = 1_000_000_000 / Int64(perSecond)
        self.atOnce = atOnce
        left = atOnce
        filledAt = now
    }

    var hasAny: Bool { left > 0 }
    /// When there is one more, in nanoseconds.
    var nextAt: Int64 { filledAt + interval }

    mutating func refill(now: Int64) {
        let more = max(0, now - filledAt) / interval
        guard more > 0 else { return }
        left = Int(min(Int64(atOnce), Int64(left) + more))
        filledAt = left == atOnce ? now : filledAt + more * interval
    }

    mutating func take(_ count: Int = 1) { left -= count }
    mutating func giveBack() { left = min(atOnce, left + 1) }
}

/// How many connections of an address came to nothing of late. Two tables that take turns, so that it forgets in 30 to
/// 60 s and stays bounded.
struct WastedConnections {
    /// Of one table.
    static let capacity = 2_048
    static let turnNanoseconds: Int64 = 30_000_000_000

    private var current: [PeerAddress: Int] = [:]
    private var previous: [PeerAddress: Int] = [:]
    private var turned: Int64 = 0

    /// Addresses in both tables.
    var addressCount: Int { current.count + previous.count }

    func count(of group: PeerAddress, now: Int64) -> Int {
        let age = now - turned
        if age >= 2 * Self.turnNanoseconds { return 0 }
        return (current[group] ?? 0) + (age < Self.turnNanoseconds ? previous[group] ?? 0 : 0)
    }

    mutating func add(_ group: PeerAddress, now: Int64) {
        if now - turned >= Self.turnNanoseconds || current.count >= Self.capacity {
            previous = now - turned >= 2 * Self.turnNanoseconds ? [:] : current
            current = [:]
            turned = now
        }
        current[group, default: 0] += 1
    }
}

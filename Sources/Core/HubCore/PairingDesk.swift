import PuckBase

/// Who may be paired, for how long, and how often somebody may be wrong. Holds no secret and computes none: what is
/// compared is the interpreter's business, this counts.
///
///     offer ─ paired ─────────────────────────▶ gone
///           ─ 10 minutes ─────────────────────▶ gone
///           ─ another offer, `wrongCodes` ────▶ its code is dead, its line lives on
public struct PairingDesk: Sendable {
    /// What `puckhub pair NAME` opened.
    public struct Offer: Equatable, Sendable {
        public let number: UInt32
        public let puckID: String
        public let room: String?
        public let ends: Instant
        /// Wrong codes that it still bears; at 0 the code is dead.
        public fileprivate(set) var guessesLeft: Int
    }

    public enum Limits {
        /// How long a code and a line live.
        public static let lifetime = Interval.seconds(600)
        /// Offers at a time; the oldest gives way.
        public static let offers = 8
        /// Wrong codes in all that an offer bears. An attacker's chance is 5 in 10^8.
        public static let wrongCodes = 5
        /// Wrong codes of one address within `lifetime`, after which no code of it is listened to; fewer than
        /// `wrongCodes`, so that one machine alone cannot end a code. A join line is not barred by them: its 128 bits are
        /// not guessed.
        public static let wrongOfOneAddress = 3
        /// Begun attempts in all and of one address, within a minute: each costs the hub three exponentiations.
        public static let beginsPerMinute = 30
        public static let beginsPerMinuteOfOneAddress = 6
        /// Addresses that are remembered; past them the oldest is forgotten.
        public static let addresses = 64
    }

    /// Why somebody is turned away.
    public enum Refusal: Error, Equatable, Sendable {
        case nothingIsOpen, tooManyWrong, tooMany
    }

    private struct Address: Sendable {
        let name: String
        var wrong: [Instant] = []
        var begun: [Instant] = []
    }

    private var offers: [Offer] = []
    /// The only offer whose code may be tried.
    private var codeOffer: UInt32?
    private var addresses: [Address] = []
    private var begun: [Instant] = []
    private var lastNumber: UInt32 = 0

    public init() {}

    /// Opens an offer. Earlier ones for the same puck end, and the code of every earlier one: there is one at a time, so
    /// that nobody has to say which of them he means. What was wrong before is forgiven: whoever opens an offer is the
    /// owner, and the new code bears its own five.
    /// - Returns: the new offer, and the numbers of those that are gone.
    public mutating func open(puckID: String, room: String?, now: Instant) -> (offer: Offer, gone: [UInt32]) {
        var gone = expire(now: now)
        gone += offers.filter { $0.puckID == puckID }.map { $0.number }
        offers.removeAll { $0.puckID == puckID }
        if offers.count == Limits.offers { gone.append(offers.removeFirst().number) }
        lastNumber &+= 1
        let offer = Offer(
            number: lastNumber, puckID: puckID, room: room, ends: now + Limits.lifetime,
            guessesLeft: Limits.wrongCodes)
        offers.append(offer)
        codeOffer = offer.number
        for index in addresses.indices { addresses[index].wrong = [] }
        return (offer, gone)
    }

    /// Takes out what has expired. - Returns: the numbers.
    public mutating func expire(now: Instant) -> [UInt32] {
        let gone = offers.filter { $0.ends <= now }.map { $0.number }
        offers.removeAll { $0.ends <= now }
        return gone
    }

    public var isOpen: Bool { !offers.isEmpty }

    public func offer(_ number: UInt32) -> Offer? { offers.first { $0.number == number } }

    /// Whether anybody is listened to at all.
    public func admit(now: Instant) throws(Refusal) {
        guard offers.contains(where: { $0.ends > now }) else { throw .nothingIsOpen }
    }

    /// Somebody begins to prove that he knows the code.
    /// - Parameters:
    ///   - address: what counts as one peer: an IPv4 address, an IPv6 prefix of 64 bits.
    ///   - now: expired offers and old attempts do not count.
    /// - Returns: the offer that it is tried for.
    public mutating func begin(from address: String, now: Instant) throws(Refusal) -> Offer {
        try admit(now: now)
        let known = place(of: address)
        addresses[known].wrong.removeAll { now - $0 > Limits.lifetime }
        guard addresses[known].wrong.count < Limits.wrongOfOneAddress else { throw .tooManyWrong }
        guard let number = codeOffer, let offer = offer(number), offer.ends > now, offer.guessesLeft > 0 else {
            throw .nothingIsOpen
        }
        let minute = Interval.seconds(60)
        begun.removeAll { now - $0 > minute }
        addresses[known].begun.removeAll { now - $0 > minute }
        guard begun.count < Limits.beginsPerMinute,
            addresses[known].begun.count < Limits.beginsPerMinuteOfOneAddress
        else { throw .tooMany }
        begun.append(now)
        addresses[known].begun.append(now)
        return offer
    }

    /// Whether a proof for this offer still counts: it may have ended, or borne all its wrong codes, since it was begun.
    public func mayProve(_ number: UInt32, now: Instant) -> Bool {
        guard number == codeOffer, let offer = offer(number) else { return false }
        return offer.ends > now && offer.guessesLeft > 0
    }

    /// A wrong code.
    public mutating func wrong(_ number: UInt32, from address: String, now: Instant) {
        addresses[place(of: address)].wrong.append(now)
        guard let index = offers.firstIndex(where: { $0.number == number }) else { return }
        offers[index].guessesLeft = max(0, offers[index].guessesLeft - 1)
    }

    /// A puck was paired by it: it is used.
    public mutating func close(_ number: UInt32) {
        offers.removeAll { $0.number == number }
        if codeOffer == number { codeOffer = nil }
    }

    private mutating func place(of address: String) -> Int {
        if let known = addresses.firstIndex(where: { $0.name == address }) { return known }
        if addresses.count == Limits.addresses { addresses.removeFirst() }
        addresses.append(Address(name: address))
        return addresses.count - 1
    }
}

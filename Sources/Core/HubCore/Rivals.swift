import PuckBase
import PuckWire

/// Two pucks with one id and one token: somebody copied a card. A new connection replaces the old one, so that a half-open
/// socket locks no puck out; two pucks would replace each other for ever.
///
/// A device that was replaced and comes back while the one that replaced it is alive is refused. It is told apart from a
/// puck that merely reconnects by `Hello.instance`. Where a hello has none, by the address; since one puck that roams has
/// several, it takes three replacements within a minute.
struct Rivals: Sendable {
    struct Device: Sendable {
        var instance: UInt32?
        var peer: String

        func isSame(as other: Device) -> Bool {
            if let instance, let theirs = other.instance { return instance == theirs }
            return peer == other.peer
        }
    }

    private struct Replaced: Sendable {
        var device: Device
        /// Since the last pause of a minute.
        var count: Int
        /// Of the last replacement, or refusal.
        var at: Instant
    }

    /// A puck in good order pings every 5 s.
    static let aliveFor = Interval.seconds(6)
    /// Twice the longest pause of a puck that was refused.
    static let rememberedFor = Interval.seconds(600)
    static let mostRemembered = 4
    static let roamingWindow = Interval.seconds(60)
    static let roamingLimit = 3

    private var replaced: [Replaced] = []
    /// The last refusal: who stays, and who was refused.
    private(set) var conflict: (holder: String, refused: String, at: Instant)?
    private var warnedAt: Instant?

    mutating func replace(_ device: Device, now: Instant) {
        var entry = Replaced(device: device, count: 1, at: now)
        if let i = replaced.firstIndex(where: { $0.device.isSame(as: device) }) {
            if now - replaced[i].at <= Self.roamingWindow { entry.count = replaced[i].count + 1 }
            replaced.remove(at: i)
        }
        replaced.append(entry)
        if replaced.count > Self.mostRemembered { replaced.removeFirst() }
    }

    /// Whether `device` is to leave the place to `holder`, who is alive.
    mutating func refuses(_ device: Device, holder: Device, now: Instant) -> Bool {
        if device.isSame(as: holder) { return false }
        replaced.removeAll { now - $0.at > Self.rememberedFor }
        guard let i = replaced.firstIndex(where: { $0.device.isSame(as: device) }) else { return false }
        let isCertain = device.instance != nil && holder.instance != nil
        guard isCertain || replaced[i].count >= Self.roamingLimit else { return false }
        replaced[i].at = now
        conflict = (holder.peer, device.peer, now)
        return true
    }

    /// Whether the conflict is to be logged: at first, and then every ten minutes.
    mutating func takeWarning(now: Instant) -> Bool {
        if let warnedAt, now - warnedAt < Self.rememberedFor { return false }
        warnedAt = now
        return true
    }
}

extension Hub {
    /// Pucks whose id and token two devices use, in alphabetical order: who is connected, and who was refused, within the
    /// last ten minutes.
    public func duplicates(now: Instant) -> [(puckID: String, holder: String, refused: String)] {
        rivals.keys.sorted().compactMap { name in
            guard let conflict = rivals[name]?.conflict, now - conflict.at <= Rivals.rememberedFor else { return nil }
            return (name, conflict.holder, conflict.refused)
        }
    }

    /// - Throws: DUPLICATE when another device with this id keeps its place.
    mutating func refuseDuplicate(
        at i: Int, _ hello: Hello, now: Instant, into effects: inout [HubEffect]
    ) throws(WireError) {
        let name = sessions.values[i].tokenName
        guard !hello.isProbe, hello.puckID == name, rivals[name] != nil, let other = pucks[name]?.connection,
            let holder = device(of: other), let heardAt = sessions[other]?.heardAt, now - heardAt <= Rivals.aliveFor
        else { return }
        let device = Rivals.Device(instance: hello.instance, peer: sessions.values[i].peer)
        guard rivals[name]!.refuses(device, holder: holder, now: now) else { return }
        let place = holder.peer.isEmpty ? "elsewhere" : "from \(holder.peer)"
        if rivals[name]!.takeWarning(now: now) {
            effects.append(
                .log(
                    LogRecord(
                        .warning, "puck.duplicate",
                        [
                            LogField("puck", name), LogField("connected_from", holder.peer),
                            LogField("refused_from", device.peer),
                            LogField(
                                "advice",
                                "two pucks have this id and token: pair one of them anew "
                                    + "('puckhub pair OTHERNAME', 'puckctl join --force')"),
                        ])))
        }
        throw WireError(
            .duplicate,
            "another puck with the same id and token is connected \(place): pair this one anew "
                + "('puckhub pair NAME' on the hub, 'sudo puckctl join --force CODE' here)")
    }

    /// A device gives way to another one.
    mutating func noteReplaced(_ old: ConnectionID, by i: Int, _ hello: Hello, now: Instant) {
        let newcomer = Rivals.Device(instance: hello.instance, peer: sessions.values[i].peer)
        guard let device = device(of: old), !device.isSame(as: newcomer) else { return }
        rivals[hello.puckID, default: Rivals()].replace(device, now: now)
    }

    private func device(of id: ConnectionID) -> Rivals.Device? {
        guard let session = sessions[id], let live = session.live else { return nil }
        return Rivals.Device(instance: live.hello.instance, peer: session.peer)
    }
}

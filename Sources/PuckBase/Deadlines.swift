/// One machine's deadlines, one for each case of an enumeration: setting a deadline replaces it, and the earliest is
/// what the machine reports as its `nextDeadline`.
public struct Deadlines<Key: CaseIterable & Hashable & Sendable>: Sendable where Key: RawRepresentable<Int> {
    private var due: [Instant?]

    public init() { due = [Instant?](repeating: nil, count: Key.allCases.count) }

    public subscript(key: Key) -> Instant? {
        get { due[key.rawValue] }
        set { due[key.rawValue] = newValue }
    }

    public mutating func clear(_ key: Key) { due[key.rawValue] = nil }

    public mutating func clearAll() {
        for i in due.indices { due[i] = nil }
    }

    /// The earliest deadline, or nil when nothing is waited for.
    public var next: Instant? {
        var earliest: Instant?
        for case let instant? in due where earliest.map({ instant < $0 }) ?? true { earliest = instant }
        return earliest
    }

    /// Takes out one deadline that has come, the earliest first; nil when none has.
    public mutating func takeExpired(at now: Instant) -> Key? {
        // Over numbers, not keys: a list of all cases would be allocated for each event of every machine.
        var found: Int?
        var earliest = now
        for i in due.indices {
            if let instant = due[i], instant <= earliest, found == nil || instant < earliest {
                found = i
                earliest = instant
            }
        }
        guard let found else { return nil }
        due[found] = nil
        return Key(rawValue: found)
    }
}

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
        var found: Key?
        var earliest = now
        for key in Key.allCases {
            if let instant = due[key.rawValue], instant <= earliest, found == nil || instant < earliest {
                found = key
                earliest = instant
            }
        }
        if let found { due[found.rawValue] = nil }
        return found
    }
}

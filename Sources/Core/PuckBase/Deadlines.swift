/// One machine's deadlines, one for each case of an enumeration: setting a deadline replaces it, and the earliest is
/// what the machine reports as its `nextDeadline`. Asked at every step of every machine, so the earliest is kept.
public struct Deadlines<Key: CaseIterable & Hashable & Sendable>: Sendable where Key: RawRepresentable<Int> {
    @usableFromInline var due: [Instant?]
    @usableFromInline var soonest: Instant?

    @inlinable
    public init() { due = [Instant?](repeating: nil, count: Key.allCases.count) }

    /// The earliest deadline, or nil when nothing is waited for.
    @inlinable
    public var next: Instant? { soonest }

    @inlinable
    public subscript(key: Key) -> Instant? {
        get { due[key.rawValue] }
        set {
            let old = due[key.rawValue]
            due[key.rawValue] = newValue
            if let newValue, soonest.map({ newValue <= $0 }) ?? true {
                soonest = newValue
            } else if let old, old == soonest {
                soonest = earliest()
            }
        }
    }

    @inlinable
    public mutating func clear(_ key: Key) { self[key] = nil }

    @inlinable
    public mutating func clearAll() {
        for i in due.indices { due[i] = nil }
        soonest = nil
    }

    /// Takes out one deadline that has come, the earliest first; nil when none has.
    @inlinable
    public mutating func takeExpired(at now: Instant) -> Key? {
        guard let soonest, soonest <= now, let i = due.firstIndex(of: soonest) else { return nil }
        due[i] = nil
        self.soonest = earliest()
        return Key(rawValue: i)
    }

    @inlinable
    func earliest() -> Instant? {
        var earliest: Instant?
        for i in due.indices {
            if let instant = due[i], earliest.map({ instant < $0 }) ?? true { earliest = instant }
        }
        return earliest
    }
}

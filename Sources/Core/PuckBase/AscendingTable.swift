/// Values by keys that mostly come in ascending order, as numbers that are counted up: a new one then goes to the end, and
/// one among a thousand is found in ten steps through keys that lie together. Hashing costs four times as much, and the
/// hub looks for a connection several times for each message. Adding elsewhere and removing move what lies behind.
public struct AscendingTable<Key: Comparable, Value> {
    @usableFromInline var ascending: [Key] = []
    /// As `keys`. Here a value is looked at and changed in its place, where a copy is dear; its number stays.
    public var values: [Value] = []

    @inlinable
    public init() {}

    /// In ascending order.
    @inlinable
    public var keys: [Key] { ascending }

    @inlinable
    public var count: Int { ascending.count }

    @inlinable
    public var isEmpty: Bool { ascending.isEmpty }

    /// Where a key's value stands, until the next one is added or removed.
    @inlinable
    public func position(of key: Key) -> Int? {
        let i = firstPosition(notBefore: key)
        return i < ascending.count && ascending[i] == key ? i : nil
    }

    /// A copy of the value; nil removes it.
    @inlinable
    public subscript(key: Key) -> Value? {
        get { position(of: key).map { values[$0] } }
        set {
            let i = firstPosition(notBefore: key)
            let isThere = i < ascending.count && ascending[i] == key
            switch (newValue, isThere) {
            case (let value?, true): values[i] = value
            case (let value?, false):
                ascending.insert(key, at: i)
                values.insert(value, at: i)
            case (nil, true):
                ascending.remove(at: i)
                values.remove(at: i)
            case (nil, false): break
            }
        }
    }

    @inlinable
    func firstPosition(notBefore key: Key) -> Int {
        var (low, high) = (0, ascending.count)
        while low < high {
            let middle = (low + high) / 2
            if ascending[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension AscendingTable: Sendable where Key: Sendable, Value: Sendable {}

/// A first-in first-out queue that never holds more than `capacity` elements and never allocates after `init`.
/// What happens when it is full is the caller's choice, said at the call: `append` refuses, `appendDroppingOldest`
/// gives back what fell out.
public struct BoundedQueue<Element> {
    private var slots: [Element?]
    private var head = 0
    public private(set) var count = 0

    /// - Parameter capacity: at least 1.
    public init(capacity: Int) {
        precondition(capacity > 0, "a queue needs room for one element")
        slots = [Element?](repeating: nil, count: capacity)
    }

    public var capacity: Int { slots.count }
    public var isEmpty: Bool { count == 0 }
    public var isFull: Bool { count == slots.count }
    public var first: Element? { count == 0 ? nil : slots[head] }

    /// The element `offset` places behind the oldest.
    public subscript(offset: Int) -> Element {
        get {
            precondition(offset >= 0 && offset < count, "queue offset out of range")
            return slots[(head + offset) % slots.count]!
        }
        set {
            precondition(offset >= 0 && offset < count, "queue offset out of range")
            slots[(head + offset) % slots.count] = newValue
        }
    }

    /// False, and nothing changed, when the queue is full.
    @discardableResult
    public mutating func append(_ element: Element) -> Bool {
        if isFull { return false }
        slots[(head + count) % slots.count] = element
        count += 1
        return true
    }

    /// Makes room by dropping the oldest element, which is returned.
    @discardableResult
    public mutating func appendDroppingOldest(_ element: Element) -> Element? {
        let dropped = isFull ? popFirst() : nil
        append(element)
        return dropped
    }

    @discardableResult
    public mutating func popFirst() -> Element? {
        if count == 0 { return nil }
        let element = slots[head]
        slots[head] = nil
        head = (head + 1) % slots.count
        count -= 1
        return element
    }

    public mutating func removeAll() {
        while popFirst() != nil {}
    }
}

extension BoundedQueue: Sendable where Element: Sendable {}

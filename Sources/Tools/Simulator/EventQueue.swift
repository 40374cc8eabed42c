import PuckBase

/// What the house has scheduled for itself. `subject` and `number` mean what the kind says.
struct ScheduledEvent {
    enum Kind: UInt8 {
        /// subject: puck.
        case puckStarts, puckThaws, puckTimer, captureReturns, playbackReturns, networkChanged
        /// subject: puck, number: life of the process.
        case hubSearchEnds
        /// subject: puck, number: of the recording, or of the play.
        case microphone, loudspeaker
        /// subject: puck, number: of the opening.
        case socketClosed
        /// subject: connection.
        case deliverUp, deliverDown
        /// subject: connection, number: step.
        case connect
        case hubStarts, hubThaws, hubTimer, diskClears, storageCheck
        /// subject: answer.
        case responder
        /// subject: place in the scenario's list.
        case fault, act
        /// subject: act, number: place among its hearers.
        case wake
        /// subject: puck, number: ordinal of the fault.
        case driftEnds, copyEnds
        case healing, inspection
        /// subject: puck, number: attempt.
        case probe, probeCheck
    }

    var at: Instant
    var order: UInt64
    var kind: Kind
    var subject: Int32
    var number: Int32

    static func isBefore(_ a: ScheduledEvent, _ b: ScheduledEvent) -> Bool {
        a.at != b.at ? a.at < b.at : a.order < b.order
    }
}

/// A binary heap: earliest first; what is due at the same nanosecond comes in the order in which it was scheduled.
struct EventQueue {
    private var heap: [ScheduledEvent] = []
    private var scheduled: UInt64 = 0

    var isEmpty: Bool { heap.isEmpty }
    var count: Int { heap.count }

    mutating func schedule(_ kind: ScheduledEvent.Kind, at: Instant, subject: Int = 0, number: Int = 0) {
        scheduled += 1
        heap.append(
            ScheduledEvent(
                at: at, order: scheduled, kind: kind, subject: Int32(truncatingIfNeeded: subject),
                number: Int32(truncatingIfNeeded: number)))
        var i = heap.count - 1
        let event = heap[i]
        while i > 0 {
            let parent = (i - 1) / 2
            if !ScheduledEvent.isBefore(event, heap[parent]) { break }
            heap[i] = heap[parent]
            i = parent
        }
        heap[i] = event
    }

    mutating func popFirst() -> ScheduledEvent? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        let count = heap.count
        if count == 0 { return first }
        var i = 0
        while true {
            var child = 2 * i + 1
            if child >= count { break }
            if child + 1 < count, ScheduledEvent.isBefore(heap[child + 1], heap[child]) { child += 1 }
            if !ScheduledEvent.isBefore(heap[child], last) { break }
            heap[i] = heap[child]
            i = child
        }
        heap[i] = last
        return first
    }
}

/// A first-in first-out queue that grows.
struct Line<Element> {
    private var slots: [Element?] = []
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    var first: Element? { count == 0 ? nil : slots[head] }

    subscript(offset: Int) -> Element { slots[(head + offset) & (slots.count - 1)]! }

    mutating func append(_ element: Element) {
        if count == slots.count { grow() }
        slots[(head + count) & (slots.count - 1)] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        if count == 0 { return nil }
        let element = slots[head].take()
        head = (head + 1) & (slots.count - 1)
        count -= 1
        return element
    }

    mutating func removeLast() {
        count -= 1
        slots[(head + count) & (slots.count - 1)] = nil
    }

    mutating func removeAll() { while popFirst() != nil {} }

    /// To the next power of two, so that the place of an element is a mask away.
    private mutating func grow() {
        var larger = [Element?](repeating: nil, count: max(8, slots.count * 2))
        for i in 0..<count { larger[i] = slots[(head + i) & (slots.count - 1)].take() }
        slots = larger
        head = 0
    }
}

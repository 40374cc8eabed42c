import PuckBase

// What a person does with a button and a mute switch, out of the edges of their lines. Contacts bounce, edges come late
// or not at all, and lines go away; all of that ends here.

/// What happened to a line. "Active" is pressed, or muted.
public enum LineEvent: Equatable, Sendable {
    /// The line can be read, for the first time or again.
    case opened(isActive: Bool)
    /// The level changed at that time, which may be a little while ago; edges come in their order.
    case edge(isActive: Bool, at: Instant)
    /// The level as it is now; read at each `nextDeadline`, after all edges. The kernel finds out an edge's direction some time after
    /// the edge and keeps 16 of them, so that what the last edge said need not be where the line is.
    case levelRead(isActive: Bool)
    /// The line cannot be read any more.
    case lost
}

/// A level without its bounces: a change counts once it has lasted.
struct Debounce: Equatable, Sendable {
    /// How long a change must last. Switches bounce for 1 to 5 ms, old ones for 10; nobody presses for less than 40.
    static let settles = Interval.milliseconds(20)

    /// `Self.settles`, or what this switch needs.
    let settles: Interval
    private(set) var level: Bool
    /// Since when the line has been at the other level.
    private(set) var changedAt: Instant?

    init(_ level: Bool, settles: Interval) {
        self.level = level
        self.settles = settles
    }

    var deadline: Instant? { changedAt.map { $0 + settles } }

    /// The line was seen at a level.
    mutating func observe(_ seen: Bool, at time: Instant) {
        // The same level again: an edge between was lost, and the wait begins anew.
        changedAt = seen == level ? nil : time
    }

    /// Takes the change over when it has lasted until `now`; returns the moment at which it began.
    mutating func settle(at now: Instant) -> Instant? {
        guard let changedAt, changedAt + settles <= now else { return nil }
        level.toggle()
        self.changedAt = nil
        return changedAt
    }
}

/// A push button: edges in, presses out.
///
///     unknown ─opened▶ up ─20 ms active▶ down ─20 ms inactive▶ up: a short press
///                                          └─800 ms▶ a long press ─20 ms inactive▶ up: its end
///                                                          └─5 s▶ held: a very long press ─20 ms inactive▶ up
///
/// A button that is down when its line is opened is `held`: nobody has pressed it, something lies on it.
public struct Button: Equatable, Sendable {
    public enum Press: String, Equatable, Sendable {
        /// Reported when it ends.
        case short
        /// Reported while the button is still down; `longEnd` or `veryLong` follows, unless the line is lost.
        case long
        /// A long press ended, and has not become a very long one.
        case longEnd = "long_end"
        /// Reported while the button is still down, after `long`.
        case veryLong = "very_long"
    }

    /// A press of so long is a long one. People take 0.1 to 0.4 s for a press that is meant short.
    public static let longPress = Interval.milliseconds(800)
    /// A press of so long is a very long one: nobody leans on a button for 5 s without meaning it, and it is what people
    /// know from the pairing of headphones and lamps.
    public static let veryLongPress = Interval.seconds(5)

    private var line: Debounce?
    /// Since when the button has been down, as long as that press can still become something.
    private var downSince: Instant?
    /// The press that goes on has been reported as a long one.
    private var isLong = false
    private let longPress: Interval
    private let veryLongPress: Interval
    private let settles: Interval

    /// - Parameters:
    ///   - longPress: more than `settles`.
    ///   - veryLongPress: more than `longPress`.
    ///   - settles: how long a change must last to count; nil for 20 ms.
    public init(
        longPress: Interval = Self.longPress, veryLongPress: Interval = Self.veryLongPress, settles: Interval? = nil
    ) {
        self.longPress = longPress
        self.veryLongPress = veryLongPress
        self.settles = settles ?? Debounce.settles
    }

    /// When the level is to be read again.
    public var nextDeadline: Instant? {
        guard let line else { return nil }
        // A release that has begun decides first: until it has settled, nobody knows how long the press was.
        return line.deadline ?? downSince.map { $0 + (isLong ? veryLongPress : longPress) }
    }

    public mutating func step(_ event: LineEvent, now: Instant, into presses: inout [Press]) {
        switch event {
        case .opened(let isActive):
            line = Debounce(isActive, settles: settles)
            downSince = nil
        case .edge(let isActive, let time):
            // What had settled before this edge comes first, however late the edge is heard of. Not what would have until
            // now: the next edge, which ends it, may wait behind this one.
            advance(to: time, &presses)
            line?.observe(isActive, at: time)
        case .levelRead(let isActive):
            if let line, isActive != (line.changedAt == nil ? line.level : !line.level) {
                self.line?.observe(isActive, at: now)
            }
            advance(to: now, &presses)
        case .lost:
            line = nil
            downSince = nil
        }
    }

    private mutating func advance(to now: Instant, _ presses: inout [Press]) {
        if let changed = line?.settle(at: now) {
            if line?.level == true {
                downSince = changed
                isLong = false
            } else if let began = downSince {
                report(lasting: changed - began, &presses)
                if downSince != nil { presses.append(isLong ? .longEnd : .short) }
                downSince = nil
            }
        }
        guard let began = downSince, line?.changedAt == nil else { return }
        report(lasting: now - began, &presses)
    }

    /// The press has lasted so long, at least.
    private mutating func report(lasting time: Interval, _ presses: inout [Press]) {
        if time >= longPress, !isLong {
            isLong = true
            presses.append(.long)
        }
        if time >= veryLongPress {
            downSince = nil
            presses.append(.veryLong)
        }
    }
}

/// A switch that closes the microphone. Muting is believed at the first touch, unmuting only once it has lasted; and a
/// switch that cannot be read mutes, since nobody can know that it does not.
public struct MuteSwitch: Equatable, Sendable {
    private var line: Debounce?
    private let settles: Interval

    /// - Parameter settles: how long an unmuting must last to count; nil for 20 ms.
    public init(settles: Interval? = nil) { self.settles = settles ?? Debounce.settles }

    public var isMuted: Bool { line?.level ?? true }

    /// False when `isMuted` is mere caution.
    public var isReadable: Bool { line != nil }

    /// When the level is to be read again.
    public var nextDeadline: Instant? { line?.deadline }

    public mutating func step(_ event: LineEvent, now: Instant) {
        switch event {
        case .opened(let isActive): line = Debounce(isActive, settles: settles)
        case .edge(let isActive, let time):
            _ = line?.settle(at: time)
            see(isActive, at: time)
        case .levelRead(let isActive):
            // Seen before: that it still is so must not begin the wait anew.
            if isActive || line?.changedAt == nil { see(isActive, at: now) }
            _ = line?.settle(at: now)
        case .lost: line = nil
        }
    }

    private mutating func see(_ isActive: Bool, at time: Instant) {
        if line == nil { return }
        if isActive { line = Debounce(true, settles: settles) } else { line?.observe(false, at: time) }
    }
}

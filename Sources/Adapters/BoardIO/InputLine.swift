import CGPIOD
import PuckBase

/// A GPIO line that is watched for both edges. Given back when it goes out of scope.
///
/// Thread: one at a time. Nothing here waits.
public struct InputLine: ~Copyable {
    /// Readable while edges wait; in error and hung up when the chip is gone. The line's own: do not close it.
    public let descriptor: Int32
    /// "line 17 ('GPIO17') of 'pinctrl-bcm2711'".
    public let place: String
    private let line: OpaquePointer

    /// Finds the chip and takes the line.
    public static func open(_ request: LineRequest) throws(LineError) -> InputLine {
        let (place, line) = try Chip.take(request, for: .watching)
        return InputLine(descriptor: puck_gpio_descriptor(line), place: place, line: line)
    }

    private init(descriptor: Int32, place: String, line: OpaquePointer) {
        self.descriptor = descriptor
        self.place = place
        self.line = line
    }

    deinit { puck_gpio_release(line) }

    /// Whether the line is active now.
    public func isActive() throws(LineError) -> Bool {
        let level = puck_gpio_level(line)
        if level < 0 { throw .using(place, "reading its level", result: level) }
        return level > 0
    }

    /// Takes the edges that wait, oldest first: at most 16, as many as the kernel keeps. The descriptor stays readable
    /// when more came meanwhile.
    public func readEdges() throws(LineError) -> [Edge] {
        var edges: [Edge] = []
        var failure: Int32 = 0
        withUnsafeTemporaryAllocation(of: puck_gpio_edge.self, capacity: Int(PUCK_GPIO_EDGES)) { buffer in
            let count = puck_gpio_read(line, buffer.baseAddress!)
            failure = min(count, 0)
            for index in 0..<max(0, Int(count)) {
                edges.append(
                    Edge(isActive: buffer[index].is_active, time: Instant(nanoseconds: buffer[index].nanoseconds)))
            }
        }
        if failure < 0 { throw .using(place, "reading its edges", result: failure) }
        return edges
    }

    /// What a descriptor means that is in error or hung up.
    public func lost() -> LineError { .gone(place, errno: 0) }
}

import ALSADevice
import PuckBase

/// How often a sound device has failed since the start, by kind: each time that it was given up, and each attempt to
/// open it that failed.
struct DeviceFaultCounts {
    private var counts = [Int](repeating: 0, count: DeviceError.Code.allCases.count)
    /// It was given up, and has not worked since.
    private(set) var isDown = false

    private var said = Complaint.attempts
    /// Cards of one make, as last warned of.
    var twins = Complaint.once

    /// What was said when it was given up, with what to do; empty while it works.
    private(set) var complaint = ""
    /// Of a complaint, so that a status with two of them is one datagram.
    private static let longestComplaintBytes = 600

    /// - Parameter kind: the raw value of a `DeviceError.Code`, as the audio threads post it.
    mutating func failed(_ kind: Int64) {
        counts[Int(kind)] += 1
        isDown = true
    }

    /// - Returns: how many equal lines were left out before this one, when it is to be said.
    mutating func complain(_ error: DeviceError, now: Instant) -> Int? {
        complaint = String(decoding: error.message.utf8.prefix(Self.longestComplaintBytes), as: UTF8.self)
        return said.take(error.context, now: now)
    }

    /// - Returns: whether it was down before.
    mutating func works() -> Bool {
        defer {
            isDown = false
            complaint = ""
            said.end()
        }
        return isDown
    }

    /// For the status.
    var word: String { isDown ? "down" : "ok" }

    /// The kinds that have occurred, such as `lost:1,zeros:3`; `none`.
    var kinds: String {
        var text = ""
        for code in DeviceError.Code.allCases where counts[code.rawValue] > 0 {
            text += (text.isEmpty ? "" : ",") + code.word.description + ":\(counts[code.rawValue])"
        }
        return text.isEmpty ? "none" : text
    }
}

import ALSADevice

/// How often a sound device has failed since the start, by kind: each time that it was given up, and each attempt to
/// open it that failed.
struct DeviceFaultCounts {
    private var counts = [Int](repeating: 0, count: DeviceError.Code.allCases.count)
    /// It was given up, and has not worked since.
    private(set) var isDown = false

    /// - Parameter kind: the raw value of a `DeviceError.Code`, as the audio threads post it.
    mutating func failed(_ kind: Int64) {
        counts[Int(kind)] += 1
        isDown = true
    }

    /// - Returns: whether it was down before.
    mutating func works() -> Bool {
        defer { isDown = false }
        return isDown
    }

    /// `ok` or `down`, and the kinds that have occurred, such as `capture=down capture_faults=lost:1,zeros:3`.
    func summary(_ name: String) -> String {
        var text = " " + name + (isDown ? "=down " : "=ok ") + name + "_faults="
        var isFirst = true
        for code in DeviceError.Code.allCases where counts[code.rawValue] > 0 {
            if !isFirst { text += "," }
            isFirst = false
            text += code.word.description + ":\(counts[code.rawValue])"
        }
        return isFirst ? text + "none" : text
    }
}

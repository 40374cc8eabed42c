import CJansson

/// Writes one JSON object: a control message, an explanation. By hand, since libjansson prints a number with a fraction in thousands of
/// instructions and stores every member before it prints it: that was half of what a pong cost. Members are written in
/// the order in which they are set.
public struct JSONWriter {
    private var bytes: [UInt8] = []
    private var isEmpty = true

    /// An empty object to fill in.
    public init() {
        bytes.reserveCapacity(256)  // nearly all of them
        bytes.append(UInt8(ascii: "{"))
    }

    public consuming func serialized() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    public mutating func set(_ key: StaticString, _ value: String) {
        begin(key)
        append(quoting: value)
    }

    public mutating func set(_ key: StaticString, _ value: Int) {
        begin(key)
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        append(decimal: UInt64(value.magnitude))
    }

    mutating func set(_ key: StaticString, _ value: UInt32) { set(key, Int(value)) }

    public mutating func set(_ key: StaticString, _ value: Bool) {
        begin(key)
        append(value ? "true" : "false")
    }

    /// Not-a-number and infinities have no JSON; they are sent as 0.
    public mutating func set(_ key: StaticString, _ value: Double) {
        begin(key)
        append(number: value.isFinite ? value : 0)
    }

    mutating func set(_ key: StaticString, _ value: [Int8]) {
        begin(key)
        bytes.append(UInt8(ascii: "["))
        for (i, element) in value.enumerated() {
            if i > 0 { bytes.append(UInt8(ascii: ",")) }
            if element < 0 { bytes.append(UInt8(ascii: "-")) }
            append(decimal: UInt64(element.magnitude))
        }
        bytes.append(UInt8(ascii: "]"))
    }

    mutating func set(_ key: StaticString, _ value: [String]) {
        begin(key)
        bytes.append(UInt8(ascii: "["))
        for (i, element) in value.enumerated() {
            if i > 0 { bytes.append(UInt8(ascii: ",")) }
            append(quoting: element)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    public mutating func set(_ key: StaticString, _ value: consuming JSONWriter) {
        begin(key)
        bytes.append(contentsOf: value.serialized())
    }

    public mutating func set(_ key: StaticString, _ value: [JSONWriter]) {
        begin(key)
        bytes.append(UInt8(ascii: "["))
        for (i, element) in value.enumerated() {
            if i > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: element.serialized())
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// Under a name that is only known now.
    public mutating func set(named key: String, _ value: String) {
        separate()
        append(quoting: key)
        bytes.append(UInt8(ascii: ":"))
        append(quoting: value)
    }

    // MARK: Pieces

    private mutating func separate() {
        if !isEmpty { bytes.append(UInt8(ascii: ",")) }
        isEmpty = false
    }

    private mutating func begin(_ key: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        append(key)
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Escapes what JSON must have escaped, and nothing else.
    private mutating func append(quoting text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                append("\\u00")
                bytes.append(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
                let low = byte & 15
                bytes.append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func append(decimal value: UInt64, digits least: Int = 1) {
        let start = bytes.count
        var rest = value
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0 || bytes.count - start < least
        var (left, right) = (start, bytes.count - 1)
        while left < right {
            bytes.swapAt(left, right)
            left += 1
            right -= 1
        }
    }

    /// Whoever reads it gets the very same number. Times are whole microseconds and most else is rounder, so three
    /// digits are mostly enough; libjansson writes the others.
    private mutating func append(number value: Double) {
        let thousandths = (value.magnitude * 1000).rounded()
        guard thousandths < 9e15, thousandths / 1000 == value.magnitude else { return append(inFull: value) }
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        let units = UInt64(thousandths)
        append(decimal: units / 1000)
        bytes.append(UInt8(ascii: "."))
        var fraction = units % 1000
        var digits = 3
        // A whole number keeps its ".0".
        while digits > 1, fraction % 10 == 0 {
            fraction /= 10
            digits -= 1
        }
        append(decimal: fraction, digits: digits)
    }

    private mutating func append(inFull value: Double) {
        let number = json_real(value)
        defer { json_decref(number) }
        // 17 digits, sign, point, exponent: 25 at most.
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
            let length = json_dumpb(number, text.baseAddress, text.count, Int(JSON_ENCODE_ANY))
            precondition((1...text.count).contains(length), "a number could not be written")
            for i in 0..<length { bytes.append(UInt8(bitPattern: text[i])) }
        }
    }
}

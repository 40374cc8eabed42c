import CJansson

/// Writes one JSON object: a control message, an explanation. By hand, since libjansson prints a number with a fraction in
/// thousands of instructions and stores every member before it prints it: that was half of what a pong cost. Members are
/// written in the order in which they are set.
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

    @inline(never)
    public mutating func set(_ key: StaticString, _ value: String) {
        begin(key)
        append(quoting: value)
    }

    public mutating func set(_ key: StaticString, _ value: Int) { set(key, Int64(value)) }

    public mutating func set(_ key: StaticString, _ value: UInt32) { set(key, Int64(value)) }

    public mutating func set(_ key: StaticString, _ value: Int64) {
        begin(key)
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        append(decimal: value.magnitude)
    }

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

    public mutating func set(_ key: StaticString, _ value: [String]) {
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

    // Several bytes at a time: appending each for itself was most of what a pong cost.

    private mutating func separate() {
        if !isEmpty { bytes.append(UInt8(ascii: ",")) }
        isEmpty = false
    }

    private mutating func begin(_ key: StaticString) {
        append(isEmpty ? "\"" : ",\"")
        isEmpty = false
        append(key)
        append("\":")
    }

    private mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Escapes what JSON must have escaped, and nothing else.
    private mutating func append(quoting text: String) {
        append("\"")
        var text = text
        text.withUTF8 { utf8 in
            var plain = 0  // how many are written
            for (i, byte) in utf8.enumerated() where byte < 0x20 || byte == quote || byte == backslash {
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[plain..<i]))
                append(escaped: byte)
                plain = i + 1
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[plain...]))
        }
        append("\"")
    }

    private mutating func append(escaped byte: UInt8) {
        if byte >= 0x20 {
            bytes.append(backslash)
            bytes.append(byte)
            return
        }
        append("\\u00")
        bytes.append(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
        let low = byte & 15
        bytes.append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
    }

    private mutating func append(decimal value: UInt64) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: mostDigits) { text in
            var start = text.count
            write(decimal: value, before: &start, in: text)
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start...]))
        }
    }

    /// Writes towards the front of `text`, from `start` on, which then is the first digit's place.
    private func write(decimal value: UInt64, before start: inout Int, in text: UnsafeMutableBufferPointer<UInt8>) {
        var rest = value
        repeat {
            start -= 1
            text[start] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        } while rest > 0
    }

    /// Whoever reads it gets the very same number. Times are whole microseconds and most else is rounder, so three
    /// digits are mostly enough; libjansson writes the others.
    private mutating func append(number value: Double) {
        let thousandths = (value.magnitude * 1000).rounded()
        guard thousandths < 9e15, thousandths / 1000 == value.magnitude else { return append(inFull: value) }
        let units = UInt64(thousandths)
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: mostDigits + 2) { text in
            var start = text.count
            var fraction = units % 1000
            var digits = 3
            // A whole number keeps its ".0".
            while digits > 1, fraction % 10 == 0 {
                fraction /= 10
                digits -= 1
            }
            for _ in 0..<digits {
                start -= 1
                text[start] = UInt8(ascii: "0") + UInt8(fraction % 10)
                fraction /= 10
            }
            start -= 1
            text[start] = UInt8(ascii: ".")
            write(decimal: units / 1000, before: &start, in: text)
            if value < 0 {
                start -= 1
                text[start] = UInt8(ascii: "-")
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start...]))
        }
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

private let quote = UInt8(ascii: "\"")
private let backslash = UInt8(ascii: "\\")
/// Of a UInt64.
private let mostDigits = 20

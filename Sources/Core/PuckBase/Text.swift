// Number formatting for logs and terminals. Embedded Swift has no `String(format:)`.

/// `value` with exactly `digits` decimals (0…9), rounded half away from zero; "nan", "inf" and "-inf" as such.
public func fixed(_ value: Double, _ digits: Int) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    var scale: Int64 = 1
    for _ in 0..<digits { scale *= 10 }
    let magnitude = (abs(value) * Double(scale)).rounded()
    guard magnitude < 9.2e18 else { return value < 0 ? "-inf" : "inf" }
    let units = Int64(magnitude)
    let sign = value < 0 && units != 0 ? "-" : ""
    if digits == 0 { return sign + "\(units)" }
    return sign + "\(units / scale)." + padded(units % scale, digits, with: "0")
}

/// `value` right-aligned in `width` columns.
public func padded(_ value: Int64, _ width: Int, with fill: Character = " ") -> String {
    let text = "\(value)"
    return String(repeating: fill, count: max(0, width - text.utf8.count)) + text
}

/// `text` followed by blanks up to `width` columns; never shortened.
@inline(never)
public func leftAligned(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}

extension String {
    /// Whether `part` occurs in it, compared byte by byte. Embedded Swift has no `contains(_: String)`, and this needs
    /// none of Unicode's tables.
    public func includes(_ part: String) -> Bool {
        let text = Array(utf8)
        let part = Array(part.utf8)
        guard part.count <= text.count else { return false }
        for start in 0...(text.count - part.count) where text[start..<(start + part.count)] == part[...] { return true }
        return false
    }
}

/// A number of digits, at most one point, and a sign; nil for anything else. At most 15 digits, which a Double holds
/// exactly. (Embedded Swift has no `Double(String)`.)
public func parseDecimal(_ text: String) -> Double? {
    var rest = Array(text.utf8)[...]
    let negative = rest.first == UInt8(ascii: "-")
    if negative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
    var digits = 0
    var mantissa = 0.0
    var divisor = 0.0
    for byte in rest {
        if byte == UInt8(ascii: "."), divisor == 0 {
            divisor = 1
            continue
        }
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), digits < 15 else { return nil }
        mantissa = mantissa * 10 + Double(byte - UInt8(ascii: "0"))
        divisor *= 10
        digits += 1
    }
    if digits == 0 { return nil }
    let magnitude = mantissa / max(divisor, 1)
    return negative ? -magnitude : magnitude
}

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

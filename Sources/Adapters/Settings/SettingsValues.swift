import CLinux
import PuckBase

// The kinds of values, each with the words that an error message needs.
extension SettingsReader {
    /// A whole number.
    /// - Parameter unit: for the message, such as "ms"; empty for a plain count.
    @inline(never)
    public mutating func integer(
        _ section: String, _ key: String, default fallback: Int, range: ClosedRange<Int>, unit: String = ""
    ) -> Int {
        let allowed = "\(range.lowerBound)…\(range.upperBound)" + (unit.isEmpty ? "" : " " + unit)
        return value(section, key, default: fallback, written: "\(fallback)", allowed: allowed) {
            guard let number = Int($0), range.contains(number) else { return nil }
            return number
        }
    }

    /// A number with or without decimals: digits, at most one point, a sign.
    @inline(never)
    public mutating func decimal(
        _ section: String, _ key: String, default fallback: Double, range: ClosedRange<Double>, unit: String
    ) -> Double {
        let allowed = plain(range.lowerBound) + "…" + plain(range.upperBound) + " " + unit
        return value(section, key, default: fallback, written: plain(fallback), allowed: allowed) {
            guard let number = parseDecimal($0), range.contains(number) else { return nil }
            return number
        }
    }

    @inline(never)
    public mutating func boolean(_ section: String, _ key: String, default fallback: Bool) -> Bool {
        value(section, key, default: fallback, written: fallback ? "yes" : "no", allowed: "yes or no") {
            switch $0 {
            case "yes", "true", "on", "1": true
            case "no", "false", "off", "0": false
            default: nil
            }
        }
    }

    /// One word of an enumeration.
    public mutating func choice<Value: CaseIterable & RawRepresentable<String>>(
        _ section: String, _ key: String, default fallback: Value
    ) -> Value {
        let allowed = joined(Value.allCases.map { $0.rawValue })
        return value(section, key, default: fallback, written: fallback.rawValue, allowed: allowed) {
            Value(rawValue: $0)
        }
    }

    /// Free text; may be empty when the default is.
    public mutating func text(
        _ section: String, _ key: String, default fallback: String, longestBytes: Int = 128
    ) -> String {
        let least = fallback.isEmpty ? 0 : 1
        return value(section, key, default: fallback, written: fallback, allowed: "\(least)…\(longestBytes) bytes") {
            (least...longestBytes).contains($0.utf8.count) ? $0 : nil
        }
    }

    /// A name that goes over the wire and into file names.
    public mutating func word(
        _ section: String, _ key: String, default fallback: String, longestBytes: Int = 32
    ) -> String {
        let allowed = "1…\(longestBytes) of the letters a-z, 0-9, - and _"
        return value(section, key, default: fallback, written: fallback, allowed: allowed) {
            (1...longestBytes).contains($0.utf8.count) && $0.utf8.allSatisfy(isWordByte) ? $0 : nil
        }
    }

    /// A file's path; relative ones are taken from the working directory.
    /// - Parameter mayBeEmpty: nothing is a value too, for "none".
    public mutating func path(
        _ section: String, _ key: String, default fallback: String, mayBeEmpty: Bool = false
    ) -> String {
        let emptyAllowed = mayBeEmpty || fallback.isEmpty
        let allowed = "a path" + (emptyAllowed ? ", or empty" : "")
        return value(section, key, default: fallback, written: fallback, allowed: allowed) {
            $0.isEmpty && !emptyAllowed ? nil : $0
        }
    }

    /// A host name or an address, which must be given.
    public mutating func requiredHost(_ section: String, _ key: String) -> String {
        required(section, key, placeholder: "", allowed: "a host name or an address") { isHost($0) ? $0 : nil }
    }

    /// A host name or an address; may be empty if the default is.
    public mutating func host(_ section: String, _ key: String, default fallback: String) -> String {
        let allowed = "a host name or an address" + (fallback.isEmpty ? ", or empty" : "")
        return value(section, key, default: fallback, written: fallback, allowed: allowed) {
            isHost($0) || $0.isEmpty && fallback.isEmpty ? $0 : nil
        }
    }

    /// An address of this machine in digits; may be empty, for all addresses, if the default is.
    public mutating func address(_ section: String, _ key: String, default fallback: String) -> String {
        let allowed = "an IPv4 or IPv6 address" + (fallback.isEmpty ? ", or empty for all addresses" : "")
        return value(section, key, default: fallback, written: fallback, allowed: allowed) {
            isAddress($0) || $0.isEmpty && fallback.isEmpty ? $0 : nil
        }
    }

    /// Host names or addresses with commas between them.
    public mutating func hosts(_ section: String, _ key: String, most: Int = 16) -> [String] {
        list(section, key, most: most, of: "host names or addresses", where: isHost)
    }

    /// Words with commas between them, and blanks as people like.
    /// - Parameter isWord: whether a word is one of those that are meant, which `what` names in the plural.
    @inline(never)
    public mutating func list(
        _ section: String, _ key: String, most: Int, default fallback: String = "", of what: String,
        where isWord: (String) -> Bool
    ) -> [String] {
        let found = list(section, key, most: most, default: fallback, of: what)
        for word in found where !isWord(word) {
            refuseValue(section, key, text(section, key) ?? word, listed(most, what))
            return words(fallback)
        }
        return found
    }

    // Without the closure, for which the whole would be compiled anew each time.
    @inline(never)
    private mutating func list(
        _ section: String, _ key: String, most: Int, default fallback: String, of what: String
    ) -> [String] {
        value(section, key, default: words(fallback), written: fallback, allowed: listed(most, what)) { text in
            let found = words(text)
            return found.count <= most ? found : nil
        }
    }

    /// A secret, written into the configuration under `key` or alone in the file that `fileKey` names: not both. Empty
    /// when neither is given. Warns when every user of the machine may read it.
    public mutating func secret(_ section: String, _ key: String, fileKey: String) -> Secret {
        let allowed = "8…512 visible ASCII characters"
        // Taken as it is and judged below, since a message about it must not quote it.
        let inline = value(section, key, default: "", written: "", allowed: allowed) { $0 }
        let file = value(section, fileKey, default: "", written: "", allowed: "a path") { $0.isEmpty ? nil : $0 }
        switch (isSet(section, key), isSet(section, fileKey)) {
        case (true, true): refuse(section, key, "given beside \(fileKey); keep one of the two")
        case (false, false): break
        case (true, false):
            if !isSecret(inline) { refuse(section, key, "not a usable secret; allowed: \(allowed)") }
            if isReadableByOthers(section, key) {
                warn("[\(section)] \(key): every user can read it; use \(fileKey), or chmod 640 the file")
            }
            return Secret(inline)
        case (false, true):
            if !file.isEmpty { return secretFile(section, fileKey, file, allowed) }
        }
        return Secret("")
    }

    private mutating func secretFile(_ section: String, _ key: String, _ path: String, _ allowed: String) -> Secret {
        do throws(SettingsErrors) {
            let file = try SettingsFile(path: path, advice: "")
            if file.isReadableByOthers { warn("[\(section)] \(key): every user can read \(path); chmod 640 it") }
            let text = String(decoding: file.bytes.filter { $0 != 0x0a && $0 != 0x0d }, as: UTF8.self)
            if isSecret(text) { return Secret(text) }
            // What was found is not quoted: it may be most of the secret.
            refuse(section, key, "\(path) does not hold a usable secret; allowed: one line of \(allowed)")
        } catch {
            refuse(section, key, "cannot read it: " + error.description)
        }
        return Secret("")
    }
}

private func listed(_ most: Int, _ what: String) -> String { "at most \(most) \(what) with commas between them" }

/// The parts between commas, without the blanks around them; none of nothing.
@inline(never)
private func words(_ text: String) -> [String] {
    if text.isEmpty { return [] }
    return text.split(separator: ",", omittingEmptySubsequences: false).map { part in
        var word = part
        while word.first == " " { word.removeFirst() }
        while word.last == " " { word.removeLast() }
        return String(word)
    }
}

private func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
    case UInt8(ascii: "-"), UInt8(ascii: "_"): true
    default: false
    }
}

/// Loose on purpose, since the resolver has the last word: letters of names, IPv4, IPv6 and its zone.
private func isHost(_ text: String) -> Bool {
    (1...253).contains(text.utf8.count) && text.utf8.allSatisfy(isHostByte)
}

/// Digits and dots, or an IPv6 address, which may name its link: "fe80::1%wlan0".
private func isAddress(_ text: String) -> Bool {
    var parsed = in6_addr()
    if inet_pton(AF_INET, text, &parsed) == 1 { return true }
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 1 || !parts[1].isEmpty else { return false }
    return inet_pton(AF_INET6, String(parts[0]), &parsed) == 1
}

private func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "%"): true
    default: isWordByte(byte)
    }
}

private func isSecret(_ text: String) -> Bool {
    (8...512).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
}

/// As people write it: no decimals where there are none.
private func plain(_ value: Double) -> String {
    value == value.rounded() ? fixed(value, 0) : fixed(value, 3)
}

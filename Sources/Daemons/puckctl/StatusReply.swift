/// What the daemon says of itself: one JSON object of texts, numbers, true and false, in its order. Read by hand: ours
/// alone writes it, and what is wanted of it is its order, which libjansson's tables do not promise.
struct StatusReply: Equatable {
    struct Member: Equatable {
        let key: String
        /// As it stands in the object.
        let raw: String
        /// For people: texts without quotes and escapes, yes and no.
        let text: String
    }

    static let unreadable =
        "puckctl: the daemon's answer cannot be read: it is of another version; install the two together"

    let json: String
    private(set) var members: [Member] = []

    init?(_ json: String) {
        self.json = json
        var scanner = Scanner(bytes: Array(json.utf8))
        guard scanner.take("{") else { return nil }
        while true {
            guard let key = scanner.text(), scanner.take(":"), let value = scanner.value() else { return nil }
            members.append(Member(key: key.text, raw: value.raw, text: value.text))
            if scanner.take(",") { continue }
            guard scanner.take("}"), scanner.isAtEnd else { return nil }
            return
        }
    }

    subscript(key: String) -> String? { members.first { $0.key == key }?.text }

    /// The same where a text that is empty says as little as one that is not there.
    func filled(_ key: String) -> String? { self[key].flatMap { $0.isEmpty ? nil : $0 } }

    func number(_ key: String) -> Int? { self[key].flatMap { Int($0) } }

    func isSet(_ key: String) -> Bool { self[key] == "yes" }

    /// In one line; a text that is more than a word in JSON's quotes.
    var plain: String {
        members.map { $0.key + "=" + (Self.isWord($0.text) ? $0.text : $0.raw) }.joined(separator: " ")
    }

    private static func isWord(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    }

    private struct Scanner {
        let bytes: [UInt8]
        var at = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { at == bytes.count }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
            at += 1
            return true
        }

        mutating func value() -> (raw: String, text: String)? {
            if at < bytes.count, bytes[at] == UInt8(ascii: "\"") { return text() }
            let start = at
            while at < bytes.count, bytes[at] != UInt8(ascii: ","), bytes[at] != UInt8(ascii: "}") { at += 1 }
            let raw = String(decoding: bytes[start..<at], as: UTF8.self)
            switch raw {
            case "": return nil
            case "true": return (raw, "yes")
            case "false": return (raw, "no")
            default: return (raw, raw)
            }
        }

        /// With the escapes that the daemon's writer makes: quote, backslash, and four digits for controls, which a
        /// terminal must not be sent: they are shown as blanks.
        mutating func text() -> (raw: String, text: String)? {
            let start = at
            guard take("\"") else { return nil }
            var text: [UInt8] = []
            while at < bytes.count {
                let byte = bytes[at]
                at += 1
                if byte == UInt8(ascii: "\"") {
                    return (
                        String(decoding: bytes[start..<at], as: UTF8.self), String(decoding: text, as: UTF8.self)
                    )
                }
                if byte != UInt8(ascii: "\\") {
                    text.append(byte == 0x7F ? 0x20 : byte)
                    continue
                }
                guard at < bytes.count else { return nil }
                let escaped = bytes[at]
                at += 1
                if escaped == UInt8(ascii: "u") {
                    at += 4
                    text.append(0x20)
                } else {
                    text.append(escaped)
                }
            }
            return nil
        }
    }
}

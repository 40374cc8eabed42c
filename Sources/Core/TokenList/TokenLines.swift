// The token file's lines: text to values and back.

/// One puck of a `TokenList`.
public struct TokenDevice: Equatable, Sendable {
    /// A token that was replaced.
    public struct Retired: Equatable, Sendable {
        public let hash: String
        /// Seconds of Unix time.
        public let replaced: Int64
    }

    public let name: String
    /// SHA-256 of the token, 64 hexadecimal digits.
    public let hash: String
    /// Seconds of Unix time.
    public let created: Int64
    /// Where it stands, as it was told when it was paired.
    public var room: String?
    /// The hash of a token that was sent to the puck and has not been used yet; both are good until it is.
    public var nextHash: String?
    /// Tokens that it had before, the latest last, at most `TokenLimits.retired`. They let nobody in: they tell who came.
    public var retired: [Retired] = []

    /// Whether a session of this device may go on after the list has become one that holds `other`: it is the same
    /// device, and the token is the same or the one that replaces it.
    public func becomes(_ other: TokenDevice) -> Bool {
        name == other.name && (hash == other.hash || nextHash == other.hash)
    }
}

public enum TokenLimits {
    /// More than any house has; keeps a broken file from filling memory.
    public static let devices = 1024
    public static let nameBytes = 64
    /// The end of the year 9999; dates beyond it cannot be shown, and nobody was given a token then.
    public static let latestCreated: Int64 = 253_402_300_799
    /// A year of tokens that live 90 days.
    public static let retired = 4
}

enum TokenLine {
    case comment(String)
    case device(TokenDevice)

    /// The line of a list that is empty because somebody wanted it so.
    static let emptyMark = "# Every token was revoked with puckhub: no puck may connect."
}

extension TokenLine {
    /// Why a line cannot be understood.
    struct Problem: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    static func parse(_ raw: ArraySlice<UInt8>) throws(Problem) -> TokenLine {
        let fields = raw.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d })
        guard let first = fields.first, first.first != UInt8(ascii: "#") else {
            return .comment(String(decoding: raw, as: UTF8.self))
        }
        let advice = "write NAME SHA256 CREATED, or let 'puckhub token add NAME' write it"
        guard fields.count >= 3 else {
            throw Problem("\(fields.count) words instead of 3: \(advice)")
        }
        let name = String(decoding: fields[0], as: UTF8.self)
        if let problem = problem(withName: name) { throw Problem(problem) }
        guard isHash(fields[1]) else {
            throw Problem("the second word is not 64 hexadecimal digits: \(advice)")
        }
        guard let created = Int64(String(decoding: fields[2], as: UTF8.self)),
            (0...TokenLimits.latestCreated).contains(created)
        else {
            throw Problem("the third word is not a Unix time of 0…\(TokenLimits.latestCreated) seconds: \(advice)")
        }
        let hash = String(decoding: fields[1], as: UTF8.self).lowercased()
        var device = TokenDevice(name: name, hash: hash, created: created)
        for field in fields[3...] {
            let halves = field.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let value = halves.count == 2 ? String(decoding: halves[1], as: UTF8.self) : ""
            switch String(decoding: halves[0], as: UTF8.self) {
            case "room" where device.room == nil && problem(withName: value) == nil: device.room = value
            case "next" where device.nextHash == nil && halves.count == 2 && isHash(halves[1]):
                device.nextHash = value.lowercased()
            case "old" where device.retired.isEmpty:
                guard let retired = retired(value) else {
                    throw Problem(
                        "'old=' takes at most \(TokenLimits.retired) of SHA256@UNIXTIME with commas between them")
                }
                device.retired = retired
            default:
                throw Problem(
                    "'\(String(decoding: field, as: UTF8.self))' is none of room=ROOM, next=SHA256 and "
                        + "old=SHA256@TIME: \(advice)")
            }
        }
        return .device(device)
    }

    /// `SHA256@UNIX,…`; nil when it is not that.
    private static func retired(_ text: String) -> [TokenDevice.Retired]? {
        var found: [TokenDevice.Retired] = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            let halves = word.split(separator: "@", omittingEmptySubsequences: false)
            guard halves.count == 2, isHash(Array(halves[0].utf8)[...]), let at = Int64(halves[1]),
                (0...TokenLimits.latestCreated).contains(at), found.count < TokenLimits.retired
            else { return nil }
            found.append(TokenDevice.Retired(hash: halves[0].lowercased(), replaced: at))
        }
        return found
    }

    static func text(of lines: [TokenLine]) -> String {
        var text = ""
        for line in lines {
            switch line {
            case .comment(let comment): text += comment + "\n"
            case .device(let device):
                text += "\(device.name) \(device.hash) \(device.created)"
                if let room = device.room { text += " room=\(room)" }
                if let next = device.nextHash { text += " next=\(next)" }
                for (index, old) in device.retired.enumerated() {
                    text += (index == 0 ? " old=" : ",") + "\(old.hash)@\(old.replaced)"
                }
                text += "\n"
            }
        }
        return text
    }

    private static func isHash(_ field: ArraySlice<UInt8>) -> Bool {
        field.count == 64 && field.allSatisfy { isHexadecimal($0) }
    }

    static func problem(withName name: String) -> String? {
        let isName = name.utf8.allSatisfy { isLetterOrDigit($0) || $0 == 0x2d || $0 == 0x2e || $0 == 0x5f }
        guard isName, !name.isEmpty, name.utf8.count <= TokenLimits.nameBytes else {
            return
                "'\(name)' cannot be a device's name: use 1 to \(TokenLimits.nameBytes) letters, digits, '-', '_' and '.'"
        }
        return nil
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }
}

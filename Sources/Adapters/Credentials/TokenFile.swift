// The token file's lines: text to values and back. TokenStore.swift says what the words mean.

extension TokenStore {
    static func parse(
        _ raw: ArraySlice<UInt8>, _ path: String, _ number: Int
    ) throws(CredentialError) -> Line {
        let fields = raw.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d })
        guard let first = fields.first, first.first != UInt8(ascii: "#") else {
            return .comment(String(decoding: raw, as: UTF8.self))
        }
        let advice = "write NAME SHA256 CREATED, or let 'puckhub token add NAME' write it"
        guard fields.count >= 3 else {
            throw .line(path: path, number: number, problem: "\(fields.count) words instead of 3: \(advice)")
        }
        let name = String(decoding: fields[0], as: UTF8.self)
        if let problem = problem(withName: name) { throw .line(path: path, number: number, problem: problem) }
        guard isHash(fields[1]) else {
            throw .line(path: path, number: number, problem: "the second word is not 64 hexadecimal digits: \(advice)")
        }
        guard let created = Int64(String(decoding: fields[2], as: UTF8.self)), (0...latestCreated).contains(created)
        else {
            throw .line(
                path: path, number: number,
                problem: "the third word is not a Unix time of 0…\(latestCreated) seconds: \(advice)")
        }
        let hash = String(decoding: fields[1], as: UTF8.self).lowercased()
        var device = Device(name: name, hash: hash, created: created)
        for field in fields[3...] {
            let halves = field.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let value = halves.count == 2 ? String(decoding: halves[1], as: UTF8.self) : ""
            switch String(decoding: halves[0], as: UTF8.self) {
            case "room" where device.room == nil && problem(withName: value) == nil: device.room = value
            case "next" where device.nextHash == nil && halves.count == 2 && isHash(halves[1]):
                device.nextHash = value.lowercased()
            case "old" where device.retired.isEmpty:
                guard let retired = retired(value) else {
                    throw .line(
                        path: path, number: number,
                        problem: "'old=' takes at most \(mostRetired) of SHA256@UNIXTIME with commas between them")
                }
                device.retired = retired
            default:
                throw .line(
                    path: path, number: number,
                    problem: "'\(String(decoding: field, as: UTF8.self))' is none of room=ROOM, next=SHA256 and "
                        + "old=SHA256@TIME: \(advice)")
            }
        }
        return .device(device)
    }

    /// `SHA256@UNIX,…`; nil when it is not that.
    private static func retired(_ text: String) -> [Retired]? {
        var found: [Retired] = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            let halves = word.split(separator: "@", omittingEmptySubsequences: false)
            guard halves.count == 2, isHash(Array(halves[0].utf8)[...]), let at = Int64(halves[1]),
                (0...latestCreated).contains(at), found.count < mostRetired
            else { return nil }
            found.append(Retired(hash: halves[0].lowercased(), replaced: at))
        }
        return found
    }

    static func text(of lines: [Line]) -> String {
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
        guard isName, !name.isEmpty, name.utf8.count <= maximumNameBytes else {
            return "'\(name)' cannot be a device's name: use 1 to \(maximumNameBytes) letters, digits, '-', '_' and '.'"
        }
        return nil
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }
}

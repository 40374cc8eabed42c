import CLinux

/// The hub's list of pucks: a text file with one line for each, `NAME SHA256HEX CREATED_UNIX [room=ROOM]
/// [next=SHA256HEX]`, and comments with #. Comments and their places survive a rewrite. No token is ever in it.
///
/// Every rewrite replaces the file atomically with mode 0600, under a lock of its folder, after reading it again, so
/// two commands at once lose nothing. A missing file is an empty list.
///
/// Thread: one at a time.
public final class TokenStore {
    public struct Device: Equatable, Sendable {
        public let name: String
        /// SHA-256 of the token, 64 hexadecimal digits.
        public let hash: String
        /// Seconds of Unix time.
        public let created: Int64
        /// Where it stands, as it was told when it was paired.
        public var room: String?
        /// The hash of a token that was sent to the puck and has not been used yet; both are good until it is.
        public var nextHash: String?

        /// Whether a session of this device may go on after the list has become one that holds `other`: it is the same
        /// device, and the token is the same or the one that replaces it.
        public func becomes(_ other: Device) -> Bool {
            name == other.name && (hash == other.hash || nextHash == other.hash)
        }
    }

    private enum Line {
        case comment(String)
        case device(Device)
    }

    /// More than any house has; keeps a broken file from filling memory.
    public static let maximumDevices = 1024
    public static let maximumNameBytes = 64
    /// The end of the year 9999; dates beyond it cannot be shown, and nobody was given a token then.
    public static let latestCreated: Int64 = 253_402_300_799

    public let path: String
    private var lines: [Line] = []
    private var identity: FileIdentity?

    /// Reads the file. A line that cannot be understood throws, with its number.
    public init(path: String) throws(CredentialError) {
        self.path = path
        try load()
    }

    /// In the order of the file.
    public var devices: [Device] {
        lines.compactMap { if case .device(let device) = $0 { device } else { nil } }
    }

    /// Whose token this is, and whether it is the one that waits to replace the other. Every hash is compared in full,
    /// so the time says nothing about any of them.
    public func device(ofToken token: String) -> (name: String, isNext: Bool)? {
        let hash = DeviceToken.hash(token)
        var found: (name: String, isNext: Bool)?
        for case .device(let device) in lines {
            if DeviceToken.areEqual(device.hash, hash) { found = (device.name, false) }
            if let next = device.nextHash, DeviceToken.areEqual(next, hash) { found = (device.name, true) }
        }
        return found
    }

    /// Reads the file again if it was replaced or changed. When it cannot be understood the error is thrown once, for
    /// the log, and the list stays as it was until the file changes again.
    ///
    /// - Returns: whether it was read again.
    @discardableResult
    public func reloadIfChanged() throws(CredentialError) -> Bool {
        if FileIdentity.of(path) == identity { return false }
        try load()
        return true
    }

    /// Adds a device and gives back its token, which is kept nowhere else.
    public func add(_ name: String, nowUnixSeconds: Int64) throws(CredentialError) -> String {
        if let problem = Self.problem(withName: name) { throw .invalid(problem) }
        let token = try DeviceToken.generate()
        try withFolderLocked(of: path) { () throws(CredentialError) in
            try load()
            let known = devices
            guard !known.contains(where: { $0.name == name }) else {
                throw .invalid("'\(name)' has a token already: revoke it first, or choose another name")
            }
            guard known.count < Self.maximumDevices else {
                throw .invalid("\(path) lists \(known.count) devices, the most there may be: revoke one first")
            }
            lines.append(
                .device(Device(name: name, hash: DeviceToken.hash(token), created: nowUnixSeconds)))
            try save()
        }
        return token
    }

    /// As `add`, but takes the place of the token that the device has, if any.
    public func pair(_ name: String, room: String?, nowUnixSeconds: Int64) throws(CredentialError) -> String {
        if let problem = Self.problem(withName: name) { throw .invalid(problem) }
        if let room, let problem = Self.problem(withName: room) { throw .invalid(problem) }
        let token = try DeviceToken.generate()
        try withFolderLocked(of: path) { () throws(CredentialError) in
            try load()
            lines.removeAll { if case .device(let device) = $0 { device.name == name } else { false } }
            guard devices.count < Self.maximumDevices else {
                throw .invalid("\(path) lists \(devices.count) devices, the most there may be: revoke one first")
            }
            lines.append(
                .device(Device(name: name, hash: DeviceToken.hash(token), created: nowUnixSeconds, room: room)))
            try save()
        }
        return token
    }

    /// Makes the token that is to replace a device's; both are good until `promote`. One that was made before and not
    /// used is forgotten. Nil when there is no such device.
    public func makeNext(_ name: String) throws(CredentialError) -> String? {
        let token = try DeviceToken.generate()
        return try change(name) { $0.nextHash = DeviceToken.hash(token) } ? token : nil
    }

    /// The new token has been used: the old one ends.
    public func promote(_ name: String, nowUnixSeconds: Int64) throws(CredentialError) {
        _ = try change(name) { device in
            guard let next = device.nextHash else { return }
            device = Device(name: device.name, hash: next, created: nowUnixSeconds, room: device.room)
        }
    }

    /// - Returns: whether there is such a device.
    private func change(_ name: String, _ body: (inout Device) -> Void) throws(CredentialError) -> Bool {
        try withFolderLocked(of: path) { () throws(CredentialError) in
            try load()
            for index in lines.indices {
                guard case .device(var device) = lines[index], device.name == name else { continue }
                body(&device)
                lines[index] = .device(device)
                try save()
                return true
            }
            return false
        }
    }

    /// Takes a device off the list; false when it was not on it.
    public func revoke(_ name: String) throws(CredentialError) -> Bool {
        try withFolderLocked(of: path) { () throws(CredentialError) in
            try load()
            let before = lines.count
            lines.removeAll { if case .device(let device) = $0 { device.name == name } else { false } }
            if lines.count == before { return false }
            try save()
            return true
        }
    }

    // MARK: The file

    private func load() throws(CredentialError) {
        guard let content = try readFile(path) else {
            lines = []
            identity = nil
            return
        }
        // Noted first: a broken file is reported once, not in every round.
        identity = content.identity
        var parsed: [Line] = []
        var names: Set<String> = []
        var number = 0
        for raw in content.bytes.split(separator: 0x0a, omittingEmptySubsequences: false) {
            number += 1
            let line = try Self.parse(raw, path, number)
            if case .device(let device) = line {
                guard names.insert(device.name).inserted else {
                    throw .line(
                        path: path, number: number, problem: "'\(device.name)' is listed twice: delete one line")
                }
                guard names.count <= Self.maximumDevices else {
                    throw .line(
                        path: path, number: number,
                        problem: "more than \(Self.maximumDevices) devices: delete the ones that are gone")
                }
            }
            parsed.append(line)
        }
        // The part behind the last line's end.
        if case .comment("")? = parsed.last { parsed.removeLast() }
        lines = parsed
    }

    private func save() throws(CredentialError) {
        var text = ""
        for line in lines {
            switch line {
            case .comment(let comment): text += comment + "\n"
            case .device(let device):
                text += "\(device.name) \(device.hash) \(device.created)"
                if let room = device.room { text += " room=\(room)" }
                if let next = device.nextHash { text += " next=\(next)" }
                text += "\n"
            }
        }
        try replaceFile(path, with: Array(text.utf8), mode: 0o600)
        identity = FileIdentity.of(path)
    }

    private static func parse(
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
            default:
                throw .line(
                    path: path, number: number,
                    problem:
                        "'\(String(decoding: field, as: UTF8.self))' is neither room=ROOM nor next=SHA256: \(advice)")
            }
        }
        return .device(device)
    }

    private static func isHash(_ field: ArraySlice<UInt8>) -> Bool {
        field.count == 64 && field.allSatisfy { isHexadecimal($0) }
    }

    private static func problem(withName name: String) -> String? {
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

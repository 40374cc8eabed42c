import CLinux

/// The hub's list of pucks: a text file with one line for each, `NAME SHA256HEX CREATED_UNIX [room=ROOM]
/// [next=SHA256HEX] [old=SHA256HEX@UNIX,…]`, and comments with #. Comments and their places survive a rewrite. No token is
/// ever in it.
///
/// Every rewrite replaces the file atomically with mode 0600, under a lock of its folder, after reading it again, so
/// two commands at once lose nothing.
///
/// A missing file is an empty list when it is read for the first time. Later it is an accident, and so is one without a
/// device: the list stays, and `store` writes it again. A list that is to be empty carries `emptyMark`.
///
/// What was ended (`end`) has ended in memory from then on, whether or not the file can be written.
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
        /// Tokens that it had before, the latest last, at most `mostRetired`. They let nobody in: they tell who came.
        public var retired: [Retired] = []

        /// Whether a session of this device may go on after the list has become one that holds `other`: it is the same
        /// device, and the token is the same or the one that replaces it.
        public func becomes(_ other: Device) -> Bool {
            name == other.name && (hash == other.hash || nextHash == other.hash)
        }
    }

    /// A token that was replaced.
    public struct Retired: Equatable, Sendable {
        public let hash: String
        /// Seconds of Unix time.
        public let replaced: Int64
    }

    enum Line {
        case comment(String)
        case device(Device)
    }

    /// More than any house has; keeps a broken file from filling memory.
    public static let maximumDevices = 1024
    public static let maximumNameBytes = 64
    /// The end of the year 9999; dates beyond it cannot be shown, and nobody was given a token then.
    public static let latestCreated: Int64 = 253_402_300_799

    /// A year of tokens that live 90 days.
    public static let mostRetired = 4
    /// The line of a list that is empty because somebody wanted it so.
    static let emptyMark = "# Every token was revoked with puckhub: no puck may connect."

    public let path: String
    private var lines: [Line] = []
    private var identity: FileIdentity?
    /// Hashes that have ended, and may still be in the file.
    private var ended: Set<String> = []
    /// Whether the file lacks something that is in force: see `store`.
    public private(set) var isBehind = false
    private var isRefused = false

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

    /// Whose token this was before it was replaced, and when that was (Unix time).
    public func device(ofRetiredToken token: String) -> (name: String, replaced: Int64)? {
        let hash = DeviceToken.hash(token)
        var found: (name: String, replaced: Int64)?
        for case .device(let device) in lines {
            for old in device.retired where DeviceToken.areEqual(old.hash, hash) {
                found = (device.name, old.replaced)
            }
        }
        return found
    }

    /// Reads the file again if it was replaced or changed. When it cannot be understood, is missing or lists nobody, the
    /// error is thrown once, for the log, and the list stays as it was until the file changes again.
    ///
    /// - Parameter again: throws for a file that was refused before, too.
    /// - Returns: whether it was read again.
    @discardableResult
    public func reloadIfChanged(again: Bool = false) throws(CredentialError) -> Bool {
        if FileIdentity.of(path) == identity, !(again && isRefused) { return false }
        isRefused = true
        guard try load() else {
            let count = devices.count
            throw .invalid(
                "\(path) \(identity == nil ? "is missing" : "lists no puck any more"): the \(count) that had a token keep "
                    + "it, and the file is written again soon; 'puckhub revoke --all' ends all of them")
        }
        isRefused = false
        return true
    }

    /// Adds a device and gives back its token, which is kept nowhere else.
    public func add(_ name: String, nowUnixSeconds: Int64) throws(CredentialError) -> String {
        if let problem = Self.problem(withName: name) { throw .invalid(problem) }
        let token = try DeviceToken.generate()
        try changing { () throws(CredentialError) in
            let known = devices
            guard !known.contains(where: { $0.name == name }) else {
                throw .invalid("'\(name)' has a token already: revoke it first, or choose another name")
            }
            guard known.count < Self.maximumDevices else {
                throw .invalid("\(path) lists \(known.count) devices, the most there may be: revoke one first")
            }
            lines.append(
                .device(Device(name: name, hash: DeviceToken.hash(token), created: nowUnixSeconds)))
        }
        return token
    }

    /// As `add`, but takes the place of the token that the device has, if any.
    public func pair(_ name: String, room: String?, nowUnixSeconds: Int64) throws(CredentialError) -> String {
        if let problem = Self.problem(withName: name) { throw .invalid(problem) }
        if let room, let problem = Self.problem(withName: room) { throw .invalid(problem) }
        let token = try DeviceToken.generate()
        try changing { () throws(CredentialError) in
            let old = devices.first { $0.name == name }
            remove { $0 == name }
            guard devices.count < Self.maximumDevices else {
                throw .invalid("\(path) lists \(devices.count) devices, the most there may be: revoke one first")
            }
            var device = Device(name: name, hash: DeviceToken.hash(token), created: nowUnixSeconds, room: room)
            device.retire(old, at: nowUnixSeconds)
            lines.append(.device(device))
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
            let old = device
            device = Device(name: device.name, hash: next, created: nowUnixSeconds, room: device.room)
            device.retire(old, at: nowUnixSeconds)
        }
    }

    /// - Returns: whether there is such a device.
    private func change(_ name: String, _ body: (inout Device) -> Void) throws(CredentialError) -> Bool {
        try reloadIfChanged()
        if !devices.contains(where: { $0.name == name }) { return false }
        try changing { () throws(CredentialError) in
            for index in lines.indices {
                guard case .device(var device) = lines[index], device.name == name else { continue }
                body(&device)
                lines[index] = .device(device)
            }
        }
        return devices.contains { $0.name == name }
    }

    /// Reads the list again, changes it, and writes it. What cannot be written is not in force.
    private func changing(_ body: () throws(CredentialError) -> Void) throws(CredentialError) {
        try withFolderLocked(of: path) { () throws(CredentialError) in
            try load()
            let before = lines
            do throws(CredentialError) {
                try body()
                try save()
            } catch {
                lines = before
                throw error
            }
        }
    }

    /// Takes a device off the list; false when it was not on it.
    public func revoke(_ name: String) throws(CredentialError) -> Bool {
        try reloadIfChanged()
        if end([name]).isEmpty { return false }
        try store()
        return true
    }

    /// Takes devices off the list in memory, at once. `store` writes it.
    /// - Parameter names: nil for all.
    /// - Returns: those that were on it.
    public func end(_ names: Set<String>?) -> [String] {
        let gone = devices.filter { names?.contains($0.name) ?? true }
        guard !gone.isEmpty else { return [] }
        for device in gone {
            ended.insert(device.hash)
            if let next = device.nextHash { ended.insert(next) }
        }
        remove { name in gone.contains { $0.name == name } }
        isBehind = true
        return gone.map { $0.name }
    }

    /// Writes the list as it is in force.
    public func store() throws(CredentialError) {
        try withFolderLocked(of: path) { () throws(CredentialError) in
            try load()
            try save()
        }
    }

    private func remove(_ isMeant: (String) -> Bool) {
        lines.removeAll { if case .device(let device) = $0 { isMeant(device.name) } else { false } }
    }

    // MARK: The file

    /// - Returns: false when the file is missing or lists nobody, though somebody is in force: the list stays.
    @discardableResult
    private func load() throws(CredentialError) -> Bool {
        var parsed: [Line] = []
        let content = try readFile(path)
        // Noted first: a broken file is reported once, not in every round.
        identity = content?.identity
        if let content { parsed = try parse(content.bytes) }
        parsed.removeAll { if case .device(let device) = $0 { ended.contains(device.hash) } else { false } }
        if !Self.hasDevice(parsed), !Self.isEmptyOnPurpose(parsed), Self.hasDevice(lines) {
            isBehind = true
            return false
        }
        lines = parsed
        return true
    }

    private func parse(_ bytes: [UInt8]) throws(CredentialError) -> [Line] {
        var parsed: [Line] = []
        var names: Set<String> = []
        var number = 0
        for raw in bytes.split(separator: 0x0a, omittingEmptySubsequences: false) {
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
        return parsed
    }

    private static func hasDevice(_ lines: [Line]) -> Bool {
        lines.contains { if case .device = $0 { true } else { false } }
    }

    private static func isEmptyOnPurpose(_ lines: [Line]) -> Bool {
        lines.contains { if case .comment(let text) = $0 { text == emptyMark } else { false } }
    }

    private func save() throws(CredentialError) {
        lines.removeAll { if case .comment(let text) = $0 { text == Self.emptyMark } else { false } }
        if !Self.hasDevice(lines) { lines.append(.comment(Self.emptyMark)) }
        try replaceFile(path, with: Array(Self.text(of: lines).utf8), mode: 0o600)
        identity = FileIdentity.of(path)
        ended = []
        isBehind = false
        isRefused = false
    }
}

extension TokenStore.Device {
    /// Notes the tokens of the device whose place this one takes.
    mutating func retire(_ old: TokenStore.Device?, at now: Int64) {
        guard let old else { return }
        retired = old.retired + [TokenStore.Retired(hash: old.hash, replaced: now)]
        retired.removeFirst(max(0, retired.count - TokenStore.mostRetired))
    }
}

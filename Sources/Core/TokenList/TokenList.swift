/// The hub's list of pucks: a text file with one line for each, `NAME SHA256HEX CREATED_UNIX [room=ROOM]
/// [next=SHA256HEX] [old=SHA256HEX@UNIX,…]`, and comments with #. Comments and their places survive a rewrite. No token is
/// ever in it.
///
/// Every rewrite replaces the file atomically with mode 0600, under a lock of its folder, after reading it again, so
/// two commands at once lose nothing.
///
/// A missing file is an empty list when it is read for the first time. Later it is an accident, and so is one without a
/// device: the list stays, and `store` writes it again. A list that is to be empty carries `TokenLine.emptyMark`.
///
/// What was ended (`end`) has ended in memory from then on, whether or not the file can be written.
///
/// Thread: one at a time.
public final class TokenList<Place: TokenPlace> {
    public typealias Device = TokenDevice

    private let place: Place
    /// The file, as messages name it.
    public var path: String { place.path }
    private var lines: [TokenLine] = []
    private var identity: Place.Identity?
    /// Hashes that have ended, and may still be in the file.
    private var ended: Set<String> = []
    /// Whether the file lacks something that is in force: see `store`.
    public private(set) var isBehind = false
    private var isRefused = false

    /// Reads the file. A line that cannot be understood throws, with its number.
    public init(_ place: Place) throws(Place.Failure) {
        self.place = place
        try load()
    }

    /// In the order of the file.
    public var devices: [Device] {
        lines.compactMap { if case .device(let device) = $0 { device } else { nil } }
    }

    /// Whose token this is, and whether it is the one that waits to replace the other. Every hash is compared in full,
    /// so the time says nothing about any of them.
    public func device(ofToken token: String) -> (name: String, isNext: Bool)? {
        let hash = place.hash(of: token)
        var found: (name: String, isNext: Bool)?
        for case .device(let device) in lines {
            if place.areEqual(device.hash, hash) { found = (device.name, false) }
            if let next = device.nextHash, place.areEqual(next, hash) { found = (device.name, true) }
        }
        return found
    }

    /// Whose token this was before it was replaced, and when that was (Unix time).
    public func device(ofRetiredToken token: String) -> (name: String, replaced: Int64)? {
        let hash = place.hash(of: token)
        var found: (name: String, replaced: Int64)?
        for case .device(let device) in lines {
            for old in device.retired where place.areEqual(old.hash, hash) {
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
    public func reloadIfChanged(again: Bool = false) throws(Place.Failure) -> Bool {
        if place.identity == identity, !(again && isRefused) { return false }
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
    public func add(_ name: String, nowUnixSeconds: Int64) throws(Place.Failure) -> String {
        if let problem = TokenLine.problem(withName: name) { throw .invalid(problem) }
        let token = try place.makeToken()
        try changing { () throws(Place.Failure) in
            let known = devices
            guard !known.contains(where: { $0.name == name }) else {
                throw .invalid("'\(name)' has a token already: revoke it first, or choose another name")
            }
            guard known.count < TokenLimits.devices else {
                throw .invalid("\(path) lists \(known.count) devices, the most there may be: revoke one first")
            }
            lines.append(
                .device(Device(name: name, hash: place.hash(of: token), created: nowUnixSeconds)))
        }
        return token
    }

    /// As `add`, but takes the place of the token that the device has, if any.
    public func pair(_ name: String, room: String?, nowUnixSeconds: Int64) throws(Place.Failure) -> String {
        if let problem = TokenLine.problem(withName: name) { throw .invalid(problem) }
        if let room, let problem = TokenLine.problem(withName: room) { throw .invalid(problem) }
        let token = try place.makeToken()
        try changing { () throws(Place.Failure) in
            let old = devices.first { $0.name == name }
            remove { $0 == name }
            guard devices.count < TokenLimits.devices else {
                throw .invalid("\(path) lists \(devices.count) devices, the most there may be: revoke one first")
            }
            var device = Device(name: name, hash: place.hash(of: token), created: nowUnixSeconds, room: room)
            device.retire(old, at: nowUnixSeconds)
            lines.append(.device(device))
        }
        return token
    }

    /// Makes the token that is to replace a device's; both are good until `promote`. One that was made before and not
    /// used is forgotten. Nil when there is no such device.
    public func makeNext(_ name: String) throws(Place.Failure) -> String? {
        let token = try place.makeToken()
        return try change(name) { $0.nextHash = place.hash(of: token) } ? token : nil
    }

    /// The new token has been used: the old one ends.
    public func promote(_ name: String, nowUnixSeconds: Int64) throws(Place.Failure) {
        _ = try change(name) { device in
            guard let next = device.nextHash else { return }
            let old = device
            device = Device(name: device.name, hash: next, created: nowUnixSeconds, room: device.room)
            device.retire(old, at: nowUnixSeconds)
        }
    }

    /// - Returns: whether there is such a device.
    private func change(_ name: String, _ body: (inout Device) -> Void) throws(Place.Failure) -> Bool {
        try reloadIfChanged()
        if !devices.contains(where: { $0.name == name }) { return false }
        try changing { () throws(Place.Failure) in
            for index in lines.indices {
                guard case .device(var device) = lines[index], device.name == name else { continue }
                body(&device)
                lines[index] = .device(device)
            }
        }
        return devices.contains { $0.name == name }
    }

    /// Reads the list again, changes it, and writes it. What cannot be written is not in force.
    private func changing(_ body: () throws(Place.Failure) -> Void) throws(Place.Failure) {
        try place.whileLocked { () throws(Place.Failure) in
            try load()
            let before = lines
            do throws(Place.Failure) {
                try body()
                try save()
            } catch {
                lines = before
                throw error
            }
        }
    }

    /// Takes a device off the list; false when it was not on it.
    public func revoke(_ name: String) throws(Place.Failure) -> Bool {
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
    public func store() throws(Place.Failure) {
        try place.whileLocked { () throws(Place.Failure) in
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
    private func load() throws(Place.Failure) -> Bool {
        var parsed: [TokenLine] = []
        let content = try place.read()
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

    private func parse(_ bytes: [UInt8]) throws(Place.Failure) -> [TokenLine] {
        var parsed: [TokenLine] = []
        var names: Set<String> = []
        var number = 0
        for raw in bytes.split(separator: 0x0a, omittingEmptySubsequences: false) {
            number += 1
            let line: TokenLine
            do throws(TokenLine.Problem) { line = try TokenLine.parse(raw) } catch {
                throw .line(path: path, number: number, problem: error.text)
            }
            if case .device(let device) = line {
                guard names.insert(device.name).inserted else {
                    throw .line(
                        path: path, number: number, problem: "'\(device.name)' is listed twice: delete one line")
                }
                guard names.count <= TokenLimits.devices else {
                    throw .line(
                        path: path, number: number,
                        problem: "more than \(TokenLimits.devices) devices: delete the ones that are gone")
                }
            }
            parsed.append(line)
        }
        // The part behind the last line's end.
        if case .comment("")? = parsed.last { parsed.removeLast() }
        return parsed
    }

    private static func hasDevice(_ lines: [TokenLine]) -> Bool {
        lines.contains { if case .device = $0 { true } else { false } }
    }

    private static func isEmptyOnPurpose(_ lines: [TokenLine]) -> Bool {
        lines.contains { if case .comment(let text) = $0 { text == TokenLine.emptyMark } else { false } }
    }

    private func save() throws(Place.Failure) {
        lines.removeAll { if case .comment(let text) = $0 { text == TokenLine.emptyMark } else { false } }
        if !Self.hasDevice(lines) { lines.append(.comment(TokenLine.emptyMark)) }
        try place.replace(with: Array(TokenLine.text(of: lines).utf8))
        identity = place.identity
        ended = []
        isBehind = false
        isRefused = false
    }
}

extension TokenDevice {
    /// Notes the tokens of the device whose place this one takes.
    mutating func retire(_ old: TokenDevice?, at now: Int64) {
        guard let old else { return }
        retired = old.retired + [Retired(hash: old.hash, replaced: now)]
        retired.removeFirst(max(0, retired.count - TokenLimits.retired))
    }
}

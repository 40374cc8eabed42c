import CLinux
import Testing

@testable import Credentials

/// A folder that goes with its owner.
final class Folder {
    let path: String

    init() {
        var template = Array("/tmp/puck-test-XXXXXX".utf8CString)
        #expect(mkdtemp(&template) != nil)
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    func file(_ name: String) -> String { path + "/" + name }

    var names: [String] {
        var found: [String] = []
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(cString: $0.baseAddress!.assumingMemoryBound(to: CChar.self))
            }
            if name != "." && name != ".." { found.append(name) }
        }
        return found.sorted()
    }

    func write(_ name: String, _ text: String) throws {
        try withFolderLocked(of: file(name)) { () throws(CredentialError) in
            try replaceFile(file(name), with: Array(text.utf8), mode: 0o600)
        }
    }

    func text(_ name: String) throws -> String {
        String(decoding: try #require(try readFile(file(name))).bytes, as: UTF8.self)
    }

    func mode(_ name: String) -> mode_t {
        var status = stat()
        stat(file(name), &status)
        return status.st_mode & 0o777
    }

    deinit {
        for name in names { unlink(file(name)) }
        rmdir(path)
    }
}

@Suite("The hub's certificate")
struct CertificateTests {
    private func create(_ folder: Folder, names: [String] = [], addresses: [String] = [], days: Int = 3650) throws {
        try Certificate.create(
            names: names, addresses: addresses, certificateFile: folder.file("hub.pem"),
            keyFile: folder.file("hub.key"),
            nowUnixSeconds: 1_800_000_000, days: days)
    }

    @Test("the key is for its owner only, and nothing else is left in the folder")
    func modes() throws {
        let folder = Folder()
        try create(folder, names: ["hub.local"], addresses: ["192.168.1.10", "fd00::10"])
        #expect(folder.mode("hub.key") == 0o600)
        #expect(folder.mode("hub.pem") == 0o644)
        #expect(folder.names == ["hub.key", "hub.pem"])
        #expect(try folder.text("hub.key").hasPrefix("-----BEGIN PRIVATE KEY-----"))
        #expect(try Certificate.matches(certificateFile: folder.file("hub.pem"), keyFile: folder.file("hub.key")))
    }

    @Test("it is good for ten years, and says how long it still is")
    func expiry() throws {
        let folder = Folder()
        try create(folder)
        func days(at now: Int64) throws -> Int {
            try Certificate(readFrom: folder.file("hub.pem"), nowUnixSeconds: now).daysUntilExpiry
        }
        #expect(try days(at: 1_800_000_000) == 3650)
        #expect(try days(at: 1_800_000_000 + 3649 * 86_400 + 1) == 0)
        #expect(try days(at: 1_800_000_000 + 3652 * 86_400) == -2)
    }

    @Test("the fingerprint is SHA-256 in pairs, and each certificate has its own")
    func fingerprint() throws {
        let folder = Folder()
        try create(folder)
        let first = try Certificate(readFrom: folder.file("hub.pem"), nowUnixSeconds: 0).fingerprint
        #expect(first.utf8.count == 95)
        #expect(first.utf8.enumerated().allSatisfy { $0 % 3 == 2 ? $1 == UInt8(ascii: ":") : isLetterOrDigit($1) })
        #expect(first == first.uppercased())
        let key = try folder.text("hub.key")
        try create(folder)
        #expect(try Certificate(readFrom: folder.file("hub.pem"), nowUnixSeconds: 0).fingerprint != first)
        try folder.write("hub.key", key)
        #expect(try !Certificate.matches(certificateFile: folder.file("hub.pem"), keyFile: folder.file("hub.key")))
    }

    @Test("a clock that is not set makes a certificate with the dates of a clock that is")
    func clockNotSet() throws {
        let folder = Folder()
        try Certificate.create(
            names: [], addresses: [], certificateFile: folder.file("hub.pem"), keyFile: folder.file("hub.key"),
            nowUnixSeconds: 12)
        let read = try Certificate(
            readFrom: folder.file("hub.pem"), nowUnixSeconds: Certificate.earliestUnixSeconds)
        #expect(read.daysUntilExpiry == Certificate.defaultDays)
    }

    @Test(
        "what can be a name in the network",
        arguments: [
            ("hub", true), ("hub.local", true), ("a-1", true), ("under_score", false), ("küche", false), ("a b", false),
            ("", false), ("a..b", false), (String(repeating: "x", count: 63), true),
            (String(repeating: "x", count: 64), false),
        ])
    func isName(_ name: String, _ expected: Bool) {
        #expect(Certificate.isName(name) == expected)
    }

    @Test("names that are none are refused with what to write, and nothing is made")
    func badNames() {
        let folder = Folder()
        for name in ["", "a b", "hub.local,DNS:evil.example", "hub\n"] {
            #expect(throws: CredentialError.self) { try create(folder, names: [name]) }
        }
        #expect(throws: CredentialError.self) { try create(folder, addresses: ["300.1.1.1"]) }
        #expect(throws: CredentialError.self) { try create(folder, addresses: ["hub.local"]) }
        #expect(folder.names.isEmpty)
    }

    @Test("a file that is no certificate says so")
    func noCertificate() throws {
        let folder = Folder()
        try folder.write("hub.pem", "hello")
        #expect(throws: CredentialError.self) { try Certificate(readFrom: folder.file("hub.pem"), nowUnixSeconds: 0) }
        #expect(throws: CredentialError.file(path: folder.file("none"), call: "open", code: ENOENT)) {
            try Certificate(readFrom: folder.file("none"), nowUnixSeconds: 0)
        }
        #expect(throws: CredentialError.self) {
            try Certificate.create(
                names: [], addresses: [], certificateFile: folder.file("no/hub.pem"),
                keyFile: folder.file("no/hub.key"),
                nowUnixSeconds: 0)
        }
    }
}

@Suite("Device tokens")
struct DeviceTokenTests {
    @Test("a token is 43 characters of base64url, and never the same")
    func tokens() throws {
        var seen: Set<String> = []
        for _ in 0..<100 {
            let token = try DeviceToken.generate()
            #expect(token.utf8.count == 43)
            #expect(token.utf8.allSatisfy { isLetterOrDigit($0) || $0 == 0x2d || $0 == 0x5f })
            #expect(seen.insert(token).inserted)
        }
    }

    @Test("the hash is SHA-256 (FIPS 180-2, appendix B.1)")
    func hash() {
        #expect(DeviceToken.hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test("comparison tells equal from unequal at every length")
    func comparison() {
        #expect(DeviceToken.areEqual("", ""))
        #expect(DeviceToken.areEqual("abc", "abc"))
        #expect(!DeviceToken.areEqual("abc", "abd"))
        #expect(!DeviceToken.areEqual("abc", "ab"))
    }
}

@Suite("The hub's list of tokens")
struct TokenStoreTests {
    @Test("a device is known by its token until it is revoked, also to another reader of the file")
    func lifecycle() throws {
        let folder = Folder()
        let store = try TokenStore(path: folder.file("tokens"))
        let reader = try TokenStore(path: folder.file("tokens"))
        #expect(store.devices.isEmpty)
        let kitchen = try store.add("kitchen", nowUnixSeconds: 1_800_000_000)
        let hall = try store.add("hall", nowUnixSeconds: 1_800_000_001)
        #expect(folder.mode("tokens") == 0o600)
        #expect(folder.names == ["tokens"])
        #expect(try !folder.text("tokens").contains(kitchen))
        #expect(store.device(ofToken: kitchen)?.name == "kitchen")
        #expect(store.device(ofToken: "")?.name == nil)
        #expect(reader.device(ofToken: hall)?.name == nil)
        #expect(try reader.reloadIfChanged())
        #expect(try !reader.reloadIfChanged())
        #expect(reader.device(ofToken: hall)?.name == "hall")
        #expect(reader.devices == store.devices)
        #expect(try reader.revoke("kitchen"))
        #expect(try !reader.revoke("kitchen"))
        #expect(try store.reloadIfChanged())
        #expect(store.device(ofToken: kitchen)?.name == nil)
        #expect(store.devices.map(\.name) == ["hall"])
        #expect(store.devices[0].created == 1_800_000_001)
    }

    @Test("two writers lose nothing of each other's, and comments stay")
    func twoWriters() throws {
        let folder = Folder()
        try folder.write("tokens", "# the house\n\n")
        let first = try TokenStore(path: folder.file("tokens"))
        let second = try TokenStore(path: folder.file("tokens"))
        _ = try first.add("a", nowUnixSeconds: 1)
        _ = try second.add("b", nowUnixSeconds: 2)
        _ = try first.add("c", nowUnixSeconds: 3)
        #expect(first.devices.map(\.name) == ["a", "b", "c"])
        #expect(try folder.text("tokens").hasPrefix("# the house\n\na "))
    }

    @Test("a FIFO, a folder or a device in the file's place is refused, without waiting for it")
    func specialFiles() {
        let folder = Folder()
        #expect(mkfifo(folder.file("fifo"), 0o600) == 0)
        for path in [folder.file("fifo"), folder.path, "/dev/null"] {
            let refusal = CredentialError.invalid("\(path) is not a regular file")
            #expect(throws: refusal) { try TokenStore(path: path) }
            #expect(throws: refusal) { try Certificate(readFrom: path, nowUnixSeconds: 0) }
        }
    }

    @Test("a name is used once, and must be a name")
    func names() throws {
        let folder = Folder()
        let store = try TokenStore(path: folder.file("tokens"))
        _ = try store.add("kitchen", nowUnixSeconds: 1)
        #expect(throws: CredentialError.self) { try store.add("kitchen", nowUnixSeconds: 1) }
        for name in ["", "a b", "#a", "a\nb", String(repeating: "a", count: 65)] {
            #expect(throws: CredentialError.self) { try store.add(name, nowUnixSeconds: 1) }
        }
        #expect(store.devices.count == 1)
    }

    @Test("a broken line is named, and the list that was good stays in force")
    func brokenLines() throws {
        let folder = Folder()
        let store = try TokenStore(path: folder.file("tokens"))
        let token = try store.add("kitchen", nowUnixSeconds: 1)
        let hash = DeviceToken.hash(token)
        for (number, text) in [
            (1, "kitchen\n"), (2, "# fine\nkitchen \(hash) 1 more\n"), (1, "kitchen abc 1\n"),
            (1, "kitchen \(hash) -1\n"), (2, "kitchen \(hash) 1\nkitchen \(hash) 1\n"), (1, "kit/chen \(hash) 1\n"),
            // One second into the year 10000; and more days than a 32-bit word counts.
            (1, "kitchen \(hash) 253402300800\n"), (1, "kitchen \(hash) \(Int64.max)\n"),
        ] {
            try folder.write("tokens", text)
            do {
                try store.reloadIfChanged()
                Issue.record("accepted '\(text)'")
            } catch {
                #expect(error.message.hasPrefix("\(folder.file("tokens")):\(number): "))
            }
            #expect(store.device(ofToken: token)?.name == "kitchen")
            #expect(try !store.reloadIfChanged())
        }
        try folder.write("tokens", "hall\t\(hash.uppercased())  253402300799\r\n")
        #expect(try store.reloadIfChanged())
        #expect(store.device(ofToken: token)?.name == "hall")
    }
}

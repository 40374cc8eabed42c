import CLinux
import LinuxIO
import Testing

@Suite struct PairingFileTests {
    private let file = PairingFile(
        host: "hub.local", port: 7443, certificateName: "nas", token: "first-token", puckID: "kitchen",
        room: "cellar", certificate: "-----BEGIN CERTIFICATE-----\ntoken = no\n-----END CERTIFICATE-----\n")

    @Test("a pairing is one file for its owner, whose keys stand before the certificate")
    func written() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("pairing")
        try file.write(to: path)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        let bytes = try readSmallFile(path)
        #expect(String(decoding: bytes, as: UTF8.self) == file.text)
        let settings = PairingFile.settings(of: bytes)
        #expect(settings.hasSuffix("token = first-token\n[puck]\nid = kitchen\nroom = cellar\n"))
        #expect(file.text == settings + file.certificate)
    }

    @Test("a new token takes the old one's place and leaves the rest, whatever its length")
    func replaced() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("pairing")
        try file.write(to: path)
        for token in ["a-much-longer-second-token", "third"] {
            try PairingFile.replaceToken(at: path, with: token)
            var expected = file
            expected.token = token
            #expect(try String(decoding: readSmallFile(path), as: UTF8.self) == expected.text)
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        }
        #expect(folder.names == ["pairing"])
    }

    @Test("without a file, or a token in it, nothing is written")
    func broken() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("pairing")
        #expect(throws: SystemError.self) { try PairingFile.replaceToken(at: path, with: "x") }
        try writeFileAtomically(path, Array("[hub]\nhost = x\n".utf8))
        #expect(throws: SystemError.self) { try PairingFile.replaceToken(at: path, with: "x") }
        #expect(try readSmallFile(path) == Array("[hub]\nhost = x\n".utf8))
    }

    @Test("what root writes into somebody's folder is his", .enabled(if: geteuid() == 0, "needs root"))
    func owner() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        #expect(chown(folder.path, 65_534, 65_533) == 0)
        try file.write(to: folder.file("pairing"))
        try PairingFile.replaceToken(at: folder.file("pairing"), with: "second-token")
        var status = stat()
        #expect(stat(folder.file("pairing"), &status) == 0 && status.st_uid == 65_534 && status.st_gid == 65_533)
    }
}

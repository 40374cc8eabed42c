import Foundation
import RepositoryFiles
import Testing

@testable import Credentials

/// docs/vectors/pairing.txt, with which other implementations check themselves.
@Suite("Vectors of a pairing")
struct PairingVectorTests {
    /// Each value by its name.
    private static func values() throws -> [String: [UInt8]] {
        let text = try RepositoryFiles.text("docs/vectors/pairing.txt")
        var values: [String: [UInt8]] = [:]
        for block in text.components(separatedBy: "\n\n").dropFirst() {
            let lines = block.split(separator: "\n")
            let name = lines[0].prefix { $0 != ":" }
            let digits = lines.dropFirst().joined().filter { $0 != " " }
            if name.hasPrefix("pair_") {
                values[String(name)] = Array(digits.utf8)
            } else {
                #expect(digits.count.isMultiple(of: 2) && digits.allSatisfy(\.isHexDigit), "\(name)")
                let bytes = digits.compactMap { $0.hexDigitValue.map { UInt8($0) } }
                values[String(name)] = stride(from: 0, to: bytes.count, by: 2).map { bytes[$0] << 4 | bytes[$0 + 1] }
            }
        }
        return values
    }

    @Test("what the document says of a whole pairing is what both ends compute, value by value")
    func pairing() throws {
        let known = try Self.values()
        func value(_ name: String) throws -> [UInt8] { try #require(known[name], "\(name)") }
        let group = PasswordGroup.pairing
        #expect(try BigNumber(copiedModulus(of: group), "copying").bytes(group.bytes) == value("N"))
        #expect(try value("g") == [5] && value("I") == Array(PasswordVerifier.user.utf8))
        let code = String(decoding: try value("P"), as: UTF8.self)
        #expect(PairingSecret.typed(code: code) == code)
        let salt = try value("salt")
        #expect(salt.count == PasswordVerifier.saltBytes)

        let verifier = try PasswordVerifier(user: PasswordVerifier.user, password: code, salt: salt, group: group)
        #expect(try verifier.verifier.bytes(group.bytes) == value("v"))
        let client = try PasswordClient(group: group, secret: try value("a"))
        #expect(try client.publicKey == value("A"))
        let server = try PasswordServer(verifier, clientKey: client.publicKey, secret: try value("b"))
        #expect(try server.publicKey == value("B"))
        let shared = try client.sharedSecret(
            user: PasswordVerifier.user, password: code, salt: salt, serverKey: server.publicKey)
        #expect(try shared == value("S"))
        #expect(try server.key == value("K"))
        #expect(try client.key(password: code, salt: salt, serverKey: server.publicKey) == value("K"))

        #expect(try sha256(try value("certificate")) == value("F"))
        let transcript = PairingTranscript(
            salt: salt, puckKey: client.publicKey, hubKey: server.publicKey, certificate: try value("certificate"),
            channelBinding: try value("X"))
        #expect(try transcript.hash == value("T"))
        #expect(try transcript.puckProof(key: server.key) == value("puck_proof"))
        #expect(try transcript.hubProof(key: server.key) == value("hub_proof"))
    }

    @Test("the four messages of the document carry these values")
    func messages() throws {
        let known = try Self.values()
        for (message, member, name) in [
            ("pair_begin", "key", "A"), ("pair_challenge", "salt", "salt"), ("pair_challenge", "key", "B"),
            ("pair_proof", "proof", "puck_proof"), ("pair_done", "proof", "hub_proof"),
        ] {
            let text = try #require(known[message])
            let json = try #require(try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any])
            let expected = try #require(known[name]).map { String(format: "%02x", $0) }.joined()
            #expect(json[member] as? String == expected, "\(message)")
            #expect(json["op"] as? String == message)
        }
    }

    @Test("a salt never begins with a zero, which some implementations would leave out of the hash")
    func salts() throws {
        // One in 256 would.
        for _ in 0..<2_000 {
            #expect(try PasswordVerifier(password: "12345678", group: PasswordGroup(name: "1024")).salt[0] != 0)
        }
    }
}

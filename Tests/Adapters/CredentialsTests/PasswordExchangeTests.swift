import Testing

@testable import Credentials

@Suite("SRP-6a")
struct PasswordExchangeTests {
    /// RFC 5054, appendix B: 1024-bit group, SHA-1.
    private enum Known {
        static let group = PasswordGroup(name: "1024")
        static let salt = bytes("BEB25379 D1A8581E B5A72767 3A2441EE")
        static let clientSecret = bytes("60975527 035CF2AD 1989806F 0407210B C81EDC04 E2762A56 AFD529DD DA2D4393")
        static let serverSecret = bytes("E487CB59 D31AC550 471E81F0 0F6928E0 1DDA08E9 74A004F4 9E61F5D1 05284D20")
        static let verifier = bytes(
            """
            7E273DE8 696FFC4F 4E337D05 B4B375BE B0DDE156 9E8FA00A 9886D812 9BADA1F1 822223CA 1A605B53 0E379BA4
            729FDC59 F105B478 7E5186F5 C671085A 1447B52A 48CF1970 B4FB6F84 00BBF4CE BFBB1681 52E08AB5 EA53D15C
            1AFF87B2 B9DA6E04 E058AD51 CC72BFC9 033B564E 26480D78 E955A5E2 9E7AB245 DB2BE315 E2099AFB
            """)
        static let clientKey = bytes(
            """
            61D5E490 F6F1B795 47B0704C 436F523D D0E560F0 C64115BB 72557EC4 4352E890 3211C046 92272D8B 2D1A5358
            A2CF1B6E 0BFCF99F 921530EC 8E393561 79EAE45E 42BA92AE ACED8251 71E1E8B9 AF6D9C03 E1327F44 BE087EF0
            6530E69F 66615261 EEF54073 CA11CF58 58F0EDFD FE15EFEA B349EF5D 76988A36 72FAC47B 0769447B
            """)
        static let serverKey = bytes(
            """
            BD0C6151 2C692C0C B6D041FA 01BB152D 4916A1E7 7AF46AE1 05393011 BAF38964 DC46A067 0DD125B9 5A981652
            236F99D9 B681CBF8 7837EC99 6C6DA044 53728610 D0C6DDB5 8B318885 D7D82C7F 8DEB75CE 7BD4FBAA 37089E6F
            9C6059F3 88838E7A 00030B33 1EB76840 910440B1 B27AAEAE EB4012B7 D7665238 A8E3FB00 4B117B58
            """)
        static let shared = bytes(
            """
            B0DC82BA BCF30674 AE450C02 87745E79 90A3381F 63B387AA F271A10D 233861E3 59B48220 F7C4693C 9AE12B0A
            6F67809F 0876E2D0 13800D6C 41BB59B6 D5979B5C 00A172B4 A2A5903A 0BDCAF8A 709585EB 2AFAFA8F 3499B200
            210DCC1F 10EB3394 3CD67FC8 8A2F39A4 BE5BEC4E C0A3212D C346D7E4 74B29EDE 8A469FFE CA686E5A
            """)

        static func bytes(_ text: String) -> [UInt8] {
            let digits = text.filter(\.isHexDigit).map { UInt8($0.hexDigitValue!) }
            return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        }
    }

    @Test("the values of RFC 5054, appendix B, come out")
    func knownVectors() throws {
        let verifier = try PasswordVerifier(
            user: "alice", password: "password123", salt: Known.salt, group: Known.group)
        #expect(try verifier.verifier.bytes(128) == Known.verifier)
        let client = try PasswordClient(group: Known.group, secret: Known.clientSecret)
        #expect(client.publicKey == Known.clientKey)
        let server = try PasswordServer(verifier, clientKey: client.publicKey, secret: Known.serverSecret)
        #expect(server.publicKey == Known.serverKey)
        let shared = try client.sharedSecret(
            user: "alice", password: "password123", salt: Known.salt, serverKey: server.publicKey)
        #expect(shared == Known.shared)
        #expect(server.key == sha256(Known.shared))
    }

    private static let certificate: [UInt8] = Array("the hub's".utf8)
    private static let channel = [UInt8](repeating: 7, count: 32)

    /// One run in the group of pairing: the proofs that each end makes, and those that it expects.
    private struct Run {
        let puckShows: [UInt8]
        let hubExpects: [UInt8]
        let hubAnswers: [UInt8]
        let puckExpects: [UInt8]

        init(
            code: String = "12345678", typed: String = "12345678", seen: [UInt8] = certificate,
            channel puckChannel: [UInt8] = channel
        ) throws {
            let verifier = try PasswordVerifier(password: code)
            let client = try PasswordClient()
            let server = try PasswordServer(verifier, clientKey: client.publicKey)
            let key = try client.key(password: typed, salt: verifier.salt, serverKey: server.publicKey)
            let puck = PairingTranscript(
                salt: verifier.salt, puckKey: client.publicKey, hubKey: server.publicKey, certificate: seen,
                channelBinding: puckChannel)
            let hub = PairingTranscript(
                salt: verifier.salt, puckKey: client.publicKey, hubKey: server.publicKey, certificate: certificate,
                channelBinding: PasswordExchangeTests.channel)
            puckShows = puck.puckProof(key: key)
            puckExpects = puck.hubProof(key: key)
            hubExpects = hub.puckProof(key: server.key)
            hubAnswers = hub.hubProof(key: server.key)
        }
    }

    @Test("both ends prove the same key when code, certificate and session are the same")
    func agrees() throws {
        let run = try Run()
        #expect(PairingTranscript.areEqual(run.puckShows, run.hubExpects))
        #expect(PairingTranscript.areEqual(run.hubAnswers, run.puckExpects))
        #expect(run.puckShows != run.hubAnswers, "a proof that is sent back is not the other's")
    }

    @Test("a code that differs in one digit proves nothing, neither way")
    func wrongCode() throws {
        let run = try Run(typed: "12345679")
        #expect(run.puckShows != run.hubExpects && run.hubAnswers != run.puckExpects)
    }

    @Test("a man in the middle who shows another certificate cannot pass the proofs on")
    func otherCertificate() throws {
        let run = try Run(seen: Array("somebody else's".utf8))
        #expect(run.puckShows != run.hubExpects && run.hubAnswers != run.puckExpects)
    }

    @Test("nor can one who shows the right certificate over a session of his own")
    func otherSession() throws {
        let run = try Run(channel: [UInt8](repeating: 8, count: 32))
        #expect(run.puckShows != run.hubExpects && run.hubAnswers != run.puckExpects)
    }

    @Test("proofs of one run are worth nothing in the next")
    func replay() throws {
        let first = try Run()
        let second = try Run()
        #expect(first.puckShows != second.hubExpects && first.hubAnswers != second.puckExpects)
    }

    @Test("keys that would fix the secret are refused: zero, the modulus, and what is no number of the group")
    func degenerateKeys() throws {
        let verifier = try PasswordVerifier(password: "12345678")
        let client = try PasswordClient()
        let size = PasswordGroup.pairing.bytes
        let modulus = try BigNumber(copiedModulus(of: .pairing), "copying").bytes(size)
        let zero = [UInt8](repeating: 0, count: size)
        let most = [UInt8](repeating: 0xff, count: size)
        for key in [zero, modulus, most, [], Array(client.publicKey.dropLast())] {
            #expect(throws: CredentialError.self) { try PasswordServer(verifier, clientKey: key) }
            #expect(throws: CredentialError.self) {
                try client.key(password: "12345678", salt: verifier.salt, serverKey: key)
            }
        }
    }

    @Test("a code is eight digits, however it is typed; nothing else is one")
    func codes() throws {
        let codes = try (0..<200).map { _ in try PairingSecret.code() }
        #expect(codes.allSatisfy { $0.utf8.count == 8 && $0.allSatisfy(\.isNumber) })
        #expect(Set(codes).count > 190)
        #expect(PairingSecret.written(code: "12345678") == "1234-5678")
        #expect(PairingSecret.typed(code: "1234-5678") == "12345678")
        #expect(PairingSecret.typed(code: "1234 5678") == "12345678")
        for text in ["", "1234567", "123456789", "1234567a", "puck:hub:7443:x:y"] {
            #expect(PairingSecret.typed(code: text) == nil)
        }
        #expect(try PairingSecret.secret().utf8.count == 22)
    }
}

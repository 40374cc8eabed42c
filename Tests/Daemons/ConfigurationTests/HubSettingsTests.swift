import Settings
import Testing

@testable import HubRuntime

@Suite struct HubSettingsTests {
    private func read(_ document: SettingsDocument) throws -> (settings: HubSettings, schema: [SchemaEntry]) {
        var reader = SettingsReader(layers: [document], mainName: document.name)
        let settings = try HubSettings.read(&reader, hostName: "nas")
        return (settings, reader.schema)
    }

    @Test("the example shows exactly the keys that puckhub knows, with their defaults")
    func example() throws {
        let example = try ExampleFile("docs/examples/puckhub.conf")
        let schema = try read(example.allUncommented(except: [])).schema
        #expect(example.disagreements(with: schema) == [])
        #expect(example.keys.filter { !$0.isCommentedOut } == [])
    }

    @Test("the example as it stands is a working hub with the defaults")
    func exampleIsDefaults() throws {
        let example = try ExampleFile("docs/examples/puckhub.conf")
        let all = try read(example.allUncommented(except: [])).settings
        let file = try HubSettings.load(path: Repository.path("docs/examples/puckhub.conf"), hostName: "nas")
        let none = try HubSettings.load(path: nil, hostName: "nas")
        for settings in [all, file] {
            #expect(settings.service == none.service && settings.certificate == none.certificate)
            #expect(settings.conversation == none.conversation && settings.responder == none.responder)
            #expect(settings.downlink == none.downlink && settings.tokenFile == none.tokenFile)
            #expect(settings.arbitration.windowMilliseconds == 100)
            #expect(settings.warnings == [])
        }
    }

    @Test("what the hub keeps lies in its state folder")
    func stateFolder() throws {
        let overrides = ["hub.state_dir=/srv/puck", "tls.key=/etc/key.pem"]
        let settings = try HubSettings.load(path: nil, overrides: overrides, hostName: "nas")
        #expect(settings.certificate.certificateFile == "/srv/puck/hub.crt")
        #expect(settings.certificate.keyFile == "/etc/key.pem")
        #expect(settings.tokenFile == "/srv/puck/tokens")
        #expect(settings.service.name == "nas")
    }

    @Test("a hub without TLS is warned of")
    func insecure() throws {
        let settings = try HubSettings.load(path: nil, overrides: ["tls.insecure=yes"], hostName: "nas")
        #expect(settings.warnings == ["[tls] insecure: tokens and voices travel unencrypted"])
    }

    @Test("a file to play must be named")
    func waveFile() throws {
        let errors = #expect(throws: SettingsErrors.self) {
            try HubSettings.load(path: nil, overrides: ["responder.kind=wav"], hostName: "nas")
        }
        let expected = "command line: [responder] wav_file: missing; kind = wav needs a WAV file to play"
        #expect(errors?.description == expected)
        let overrides = ["responder.kind=wav", "responder.wav_file=a.wav", "tls.names=hub.local, 10.0.0.2"]
        let settings = try HubSettings.load(path: nil, overrides: overrides, hostName: "nas")
        #expect(settings.responder.waveFile == "a.wav")
        #expect(settings.certificate.extraNames == ["hub.local", "10.0.0.2"])
    }

    @Test("what is listened on is an address, not a name")
    func listen() throws {
        for address in ["", "127.0.0.1", "0.0.0.0", "::", "::1", "fe80::1%wlan0", "::ffff:10.0.0.1"] {
            let settings = try HubSettings.load(path: nil, overrides: ["hub.listen=\(address)"], hostName: "nas")
            #expect(settings.service.listenAddress == address)
        }
        for word in ["localhost", "*", "10.0.0", "10.0.0.256", "10.0.0.1:7443", "[::1]", "fe80::1%", "1%lo", "::1::"] {
            let errors = #expect(throws: SettingsErrors.self) {
                try HubSettings.load(path: nil, overrides: ["hub.listen=\(word)"], hostName: "nas")
            }
            let expected = "found \"\(word)\"; allowed: an IPv4 or IPv6 address, or empty for all addresses"
            #expect(errors?.description == "command line: [hub] listen: \(expected)")
        }
    }

    @Test("the arbitration window stays within its bounds")
    func window() {
        for window in ["79", "121"] {
            let errors = #expect(throws: SettingsErrors.self) {
                try HubSettings.load(path: nil, overrides: ["arbitration.window_ms=\(window)"], hostName: "nas")
            }
            let expected = "command line: [arbitration] window_ms: found \"\(window)\"; allowed: 80…120 ms"
            #expect(errors?.description == expected)
        }
    }
}

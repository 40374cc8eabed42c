import CLinux
import LinuxIO
import Settings
import Testing

@testable import PuckRuntime

@Suite("What pairing has left")
struct PairedSettingsTests {
    /// The settings of a puck whose state folder holds a pairing, or `content`.
    private func read(
        _ text: String = "", isPaired: Bool = true, content: String? = nil
    ) throws -> (settings: PuckSettings, path: String) {
        var template = Array("/tmp/puck-test-XXXXXX".utf8CString)
        let folder = String(cString: mkdtemp(&template))
        let path = folder + "/pairing"
        defer {
            unlink(path)
            rmdir(folder)
        }
        let file = PairingFile(
            host: "192.168.1.5", port: 7000, certificateName: "nas", token: "paired-token", puckID: "kitchen",
            room: "cellar", certificate: "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n")
        if let content {
            try writeFileAtomically(path, Array(content.utf8))
        } else if isPaired {
            try file.write(to: path)
        }
        let document = SettingsDocument(
            text: "[puck]\nboard_dir = /nonexistent\nstate_dir = \(folder)\n" + text, name: "f")
        var reader = SettingsReader(layers: [document], mainName: "f")
        return (try PuckSettings.read(&reader, hostName: "raspberrypi"), path)
    }

    @Test("an empty configuration and a pairing make a whole puck: address, names, token and pinned certificate")
    func whole() throws {
        let (settings, path) = try read()
        #expect(settings.hub.isComplete && settings.hub.host == "192.168.1.5" && settings.hub.port == 7000)
        #expect(settings.hub.token.value == "paired-token" && settings.hub.certificateName == "nas")
        #expect(settings.hub.authorityFile == path && settings.pairingFile == path)
        #expect(settings.identity.id == "kitchen" && settings.identity.room == "cellar")
        #expect(settings.identity.group == "cellar" && settings.warnings == [])
        #expect(settings.coreIdentity.keepsToken)
    }

    @Test("what the configuration says wins: a fixed address, a room, an authority")
    func configurationWins() throws {
        let settings = try read("room = hall\n[hub]\nhost = hub.example\nca_file = /x\n").settings
        #expect(settings.hub.host == "hub.example" && settings.hub.certificateName == "nas")
        #expect(settings.hub.authorityFile == "/x" && settings.hub.token.value == "paired-token")
        #expect(settings.identity.room == "hall" && settings.identity.id == "kitchen")
    }

    @Test("a token in the configuration is a pairing by hand: the file does not count at all")
    func byHand() throws {
        let settings = try read("[hub]\nhost = hub.example\ntoken = my-own-token\n").settings
        #expect(settings.pairingFile == nil && settings.hub.authorityFile == "" && settings.hub.port == 7443)
        #expect(settings.identity.id == "raspberrypi" && !settings.coreIdentity.keepsToken)
    }

    @Test("without either a puck starts, and has no hub")
    func unpaired() throws {
        #expect(try !read(isPaired: false).settings.hub.isComplete)
        #expect(try !read("[hub]\nhost = hub.example\n", isPaired: false).settings.hub.isComplete)
        #expect(throws: SettingsErrors.self) { try read("[hub]\ntoken = correct-horse\n", isPaired: false) }
    }

    @Test("a pairing may say nothing but what pairing gives")
    func strangeContent() {
        for content in ["[capture]\ndevice = x\n", "[hub]\nhost = a b\n", "nonsense\n"] {
            #expect(throws: SettingsErrors.self, "\(content)") { try read(content: content) }
        }
    }
}

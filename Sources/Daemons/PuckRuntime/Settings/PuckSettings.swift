import LinuxIO
import PuckWire
import Settings

/// What `puckd.conf` says, checked and complete. docs/examples/puckd.conf shows every key with its default and its
/// meaning; the tests hold that file and this one together.
public struct PuckSettings: Sendable {
    public var identity: IdentitySettings
    public var hub: HubLinkSettings
    public var capture: CaptureSettings
    public var playback: PlaybackSettings
    public var wake: WakeSettings
    public var endpoint: EndpointSettings
    public var opus: OpusSettings
    public var earcons: EarconSettings
    public var lights: LightSettings
    public var gpio: GPIOSettings
    public var network: NetworkSettings
    public var mixer: MixerSettings
    public var pairing: PairingSettings
    /// What the board's file says of the board itself.
    public var board: BoardDescription
    /// Where the hardware is looked for; "" but in tests.
    public var systemRoot = ""
    /// Of the wake words that were found in `[wake] wake_dir`; `EarWords` knows them.
    public var wakePhrases: [String] = []
    public var logLevel: LogLevel
    /// What pairing has left; nil when there is none, or the configuration has a token of its own.
    public var pairingFile: String?
    /// The control socket's path; empty for none.
    public var controlSocketPath: String
    /// What the daemon should log at its start, though it runs.
    public var warnings: [String]

    /// Sections that a board's file may set: what depends on the hardware, and nothing about the house.
    public static let boardSections = ["capture", "playback", "opus", "lights", "gpio", "mixer"]

    /// Reads the configuration: defaults, then the board's file, then `path`, then the command line, the later
    /// winning. Throws everything that is wrong with it.
    /// - Parameters:
    ///   - overrides: `SECTION.KEY=VALUE`, as `--set` takes them.
    ///   - hostName: the puck's id where none is configured; see `LinuxIO.hostName`.
    public static func load(
        path: String, overrides: [String] = [], hostName: String
    ) throws(SettingsErrors) -> PuckSettings {
        let advice = "write it after docs/examples/puckd.conf, or name another with --config FILE"
        let file = try SettingsDocument.read(path, advice: advice)
        var reader = SettingsReader(layers: [file, SettingsDocument(overrides: overrides)], mainName: path)
        return try read(&reader, hostName: hostName)
    }

    /// As `load`, from a reader, which then holds the schema.
    static func read(_ reader: inout SettingsReader, hostName: String) throws(SettingsErrors) -> PuckSettings {
        // What pairing says lies under everything, and names the puck; the identity names the board, whose file lies
        // under it likewise.
        let stateFolder = IdentitySettings.stateFolder(&reader)
        let isHubFixed = reader.isSet("hub", "host")
        let pairingFile = insertPairing(folder: stateFolder, into: &reader)
        let identity = IdentitySettings(&reader, stateFolder: stateFolder, hostName: hostName)
        let board = identity.insertBoard(into: &reader)
        let hub = HubLinkSettings(&reader, pairingFile: pairingFile, isFixed: isHubFixed)
        let hardware = HardwareSettings(&reader)
        hardware.check(board: board, &reader)
        var settings = PuckSettings(
            identity: identity, hub: hub, capture: hardware.capture, playback: hardware.playback,
            wake: WakeSettings(&reader), endpoint: EndpointSettings(&reader), opus: hardware.opus,
            earcons: EarconSettings(&reader), lights: hardware.lights, gpio: hardware.gpio,
            network: NetworkSettings(&reader), mixer: hardware.mixer,
            pairing: PairingSettings(&reader), board: board,
            logLevel: reader.choice("log", "level", default: LogLevel.info), pairingFile: pairingFile,
            controlSocketPath: reader.path("control", "socket", default: "/run/puckd/control", mayBeEmpty: true),
            warnings: [])
        try reader.finish()
        settings.warnings = reader.warnings
        return settings
    }
}

/// The sections that a board's file may set.
struct HardwareSettings {
    let capture: CaptureSettings
    let playback: PlaybackSettings
    let opus: OpusSettings
    let lights: LightSettings
    let gpio: GPIOSettings
    let mixer: MixerSettings

    init(_ reader: inout SettingsReader) {
        capture = CaptureSettings(&reader)
        playback = PlaybackSettings(&reader, microphonesPath: capture.usbPath)
        opus = OpusSettings(&reader)
        lights = LightSettings(&reader)
        gpio = GPIOSettings(&reader)
        mixer = MixerSettings(&reader)
    }

    /// What does not go together, across sections.
    func check(board: BoardDescription, _ reader: inout SettingsReader) {
        lights.check(against: gpio, &reader)
        for (section, path, device) in [
            ("capture", capture.usbPath, capture.device), ("playback", playback.usbPath, playback.device),
        ] where reader.isSet(section, "usb_path") && !path.isEmpty && !BoardDescription.namesCard(device) {
            reader.refuse(
                section, "usb_path", "chooses nothing, since device names no $CARD; set device = plughw:CARD=$CARD")
        }
        // Nobody knows what $CARD is when the board does not say it.
        if !board.cards.isEmpty || !board.usb.isEmpty { return }
        for (section, key, path, name) in [
            ("capture", "device", capture.usbPath, capture.device),
            ("playback", "device", playback.usbPath, playback.device),
            ("playback", "control_device", playback.usbPath, playback.controlDevice),
        ] where path.isEmpty && BoardDescription.namesCard(name) {
            reader.refuse(
                section, key,
                "names $CARD, but board '\(board.name)' has no card; name the card itself, or its port in usb_path")
        }
    }
}

/// `[puck]`: who and where this puck is.
public struct IdentitySettings: Equatable, Sendable {
    /// 1…32 of a-z, 0-9, - and _; unique in the house.
    public var id: String
    public var room: String
    /// Pucks of one group hear the same voices and arbitrate among each other.
    public var group: String
    public var board: String
    /// Where its file is looked for: in the first of these that has it.
    public var boardFolders: [String]
    /// Where the volume and the mute are kept from one start to the next; empty for nowhere.
    public var stateFolder: String

    static func stateFolder(_ reader: inout SettingsReader) -> String {
        reader.path("puck", "state_dir", default: "/var/lib/puckd", mayBeEmpty: true)
    }

    init(_ reader: inout SettingsReader, stateFolder: String, hostName: String) {
        self.stateFolder = stateFolder
        id = reader.word("puck", "id", default: Self.id(hostName: hostName))
        room = reader.word("puck", "room", default: "home")
        group = reader.word("puck", "group", default: room)
        board = reader.word("puck", "board", default: "generic")
        boardFolders = Self.boardFolders(&reader)
    }

    /// The host name without its domain, in the letters that an id may have.
    static func id(hostName: String) -> String {
        var bytes: [UInt8] = []
        for byte in hostName.utf8.prefix(while: { $0 != UInt8(ascii: ".") }).prefix(32) {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): bytes.append(byte | 0x20)
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                bytes.append(byte)
            default: bytes.append(UInt8(ascii: "-"))
            }
        }
        return bytes.isEmpty ? "puck" : String(decoding: bytes, as: UTF8.self)
    }

    static func boardFolders(_ reader: inout SettingsReader) -> [String] {
        reader.list("puck", "board_dir", most: 8, default: BoardFolders.usual, of: "folders") { !$0.isEmpty }
    }

    /// Without a configured board a missing `generic.conf` is no fault: it holds nothing but the defaults.
    func insertBoard(into reader: inout SettingsReader) -> BoardDescription {
        guard let path = BoardFolders(folders: boardFolders).path(of: board) else {
            if reader.isSet("puck", "board") {
                var list = ""
                for folder in boardFolders { list += (list.isEmpty ? "" : " or ") + folder }
                reader.refuse(
                    "puck", "board",
                    "no \(board).conf in \(list); 'puckd --detect' names this machine's, or set board_dir")
            }
            return BoardDescription(name: board)
        }
        do throws(SettingsErrors) {
            let file = try BoardDescription.read(path, name: board)
            reader.insertLowest(file.settings, sections: PuckSettings.boardSections)
            return file.board
        } catch {
            reader.refuse(error)
            return BoardDescription(name: board)
        }
    }
}

/// `[hub]`: the way to the hub and what proves who this puck is.
public struct HubLinkSettings: Sendable {
    /// Empty in a puck that is not paired and has no host configured.
    public var host: String
    /// 1…65535.
    public var port: Int
    /// The WebSocket's path, from "/" on.
    public var path: String
    /// PEM file with the authorities to trust; empty for the system's.
    public var authorityFile: String
    /// The name that the hub's certificate must carry.
    public var certificateName: String
    /// SHA-256 of certificates that are believed for themselves.
    public var trusted: [String]
    /// That was written down; else it is the host.
    var isCertificateNamed: Bool
    /// Empty in a puck that is not paired and has none configured.
    public var token: Secret
    /// Plain `ws://`: the token and the voice travel readable. For a loopback or a trusted wire.
    public var isInsecure: Bool

    /// The configuration names the hub, and not pairing.
    var isFixed: Bool

    init(_ reader: inout SettingsReader, pairingFile: String?, isFixed: Bool) {
        self.isFixed = isFixed
        host = reader.host("hub", "host", default: "")
        port = reader.integer("hub", "port", default: 7443, range: 1...65535)
        path = reader.value("hub", "path", default: "/puck", written: "/puck", allowed: "a path from / on") {
            $0.utf8.first == UInt8(ascii: "/") && $0.utf8.count <= 128 ? $0 : nil
        }
        let isPinned = pairingFile != nil && !reader.isSet("hub", "ca_file")
        authorityFile = reader.path("hub", "ca_file", default: "")
        if isPinned { authorityFile = pairingFile ?? "" }
        isCertificateNamed = reader.isSet("hub", "certificate_name")
        certificateName = reader.host("hub", "certificate_name", default: host)
        trusted = reader.list(
            "hub", "trust", most: WireLimits.trustedCertificates, of: "SHA-256 in 64 hexadecimal digits"
        ) { word in
            word.utf8.count == 64
                && word.utf8.allSatisfy {
                    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                        || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
                }
        }
        token = reader.secret("hub", "token", fileKey: "token_file")
        isInsecure = reader.boolean("hub", "insecure", default: false)
        if host.isEmpty, !token.value.isEmpty {
            reader.refuse("hub", "host", "missing beside a token; allowed: a host name or an address")
        }
        if isInsecure, !isLoopback {
            reader.warn("[hub] insecure: the token and the voice travel unencrypted to \(host)")
        }
    }

    /// Whether there is a hub to connect to; else this puck waits for `puckctl join`.
    public var isComplete: Bool { !host.isEmpty && !token.value.isEmpty }

    var isLoopback: Bool { host == "localhost" || host == "::1" || host.utf8.starts(with: "127.".utf8) }
}

/// `[pairing]`: how a puck is introduced to a hub.
public struct PairingSettings: Equatable, Sendable {
    /// Pairing that nobody completes ends after so long, s.
    public var timeoutSeconds: Int

    init(_ reader: inout SettingsReader) {
        timeoutSeconds = reader.integer("pairing", "timeout_s", default: 600, range: 30...3600, unit: "s")
    }
}

/// `[endpoint]`: when an utterance is over.
public struct EndpointSettings: Equatable, Sendable {
    /// Silence after speech that ends the utterance, ms.
    public var hangoverMilliseconds: Int
    /// Without any speech for so long after the wake word, the puck stops listening, ms.
    public var noSpeechMilliseconds: Int
    /// The longest utterance, ms.
    public var utteranceLimitMilliseconds: Int

    init(_ reader: inout SettingsReader) {
        // Up to a minute, for dictation and for benchmarks, which must not be cut.
        hangoverMilliseconds = reader.integer("endpoint", "hangover_ms", default: 700, range: 200...60_000, unit: "ms")
        noSpeechMilliseconds = reader.integer(
            "endpoint", "no_speech_ms", default: 5000, range: 1000...120_000, unit: "ms")
        utteranceLimitMilliseconds = reader.integer(
            "endpoint", "utterance_limit_ms", default: 15_000, range: 1000...120_000, unit: "ms")
    }
}

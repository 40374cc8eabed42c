import Credentials
import HubCore
import LinuxIO
import Settings

/// What `puckhub.conf` says, checked and complete. docs/examples/puckhub.conf shows every key with its default and its
/// meaning; the tests hold that file and this one together.
public struct HubSettings: Sendable {
    public var service: ServiceSettings
    public var certificate: CertificateSettings
    /// The file with the pucks' tokens.
    public var tokenFile: String
    /// A paired puck's token is replaced when it is so old; 0 for never.
    public var rotateDays: Int
    /// Where `puckhub play` and `puckhub status` reach the running hub; empty for nowhere.
    public var controlSocket: String
    public var arbitration: ArbitrationSettings
    public var conversation: ConversationSettings
    public var responder: ResponderSettings
    public var downlink: DownlinkSettings
    public var logLevel: LogLevel
    /// `[debug] record_dir`: where every conversation is recorded; empty for nowhere.
    public var recordFolder: String
    /// What the daemon should log at its start, though it runs.
    public var warnings: [String]

    /// Reads the configuration: defaults, then `path`, then the command line, the later winning. Throws everything
    /// that is wrong with it.
    /// - Parameters:
    ///   - path: nil for no file, since every key has a default.
    ///   - overrides: `SECTION.KEY=VALUE`, as `--set` takes them.
    ///   - hostName: the hub's name where none is configured; see `LinuxIO.hostName`.
    public static func load(
        path: String?, overrides: [String] = [], hostName: String
    ) throws(SettingsErrors) -> HubSettings {
        var layers = [SettingsDocument(overrides: overrides)]
        if let path {
            let advice = "write it after docs/examples/puckhub.conf, or name another with --config FILE"
            layers.insert(try SettingsDocument.read(path, advice: advice), at: 0)
        }
        var reader = SettingsReader(layers: layers, mainName: path ?? "command line")
        return try read(&reader, hostName: hostName)
    }

    /// As `load`, from a reader, which then holds the schema.
    static func read(_ reader: inout SettingsReader, hostName: String) throws(SettingsErrors) -> HubSettings {
        let service = ServiceSettings(&reader, hostName: hostName)
        let folder = service.stateFolder
        var settings = HubSettings(
            service: service, certificate: CertificateSettings(&reader, stateFolder: folder),
            tokenFile: reader.path("tokens", "file", default: folder + "/tokens"),
            rotateDays: reader.integer("tokens", "rotate_days", default: 90, range: 0...3650, unit: "days"),
            controlSocket: reader.path("control", "socket", default: folder + "/control", mayBeEmpty: true),
            arbitration: ArbitrationSettings(&reader),
            conversation: ConversationSettings(&reader), responder: ResponderSettings(&reader),
            downlink: DownlinkSettings(&reader),
            logLevel: reader.choice("log", "level", default: LogLevel.info),
            recordFolder: reader.path("debug", "record_dir", default: ""), warnings: [])
        if !settings.recordFolder.isEmpty {
            reader.warn("[debug] record_dir: everything that is said to a puck is written to disk")
        }
        if service.name == "localhost", !reader.isSet("hub", "name") {
            reader.warn(
                "[hub] name: this machine has no name of its own; pair the pucks by its address, or set [hub] name")
        }
        for name in [service.name] + settings.certificate.extraNames
        where !Certificate.isName(name) && !HubIdentity.isAddress(name) {
            let isOwn = name == service.name
            reader.warn(
                "[\(isOwn ? "hub" : "tls")] name\(isOwn ? "" : "s"): '\(name)' cannot be a name in the network (labels of 1 to "
                    + "63 letters, digits and hyphens), so it is not in the certificate"
                    + (isOwn ? "; set [hub] name to one, or pair the pucks by this machine's address" : ""))
        }
        try reader.finish()
        settings.warnings = reader.warnings
        return settings
    }
}

extension HubSettings {
    /// The keys of `fresh` that differ and are read at the start only, with commas between them; empty for none.
    func keysForRestart(_ fresh: HubSettings) -> String {
        let changes: [(key: String, isChanged: Bool)] = [
            ("[hub] name", service.name != fresh.service.name),
            ("[hub] listen", service.listenAddress != fresh.service.listenAddress),
            ("[hub] port", service.port != fresh.service.port),
            ("[hub] connections", service.mostConnections != fresh.service.mostConnections),
            ("[hub] state_dir", service.stateFolder != fresh.service.stateFolder),
            ("[hub] announce", service.isAnnounced != fresh.service.isAnnounced),
            ("[tls] certificate", certificate.certificateFile != fresh.certificate.certificateFile),
            ("[tls] key", certificate.keyFile != fresh.certificate.keyFile),
            ("[tls] names", certificate.extraNames != fresh.certificate.extraNames),
            ("[tls] insecure", certificate.isInsecure != fresh.certificate.isInsecure),
            ("[tokens] file", tokenFile != fresh.tokenFile),
            ("[control] socket", controlSocket != fresh.controlSocket),
        ]
        var text = ""
        for change in changes where change.isChanged { text += (text.isEmpty ? "" : ", ") + change.key }
        return text
    }
}

/// `[hub]`: where the hub listens and keeps its state.
public struct ServiceSettings: Equatable, Sendable {
    public var name: String
    /// The address to listen on; empty for all.
    public var listenAddress: String
    /// As the transport and a reader of the log take it.
    var listenText: String { listenAddress.isEmpty ? "*" : listenAddress }
    /// 1…65535; 0 takes a free one, for tests.
    public var port: Int
    /// More are refused.
    public var mostConnections: Int
    public var stateFolder: String
    /// Whether pucks may find this hub by mDNS.
    public var isAnnounced: Bool

    init(_ reader: inout SettingsReader, hostName: String) {
        name = reader.host("hub", "name", default: hostName.isEmpty ? "puckhub" : hostName)
        listenAddress = reader.address("hub", "listen", default: "")
        port = reader.integer("hub", "port", default: 7443, range: 0...65535)
        mostConnections = reader.integer("hub", "connections", default: 64, range: 1...1024)
        stateFolder = reader.path("hub", "state_dir", default: "/var/lib/puckhub")
        isAnnounced = reader.boolean("hub", "announce", default: true)
    }
}

/// `[tls]`: what proves to the pucks that this is their hub.
public struct CertificateSettings: Equatable, Sendable {
    /// PEM files, made at the first start when both are missing.
    public var certificateFile: String
    public var keyFile: String
    /// Names and addresses for the certificate beside the hub's own.
    public var extraNames: [String]
    /// Plain `ws://`: tokens and voices travel readable. For a loopback or a trusted wire.
    public var isInsecure: Bool

    init(_ reader: inout SettingsReader, stateFolder: String) {
        certificateFile = reader.path("tls", "certificate", default: stateFolder + "/hub.crt")
        keyFile = reader.path("tls", "key", default: stateFolder + "/hub.key")
        extraNames = reader.hosts("tls", "names")
        isInsecure = reader.boolean("tls", "insecure", default: false)
        if isInsecure { reader.warn("[tls] insecure: tokens and voices travel unencrypted") }
    }
}

/// `[arbitration]`: which of several pucks answers.
public struct ArbitrationSettings: Equatable, Sendable {
    /// How long candidates for one wake are collected, ms.
    public var windowMilliseconds: Int
    public var policy: ArbitrationPolicy
    /// Pucks that win ties, the most preferred first.
    public var preferred: [String]

    init(_ reader: inout SettingsReader) {
        // 80…120 ms: within them a window is long enough for the slowest puck and too short to be felt.
        windowMilliseconds = reader.integer("arbitration", "window_ms", default: 100, range: 80...120, unit: "ms")
        policy = reader.choice("arbitration", "policy", default: .nearest)
        preferred = reader.hosts("arbitration", "prefer")
    }
}

/// `[conversation]`: the two deadlines of a conversation.
public struct ConversationSettings: Equatable, Sendable {
    /// A puck that was granted must send audio within so many ms, else the runner-up is granted.
    public var firstAudioMilliseconds: Int
    /// The longest conversation, ms.
    public var limitMilliseconds: Int

    init(_ reader: inout SettingsReader) {
        firstAudioMilliseconds = reader.integer(
            "conversation", "first_audio_ms", default: 500, range: 100...1500, unit: "ms")
        limitMilliseconds = reader.integer(
            "conversation", "limit_ms", default: 30_000, range: 1000...600_000, unit: "ms")
    }
}

/// `[responder]`: who answers.
public struct ResponderSettings: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        /// Says back what it heard.
        case echo
        /// Plays a file.
        case wav
        case none
    }

    public var kind: Kind
    /// What `wav` plays; PCM16.
    public var waveFile: String

    init(_ reader: inout SettingsReader) {
        kind = reader.choice("responder", "kind", default: .echo)
        waveFile = reader.path("responder", "wav_file", default: "")
        if kind == .wav, waveFile.isEmpty {
            reader.refuse("responder", "wav_file", "missing; kind = wav needs a WAV file to play")
        }
    }
}

/// `[downlink]`: how answers are sent.
public struct DownlinkSettings: Equatable, Sendable {
    /// Sent ahead of what the puck has played, ms. The protocol allows 2 s at most.
    public var aheadMilliseconds: Int
    public var bitsPerSecond: Int
    /// 0…10.
    public var complexity: Int

    init(_ reader: inout SettingsReader) {
        aheadMilliseconds = reader.integer("downlink", "ahead_ms", default: 2000, range: 500...2000, unit: "ms")
        bitsPerSecond = reader.integer("downlink", "bitrate", default: 32_000, range: 6000...128_000, unit: "bit/s")
        complexity = reader.integer("downlink", "complexity", default: 5, range: 0...10)
    }
}

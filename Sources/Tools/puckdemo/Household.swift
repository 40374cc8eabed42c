import Foundation
import LinuxIO

/// The folder of a demonstration: recordings, configurations, logs; and the daemons that run in it.
final class Household {
    let folder: URL
    let options: Options
    let positions: [Position]
    private(set) var children: [Child] = []
    private(set) var logs: [LogFile] = []

    /// - Parameter folder: exists, and is the demo's own.
    init(folder: URL, options: Options, positions: [Position]) throws(DemoError) {
        self.folder = folder
        self.options = options
        self.positions = positions
        for program in ["puckd", "puckctl", "puckhub"] {
            try Self.requireFile(
                Self.absolute(options.binaries) + "/" + program, "build it with 'make embedded', or name --bin")
        }
        try Self.requireFile(models + "/okay_nabu.json", "fetch it with 'scripts/wakewords', or name --models")
        try Self.requireFile(plugin, "build it with 'make -C Tests/Fixtures/FakeALSA OUT=…', or name --plugin")
    }

    private static func absolute(_ path: String) -> String { URL(filePath: path).standardizedFileURL.path }

    private static func requireFile(_ path: String, _ advice: String) throws(DemoError) {
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw DemoError("\(path) is missing: \(advice)")
        }
    }

    private var plugin: String { Self.absolute(options.plugin) + "/libasound_module_pcm_puckfake.so" }
    private var models: String { Self.absolute(options.models) }
    private var hubState: URL { folder.appending(path: "hub") }
    private var hubConfiguration: URL { folder.appending(path: "puckhub.conf") }

    func microphone(_ puck: String) -> URL { folder.appending(path: "\(puck).microphone.wav") }
    func speaker(_ puck: String) -> URL { folder.appending(path: "\(puck).speaker.wav") }
    func heard(_ conversation: String) -> URL { hubState.appending(path: "\(conversation).heard.wav") }
    func sent(_ conversation: String) -> URL { hubState.appending(path: "\(conversation).sent.wav") }
    private var startFile: URL { folder.appending(path: "start") }

    private func write(_ text: String, to file: URL) throws(DemoError) {
        let path = file.path
        guard
            FileManager.default.createFile(
                atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        else { throw DemoError("cannot write \(path)") }
    }

    // MARK: Start

    /// The hub makes its certificate at this, its first start; the pucks trust that one certificate and no other.
    func startHub() throws(DemoError) {
        do { try FileManager.default.createDirectory(at: hubState, withIntermediateDirectories: true) } catch {
            throw DemoError("cannot make \(hubState.path): \(error.localizedDescription)")
        }
        try write(
            """
            [hub]
            name = localhost
            listen = 127.0.0.1
            port = 0
            state_dir = \(hubState.path)
            [responder]
            kind = echo
            [debug]
            record_dir = \(hubState.path)

            """, to: hubConfiguration)
        for position in positions {
            let said = try Tool.run(
                Self.absolute(options.binaries) + "/puckhub",
                ["--config", hubConfiguration.path, "token", "add", position.name], in: folder)
            guard let token = Self.token(in: said) else {
                throw DemoError("'puckhub token add \(position.name)' printed no token: \(said)")
            }
            try write(token + "\n", to: folder.appending(path: "\(position.name).token"))
        }
        try start(Happening.hub, "puckhub", hubConfiguration, [:])
    }

    /// The token is the one word of 32 bytes in base64url: 43 letters.
    static func token(in text: String) -> String? {
        text.split { !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_")) }
            .first { $0.utf8.count == 43 }.map(String.init)
    }

    func startPucks(hubPort: Int, mixes: [RoomMix]) throws(DemoError) {
        for (position, mix) in zip(positions, mixes) {
            let name = position.name
            try writeWAV(mix.samples, to: microphone(name))
            let sound = folder.appending(path: "\(name).asound.conf")
            try write(
                """
                pcm_type.puckfake { lib "\(plugin)" }
                pcm.mic { type puckfake  infile "\(microphone(name).path)"  start_file "\(startFile.path)" }
                pcm.speaker { type puckfake  outfile "\(speaker(name).path)" }

                """, to: sound)
            let configuration = folder.appending(path: "\(name).conf")
            try write(puckConfiguration(name, hubPort), to: configuration)
            try start(name, "puckd", configuration, ["ALSA_CONFIG_PATH": sound.path])
        }
    }

    /// Volume 100 is bit-exact, so that the recording can be compared sample by sample.
    private func puckConfiguration(_ name: String, _ hubPort: Int) -> String {
        """
        [hub]
        host = 127.0.0.1
        port = \(hubPort)
        certificate_name = localhost
        ca_file = \(hubState.path)/hub.crt
        token_file = \(folder.path)/\(name).token
        [puck]
        id = \(name)
        room = \(name)
        group = flat
        state_dir =
        [capture]
        device = mic
        zeros_ms = 0
        [playback]
        device = speaker
        volume = 100
        [wake]
        wake_dir = \(models)
        [control]
        socket =

        """
    }

    private func start(
        _ source: String, _ program: String, _ configuration: URL, _ environment: [String: String]
    ) throws(DemoError) {
        let log = folder.appending(path: "\(source).log").path
        children.append(
            try Child(
                name: source, executable: Self.absolute(options.binaries) + "/" + program,
                arguments: ["--config", configuration.path], environment: environment, output: log, errors: log))
        logs.append(try LogFile(source: source, path: log))
    }

    /// Lets the microphones hear, all from the same moment on: `begin`, in nanoseconds of CLOCK_MONOTONIC. Written
    /// beside and moved into place, for a puck must not read half a number.
    func releaseMicrophones(at begin: Int64) throws(DemoError) {
        let draft = folder.appending(path: "start.new")
        try write("\(begin)\n", to: draft)
        guard rename(draft.path, startFile.path) == 0 else { throw DemoError("cannot write \(startFile.path)") }
    }

    /// What the hub says about its decision.
    func explanation(_ conversation: String) throws(DemoError) -> String {
        try Tool.run(
            Self.absolute(options.binaries) + "/puckhub",
            ["--config", hubConfiguration.path, "explain", conversation], in: folder)
    }

    // MARK: End

    /// Ends what runs. Returns what did not end as it should: with status 0, on SIGTERM, in time.
    func end() -> [String] {
        let killed = Child.end(children)
        return children.filter { child in child.exitCode != 0 || killed.contains { $0 === child } }
            .map { "\($0.name) \($0.ending)" }
    }

    /// A daemon that left by itself.
    var fallen: Child? { children.first { $0.hasEnded() } }

    func lastWords(of source: String) -> [String] { logs.first { $0.source == source }?.lastLines ?? [] }
}

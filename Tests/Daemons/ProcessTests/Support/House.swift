import Foundation
import LinuxIO
import PuckBase
import Testing

/// One test's folder and the daemons that run in it.
final class House {
    let folder: URL
    private var children: [Child] = []
    /// Other programs that tests need; how they end says nothing.
    private var helpers: [Child] = []
    /// Of each hub, by its name.
    private var ports: [String: Int] = [:]
    private var tokens: [String: String] = [:]
    /// Of all programs that are started from now on, beside the sound device's.
    var environment: [String: String] = [:]

    private init() throws {
        // /tmp may lie in memory, where a puck would not have its token replaced.
        let usual = FileManager.default.temporaryDirectory
        let place = LastingFolder.problem(usual.path) == nil ? usual : URL(filePath: "/var/tmp")
        folder = place.appending(path: "puck-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    }

    /// Gives `body` a house, and afterwards, whatever happened, ends all that runs. A daemon that still ran must end with
    /// status 0: under a sanitizer that is also the proof that it had nothing to complain about.
    static func run(_ body: (House) async throws -> Void) async throws {
        let house = try House()
        defer { house.demolish() }
        try await body(house)
        for child in house.children.reversed() where !child.hasEnded {
            let (status, _) = try await child.terminate()
            #expect(status == 0, "\(child.name) ended with \(status) and said:\n\(child.tail)")
        }
    }

    private func demolish() {
        for child in children + helpers { child.kill() }
        try? FileManager.default.removeItem(at: folder)
    }

    func file(_ name: String) -> URL { folder.appending(path: name) }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: file(name))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file(name).path)
    }

    /// Runs a program to its end.
    func run(_ program: String, _ arguments: [String], devices: Bool = false) async throws -> (
        status: Int32, output: String
    ) {
        let child = try Child(
            Build.program(program), arguments, name: program, in: folder, devices ? deviceEnvironment : environment)
        children.append(child)
        return (try await child.exitStatus(), child.output)
    }

    /// Starts a program that goes on running, in a network and with file systems of its own when they are given.
    /// - Parameter errors: where its standard error goes instead of the child's output, as the shell writes it behind
    ///   `2>`: a path, or `&-` for closed.
    func start(
        _ program: String, _ arguments: [String], name: String, devices: Bool = false, network: Network? = nil,
        mounts: Mounts? = nil, errors: String? = nil
    ) throws -> Child {
        let redirection = errors.map { ["/bin/sh", "-c", "exec \"$0\" \"$@\" 2>\($0)"] } ?? []
        let spaces = (network?.prefix ?? []) + (mounts?.prefix ?? [])
        let command = try spaces + redirection + [Build.program(program)] + arguments
        let child = try Child(
            command[0], Array(command.dropFirst()), name: name, in: folder, devices ? deviceEnvironment : environment)
        children.append(child)
        return child
    }

    /// A daemon that a test started itself: ended, and looked at, as all are.
    func adopt(_ child: Child) { children.append(child) }

    /// Starts a command of the system's.
    func help(_ command: [String]) throws -> Child {
        let child = try Child(command[0], Array(command.dropFirst()), name: "helper", in: folder)
        helpers.append(child)
        return child
    }

    var deviceEnvironment: [String: String] {
        environment.merging(["ALSA_CONFIG_PATH": file("asound.conf").path]) { $1 }
    }

    // MARK: The hub

    /// Writes a hub's configuration and returns its path. `extra` are further lines, sections included.
    @discardableResult
    func configureHub(
        _ name: String = "hub", tls: Bool = false, address: String = "127.0.0.1", port: Int = 0, extra: String = ""
    ) throws -> String {
        try? FileManager.default.createDirectory(at: file(name), withIntermediateDirectories: false)
        try write(
            """
            [hub]
            name = localhost
            listen = \(address)
            port = \(port)
            state_dir = \(file(name).path)
            [tls]
            insecure = \(tls ? "no" : "yes")
            [log]
            level = debug
            [debug]
            record_dir = \(file(name).path)
            \(extra)

            """, to: "\(name).conf")
        return file("\(name).conf").path
    }

    /// Starts a hub and waits until it listens; on the same port when it is started again.
    func hub(
        _ name: String = "hub", tls: Bool = false, address: String = "127.0.0.1", extra: String = "",
        network: Network? = nil, mounts: Mounts? = nil
    ) async throws -> Child {
        let path = try configureHub(name, tls: tls, address: address, port: ports[name] ?? 0, extra: extra)
        let hub = try start("puckhub", ["--config", path], name: name, network: network, mounts: mounts)
        ports[name] = Int(try await hub.line("hub.listening")["port"] ?? "")
        return hub
    }

    func port(of hub: String = "hub") -> Int { ports[hub] ?? 1 }

    /// Of `puckhub status`.
    func count(_ name: String, hub: String = "hub") async throws -> Int {
        let said = try await run("puckhub", ["--config", file("\(hub).conf").path, "status"]).output
        let word = said.split { $0 == " " || $0 == "\n" }.first { $0.hasPrefix(name + "=") }
        guard let count = word.flatMap({ Int($0.dropFirst(name.count + 1)) }) else {
            throw Disappointment("no \(name) in: \(said)")
        }
        return count
    }

    /// Has a hub play a file of this house. Returns the play's number.
    func play(_ name: String, _ category: String, on puck: String = "kitchen") async throws -> String {
        let words = ["play", puck, file(name).path, category]
        let said = try await run("puckhub", ["--config", file("hub.conf").path] + words).output
        guard said.hasPrefix("play_id=") else { throw Disappointment("\(words) is answered with: \(said)") }
        return String(said.dropFirst(8).prefix { $0.isNumber })
    }

    /// What a hub recorded of a conversation: "heard", or "sent". It is written soon after the line of the log that says
    /// that it is over.
    func recording(_ conversation: String, _ what: String) async throws -> [Int16] {
        try await eventually("nothing was \(what) in \(conversation)") { hasRecording(conversation, what) }
        return Sound.read(file("hub/\(conversation).\(what).wav"))
    }

    func hasRecording(_ conversation: String, _ what: String) -> Bool {
        FileManager.default.fileExists(atPath: file("hub/\(conversation).\(what).wav").path)
    }

    /// What a hub could have given out; for tests in which none is asked.
    static let anyToken = "a-token-that-no-hub-knows"

    /// Makes a token, once for each name; the hub must have been configured.
    func token(_ name: String, hub: String = "hub") async throws -> String {
        if let known = tokens[hub + "/" + name] { return known }
        let said = try await run("puckhub", ["--config", file("\(hub).conf").path, "token", "add", name])
        let word = said.output.split { !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_")) }
            .first { $0.utf8.count == 43 }
        guard let word else { throw Disappointment("no token in: \(said.output)") }
        tokens[hub + "/" + name] = String(word)
        return String(word)
    }

    // MARK: Pucks

    enum Microphone {
        /// Somebody speaks without end.
        case talking
        case quiet
        /// The same from a device that has only this rate.
        case quietAt(rate: Int)
        /// Plays once, from the moment at which `release` is called.
        case saying([Int16])
        /// Plays once, from the moment at which the device is opened: sample n of it is number n of the capture.
        case hearing([Int16])
    }

    /// Writes a puck's configuration, its devices and, unless one is given, its token. Returns the arguments that
    /// `puckd` needs.
    func configurePuck(
        _ name: String = "kitchen", hub: String = "hub", tls: Bool = false, token: String? = nil, port: Int? = nil,
        microphone: Microphone = .talking, set: [String] = []
    ) async throws -> [String] {
        try writeDevices(name, microphone)
        try FileManager.default.createDirectory(at: file("\(name).state"), withIntermediateDirectories: true)
        var secret = token
        if secret == nil { secret = try await self.token(name, hub: hub) }
        let security = tls ? "ca_file = \(file(hub).path)/hub.crt\ncertificate_name = localhost" : "insecure = yes"
        try write(
            """
            [hub]
            host = 127.0.0.1
            port = \(port ?? self.port(of: hub))
            token = \(secret ?? "")
            \(security)
            [puck]
            id = \(name)
            group = flat
            \(puckParts(name))
            """, to: "\(name).conf")
        var settings = set
        switch microphone {
        case .talking, .quiet, .quietAt: break
        // What is known to the sample is compared to the sample.
        case .saying, .hearing:
            if !set.contains("capture.remove_offset=yes") { settings.append("capture.remove_offset=no") }
        }
        return ["--config", file("\(name).conf").path] + settings.flatMap { ["--set", $0] }
    }

    /// What the configurations of all pucks have in common; begins in the section [puck].
    func puckParts(_ name: String) -> String {
        """
        state_dir = \(file("\(name).state").path)
        [capture]
        device = \(name)-mic
        buffer_ms = 1000
        zeros_ms = 0
        [playback]
        device = \(name)-speaker
        buffer_ms = 400
        volume = 100
        [wake]
        detector = manual
        [endpoint]
        utterance_limit_ms = 1000
        [earcons]
        enabled = no
        [control]
        socket = \(file("\(name).control").path)

        """
    }

    /// Configures and starts a puck.
    func puck(
        _ name: String = "kitchen", hub: String = "hub", tls: Bool = false, token: String? = nil, port: Int? = nil,
        microphone: Microphone = .talking, set: [String] = [], network: Network? = nil
    ) async throws -> Child {
        let arguments = try await configurePuck(
            name, hub: hub, tls: tls, token: token, port: port, microphone: microphone, set: set)
        return try start("puckd", arguments, name: name, devices: true, network: network)
    }

    func writeDevices(_ name: String, _ microphone: Microphone) throws {
        var how = "loop yes"
        switch microphone {
        case .talking: try Sound.write(Sound.voice(seconds: 2), to: file("\(name).wav"))
        case .quiet: try Sound.write(Sound.noise(seconds: 2), to: file("\(name).wav"))
        case .quietAt(let rate):
            try Sound.write(Sound.noise(seconds: 2, rate: rate), to: file("\(name).wav"), rate: rate)
        case .saying(let samples):
            try Sound.write(samples, to: file("\(name).wav"))
            how = "start_file \"\(file("begin").path)\""
        case .hearing(let samples):
            try Sound.write(samples, to: file("\(name).wav"))
            how = ""
        }
        var text = (try? String(contentsOf: file("asound.conf"), encoding: .utf8)) ?? ""
        if text.isEmpty { text = "pcm_type.puckfake { lib \"\(try Build.plugin.get())\" }\n" }
        let control = "control \"\(faults(name).path)\""
        let speakerControl = "control \"\(faults(name + "-speaker").path)\""
        text += "pcm.\(name)-mic { type puckfake infile \"\(file("\(name).wav").path)\" \(how) \(control) }\n"
        text += "pcm.\(name)-speaker { type puckfake outfile \"\(speaker(name).path)\" \(speakerControl) }\n"
        try write(text, to: "asound.conf")
    }

    func speaker(_ name: String = "kitchen") -> URL { file("\(name).speaker.wav") }
    func faults(_ name: String = "kitchen") -> URL { file("\(name).faults") }

    /// Lets all microphones that wait for it speak, from one and the same instant on. It lies a little ahead, so that
    /// every device has read it by then: started each by its own clock they would be up to a period apart, and arbitration
    /// takes a puck that hears later for one that is further away.
    func release() throws {
        let start = MonotonicClock.now() + Interval.milliseconds(200)
        try write("\(start.nanoseconds)", to: "begin.new")
        guard rename(file("begin.new").path, file("begin").path) == 0 else { throw Disappointment("no start file") }
    }

    /// Appends a command to the script of a microphone's faults (Tests/Fixtures/FakeALSA/README.md); of a loudspeaker's, with
    /// "-speaker" behind the name.
    func fault(_ command: String, on name: String = "kitchen") throws {
        let old = (try? String(contentsOf: faults(name), encoding: .utf8)) ?? ""
        try Data((old + command + "\n").utf8).write(to: faults(name), options: .atomic)
    }

    func control(_ command: String..., puck name: String = "kitchen") async throws -> (status: Int32, output: String) {
        // As the tests read it: key=value in one line.
        let words = command == ["status"] ? ["status", "--plain"] : command
        return try await run("puckctl", ["--socket", file("\(name).control").path] + words)
    }

    /// Presses the button until the hub grants. It takes a wake within a second of another one for a late part of that.
    @discardableResult
    func wake(_ puck: Child) async throws -> String {
        let limit = ContinuousClock.now + patience
        while ContinuousClock.now < limit {
            puck.forgetThePast()
            puck.signal(SIGUSR1)
            let verdict = try await puck.first(of: ["wake.granted", "wake.cancelled", "wake.no_verdict"])
            if verdict.event == "wake.granted" { return verdict["conversation"] ?? "" }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Disappointment("\(puck.name) was never granted; it said:\n\(puck.tail)")
    }

    /// One conversation from the button to the end of the answer. Returns its id.
    @discardableResult
    func converse(_ puck: Child) async throws -> String {
        let conversation = try await wake(puck)
        try await puck.line("uplink.end", ["conversation": conversation, "reason": "timeout"])
        try await puck.line("play.start", ["conversation": conversation])
        try await puck.line("play.done")
        return conversation
    }
}

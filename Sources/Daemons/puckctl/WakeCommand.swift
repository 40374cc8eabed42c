import CLinux
import LinuxIO
import PuckBase
import PuckWire
import WakeFiles
import WakeModel
import WakeWord

/// `puckctl wake list|try|add|remove`: wake words as files, with the rights of who asks.
struct WakeCommand {
    static let usage = "wake takes nothing, or list, try FILE.wav, add NAME.json or remove NAME"

    let words: [String]
    let socket: String
    let models: [String]
    let isJSON: Bool
    let isForced: Bool
    /// Those of the command line; empty for the daemon's, or the usual.
    let wantedFolders: [String]

    init(_ arguments: CommandLineArguments, socket: String) throws(CommandLineError) {
        words = Array(arguments.positional.dropFirst())
        self.socket = socket
        models = arguments.values("model")
        isJSON = arguments.isSet("json")
        isForced = arguments.isSet("force")
        wantedFolders = arguments.values("wake-dir")
        let action = words.first ?? ""
        guard words.count == (action == "list" ? 1 : 2), ["list", "try", "add", "remove"].contains(action) else {
            let near = nearest(to: action, in: ["list", "try", "add", "remove"])
            throw Commands.misuse(Self.usage + (near.map { $0 == action ? "" : "; did you mean \($0)?" } ?? ""))
        }
        for (isSet, option, goes) in [
            (!models.isEmpty, "model", action == "try"), (isForced, "force", action == "remove"),
            (isJSON, "json", action == "list" || action == "try"),
        ] where isSet && !goes {
            throw Commands.misuse("--\(option) does not go with wake \(action)")
        }
    }

    func run() -> Int32 {
        switch words[0] {
        case "list": return list()
        case "try": return WakeTrial(file: words[1], models: models, isJSON: isJSON).run { folders }
        case "add": return add(words[1])
        default: return remove(words[1])
        }
    }

    /// What a running daemon says of itself; nil where none answers.
    private var status: StatusReply? {
        do throws(SystemError) { return StatusReply(try ControlClient.ask("status", at: socket)) } catch { return nil }
    }

    private var folders: WakeFolders { folders(of: wantedFolders.isEmpty ? status : nil) }

    private func folders(of status: StatusReply?) -> WakeFolders {
        if !wantedFolders.isEmpty { return WakeFolders(wantedFolders) }
        guard let told = status?.filled("wake_dirs") else { return WakeFolders(WakeFolders.usual) }
        return WakeFolders(told.split(separator: ":").map { String($0) })
    }

    /// The names that a running daemon listens for.
    private func listened(_ status: StatusReply?) -> [String] {
        (status?["wake_models"] ?? "").split(separator: ",").map { String($0) }
    }

    // MARK: List

    private func list() -> Int32 {
        let status = status
        let folders = folders(of: status)
        let listened = listened(status)
        var text = ""
        var entries: [JSONWriter] = []
        for name in folders.names {
            let path = folders.path(of: name) ?? ""
            var json = JSONWriter()
            json.set("model", name)
            json.set("file", path)
            json.set("listened_for", listened.contains(name))
            do throws(WakeFileError) {
                let file = try WakeFile(manifestPath: path)
                let manifest = file.manifest
                json.set("phrase", manifest.phrase)
                json.set("languages", manifest.languages)
                json.set("author", manifest.author)
                json.set("probability_cutoff", manifest.cutoff)
                json.set("sliding_window_size", manifest.window)
                json.set("memory_bytes", file.memoryBytes)
                json.set("multiplications", file.plan.work)
                var languages = ""
                for language in manifest.languages { languages += (languages.isEmpty ? "" : ",") + language }
                text += (listened.contains(name) ? "* " : "  ") + leftAligned(name, 20) + " "
                text += leftAligned("\"\(manifest.phrase)\"", 20) + " " + leftAligned(languages, 20)
                text += " cutoff \(fixed(manifest.cutoff, 2)), \((file.memoryBytes + 1023) / 1024) KiB\n"
            } catch {
                json.set("error", error.description)
                text += "! " + leftAligned(name, 20) + " " + error.description + "\n"
            }
            entries.append(json)
        }
        if isJSON {
            var root = JSONWriter()
            root.set("folders", folders.folders)
            root.set("models", entries)
            return Command.say(String(decoding: root.serialized(), as: UTF8.self))
        }
        if text.isEmpty {
            var names = ""
            for folder in folders.folders { names += (names.isEmpty ? "" : " or ") + folder }
            return Command.say("no wake words in \(names)")
        }
        if !listened.isEmpty { text += "* puckd listens for it\n" }
        return Command.say(text, end: "")
    }

    // MARK: Add and remove

    private func add(_ path: String) -> Int32 {
        let file: WakeFile
        do throws(WakeFileError) { file = try WakeFile(manifestPath: path) } catch {
            return Command.fail("puckctl: \(error.description)", error.isMissing ? ExitCode.noInput : ExitCode.refused)
        }
        guard WakeManifest.isName(file.name) else {
            return Command.fail(
                "puckctl: \(path): rename it: a wake word's name has letters without accents, digits, _, - and .",
                ExitCode.refused)
        }
        let status = status
        let folder = folders(of: status).folders.first ?? WakeFolders.usual[0]
        do throws(SystemError) {
            try makeFolder(folder)
            // The model first: a manifest without one is an error to whoever looks in between.
            let model = try readSmallFile(file.modelPath, limit: ModelLimits.fileBytes)
            let manifest = try readSmallFile(file.manifestPath, limit: WakeManifest.fileBytes)
            try writeFileAtomically("\(folder)/\(file.manifest.modelFile)", model, likeFolder: true)
            try writeFileAtomically("\(folder)/\(file.name).json", manifest, likeFolder: true)
        } catch {
            let isForbidden = error.code == EACCES || error.code == EPERM
            return Command.fail(
                "puckctl: \(error.description)" + (isForbidden ? "; try it with sudo" : ""),
                isForbidden ? ExitCode.notPermitted : ExitCode.cannotCreate)
        }
        var text = "\(file.name) (\"\(file.manifest.phrase)\") is in \(folder)"
        if status == nil {
            text += "; puckd does not run. [wake] models = \(file.name) makes it listen for it"
        } else if let failure = reload(&text, file.name) {
            return failure
        }
        return Command.say(text)
    }

    /// Has a daemon that runs read its wake words again. The exit status where that failed, and it has been said.
    private func reload(_ text: inout String, _ name: String) -> Int32? {
        do throws(SystemError) {
            let reply = try ControlClient.ask("reload-wake", at: socket)
            if let refusal = Command.refusal(in: reply) {
                return Command.fail("puckctl: \(text), but puckd: \(refusal)", ExitCode.refused)
            }
            text +=
                listened(status).contains(name)
                ? "; puckd listens for it"
                : "; write it into [wake] models of puckd.conf, and 'systemctl reload puckd'"
            return nil
        } catch { return Command.fail("puckctl: \(text), but \(error.description)", ExitCode.of(error)) }
    }

    private func remove(_ name: String) -> Int32 {
        guard WakeManifest.isName(name) else {
            return Command.fail("puckctl: \"\(name)\" is no wake word's name: 'puckctl wake list' shows them", 1)
        }
        let status = status
        let folders = folders(of: status)
        let folder = folders.folders.first ?? WakeFolders.usual[0]
        let path = "\(folder)/\(name).json"
        guard let found = folders.path(of: name) else {
            return Command.fail("puckctl: there is no wake word \(name): 'puckctl wake list' shows them", 1)
        }
        if found != path {
            return Command.fail(
                "puckctl: \(found) is not an owner's; take \(name) out of [wake] models, and puckd listens no more", 1)
        }
        if listened(status).contains(name), !isForced {
            return Command.fail(
                "puckctl: puckd listens for \(name): take it out of [wake] models first and 'systemctl reload puckd', or "
                    + "use --force", 1)
        }
        let model = modelFile(path)
        for file in [path, model.map { "\(folder)/\($0)" }].compactMap({ $0 }) where unlink(file) != 0 {
            let code = puck_errno()
            if code == ENOENT { continue }
            return Command.fail(
                "puckctl: cannot remove \(file): \(errorText(code))",
                code == EACCES || code == EPERM ? ExitCode.notPermitted : ExitCode.cannotCreate)
        }
        var text = "\(name) is removed from \(folder)"
        if listened(status).contains(name), let failure = reload(&text, name) { return failure }
        return Command.say(text)
    }

    /// The model that a manifest names; nil when another manifest of the folder names it, too, or none can be read.
    private func modelFile(_ path: String) -> String? {
        guard let mine = Self.manifest(path) else { return nil }
        let folder = String(path.dropLast(path.split(separator: "/").last?.utf8.count ?? 0))
        for entry in folderEntries(folder) where entry.hasSuffix(".json") && folder + entry != path {
            if Self.manifest(folder + entry)?.modelFile == mine.modelFile { return nil }
        }
        return mine.modelFile
    }

    private static func manifest(_ path: String) -> WakeManifest? {
        do throws(SystemError) {
            let bytes = try readSmallFile(path, limit: WakeManifest.fileBytes)
            do throws(WakeManifestError) { return try WakeManifest(parsing: bytes) } catch { return nil }
        } catch { return nil }
    }

    /// One level: its parent is the daemon's own folder, which systemd or a person makes.
    private func makeFolder(_ path: String) throws(SystemError) {
        if mkdir(path, 0o755) == 0 {
            // For a daemon that is not root; like its parent.
            var status = stat()
            if geteuid() == 0, stat(path + "/..", &status) == 0 { _ = chown(path, status.st_uid, status.st_gid) }
            return
        }
        let code = puck_errno()
        if code != EEXIST { throw SystemError("cannot make the folder \(path)", code: code) }
    }
}

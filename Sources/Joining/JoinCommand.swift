import CLinux
import Credentials
import LinuxIO
import PuckBase
import PuckWire

/// `puckctl join CODE|LINE`: finds the hub, has it prove itself, and keeps what it gives where puckd reads it.
public struct JoinCommand {
    public static let refused: Int32 = 1
    /// More than one hub answered, and the code says not which.
    public static let severalHubs: Int32 = 3
    /// As sysexits.h has them: EX_UNAVAILABLE, EX_CANTCREAT.
    public static let unreachable: Int32 = 69
    public static let cannotKeep: Int32 = 73

    static let usualPort: UInt16 = 7443

    private let secret: JoinSecret
    private let hub: (host: String, port: UInt16)?
    private let socket: String
    private let stateFolder: String?
    private let replaces: Bool

    /// - Parameters:
    ///   - words: what was typed behind "join"; a code may have been typed in two words.
    ///   - hub: `--hub`.
    ///   - socket: puckd's control socket.
    ///   - stateFolder: `--state-dir`; nil asks puckd, and takes its usual one when none runs.
    ///   - replaces: `--force`.
    public init(
        _ words: [String], hub: String?, socket: String, stateFolder: String?, replaces: Bool
    ) throws(CommandLineError) {
        var text = ""
        for word in words { text += word }
        guard let secret = JoinSecret(text) else {
            throw CommandLineError(
                message:
                    "puckctl: join takes the code (1234-5678) or the line (puck:…) that 'puckhub pair NAME' prints\n"
                    + "Try 'puckctl --help'.")
        }
        self.secret = secret
        self.socket = socket
        self.stateFolder = stateFolder
        self.replaces = replaces
        guard let hub else {
            self.hub = nil
            return
        }
        guard let place = JoinLine.place(hub) else {
            throw CommandLineError(
                message: "puckctl: --hub takes HOST or HOST:PORT, an IPv6 address with a port in brackets\n"
                    + "Try 'puckctl --help'.")
        }
        self.hub = (place.host, place.port ?? Self.usualPort)
    }

    /// The exit status, and the line that goes with it: to standard output with 0, else to standard error.
    public func run() -> (status: Int32, text: String) {
        do throws(Stop) {
            let (path, isRunning) = try place()
            let target = try target()
            let joined: Joined
            do throws(JoinFailure) {
                joined = try JoinExchange.run(secret, host: target.host, port: target.port)
            } catch {
                throw Stop(
                    error.kind == .refused ? Self.refused : Self.unreachable,
                    "\(JoinLine.place(target.host, target.port)): \(error.text)")
            }
            try keep(joined, target, path)
            return (0, done(joined, target, isRunning: isRunning))
        } catch {
            return (error.status, error.text)
        }
    }

    private struct Stop: Error {
        let status: Int32
        let text: String
        init(_ status: Int32, _ text: String) {
            self.status = status
            self.text = text
        }
    }

    // MARK: Where it is kept

    /// Looked at before the hub is asked: a code that nothing can be done with is not used up.
    private func place() throws(Stop) -> (path: String, isRunning: Bool) {
        var path = stateFolder.map { $0 + "/" + PairingFile.name } ?? PairingFile.usualPath
        var isPaired = false
        var isRunning = false
        do throws(SystemError) {
            let reply = try ControlClient.ask("joining", at: socket)
            if reply.utf8.starts(with: "error: ".utf8) { throw SystemError(String(reply.dropFirst(7)), code: 0) }
            isRunning = true
            isPaired = reply.utf8.starts(with: "paired=yes".utf8)
            // Last, since it may have blanks in it.
            let key = " file="
            if let found = Self.end(of: key, in: reply), stateFolder == nil { path = found }
        } catch {
            // Without a puckd it is written where the next one reads it; what it refuses counts.
            if error.code == 0 { throw Stop(Self.refused, error.description) }
            if error.code == EACCES || error.code == EPERM { throw Stop(Self.cannotKeep, notPermitted) }
        }
        if isPaired || access(path, F_OK) == 0, !replaces {
            throw Stop(
                Self.refused, "this puck is paired already (\(path)); 'puckctl join --force …' gives it to another hub")
        }
        var folder = path
        while let last = folder.utf8.last, last != UInt8(ascii: "/") { folder.removeLast() }
        guard access(folder.isEmpty ? "." : folder, W_OK | X_OK) == 0 else {
            let code = puck_errno()
            if code == EACCES || code == EPERM { throw Stop(Self.cannotKeep, notPermitted) }
            throw Stop(
                Self.cannotKeep,
                "cannot write into \(folder): \(errorText(code)); start puckd once, or name its [puck] state_dir with --state-dir"
            )
        }
        return (path, isRunning)
    }

    private var notPermitted: String { "only root and puckd's user may pair this puck: run it with sudo" }

    private static func end(of key: String, in text: String) -> String? {
        var rest = text[...]
        while !rest.isEmpty {
            if rest.utf8.starts(with: key.utf8) { return String(rest.dropFirst(key.count)) }
            rest = rest.dropFirst()
        }
        return nil
    }

    private func keep(_ joined: Joined, _ target: (host: String, port: UInt16), _ path: String) throws(Stop) {
        let file: PairingFile
        do throws(CredentialError) {
            file = PairingFile(
                host: target.host, port: target.port, certificateName: try joined.certificate.name(for: target.host),
                token: joined.pairing.token, puckID: joined.pairing.puckID, room: joined.pairing.room,
                certificate: try joined.certificate.pem())
        } catch {
            throw Stop(Self.refused, error.message)
        }
        do throws(SystemError) { try file.write(to: path) } catch {
            throw Stop(
                Self.cannotKeep, "\(error.description); the code is used up: run 'puckhub pair' again afterwards")
        }
    }

    private func done(_ joined: Joined, _ target: (host: String, port: UInt16), isRunning: Bool) -> String {
        let pairing = joined.pairing
        let who = "\(pairing.puckID)\(pairing.room.map { " in \($0)" } ?? "")"
        let what = "This puck is \(who), paired with \(JoinLine.place(target.host, target.port))."
        guard isRunning else { return what + " puckd does not run, or has another control socket: start it." }
        do throws(SystemError) {
            _ = try ControlClient.ask("joined", at: socket)
            return what + " puckd goes there now."
        } catch {
            return what + " puckd did not take it over (\(error.description)): restart it."
        }
    }

    // MARK: Which hub

    private func target() throws(Stop) -> (host: String, port: UInt16) {
        if let hub { return hub }
        if case .line(let line) = secret, HubFinder.isKnown(line.host) { return (line.host, line.port) }
        var found: [FoundHub]
        do throws(SystemError) { found = try HubFinder.search() } catch {
            throw Stop(Self.unreachable, error.description)
        }
        if case .line(let line) = secret { found = found.filter { $0.fingerprint == line.fingerprint } }
        guard let first = found.first else {
            throw Stop(
                Self.unreachable,
                "no hub was found on this network: see that puckhub runs with [hub] announce and avahi-daemon beside it, "
                    + "or say where it is: --hub HOST[:PORT]")
        }
        guard found.count == 1 else {
            var text = "\(found.count) hubs answer; say which one made the code, with --hub:"
            for hub in found {
                text += "\n    --hub \(JoinLine.place(hub.host, hub.port))    \(hub.name), \(hub.address)"
            }
            throw Stop(Self.severalHubs, text)
        }
        // A name goes on being right when the hub gets another address; where the resolver has no mDNS, that has to do.
        return (HubFinder.isKnown(first.host) ? first.host : first.address, first.port)
    }
}

import CLinux
import Credentials
import LinuxIO
import PuckBase
import PuckWire

/// `puckctl join [CODE|LINE]`: finds the hub, has it prove itself, and keeps what it gives where puckd reads it. Without
/// either it waits for a hub that knows this puck's own code, as a held button does.
public struct JoinCommand {
    public static let refused: Int32 = 1
    /// More than one hub answered, and the code says not which.
    public static let severalHubs: Int32 = 3
    /// As sysexits.h has them: EX_UNAVAILABLE, EX_CANTCREAT.
    public static let unreachable: Int32 = 69
    public static let cannotKeep: Int32 = 73

    static let usualPort: UInt16 = 7443

    /// Nil: the puck's own code.
    private let secret: JoinSecret?
    private let hub: HubPlace?
    private let socket: String
    private let stateFolder: String?
    private let replaces: Bool

    /// - Parameters:
    ///   - words: what was typed behind "join"; a code may have been typed in two words; none for the puck's own.
    ///   - hub: `--hub`.
    ///   - socket: puckd's control socket.
    ///   - stateFolder: `--state-dir`; nil asks puckd, and takes its usual one when none runs.
    ///   - replaces: `--force`.
    public init(
        _ words: [String], hub: String?, socket: String, stateFolder: String?, replaces: Bool
    ) throws(CommandLineError) {
        var text = ""
        for word in words { text += word }
        secret = JoinSecret(text)
        guard secret != nil || words.isEmpty else {
            throw CommandLineError(
                message:
                    "puckctl: join takes the code (1234-5678) or the line (puck:…) that 'puckhub pair NAME' prints\n"
                    + "Try 'puckctl --help'.")
        }
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
        self.hub = HubPlace(host: place.host, port: place.port ?? Self.usualPort)
    }

    /// The exit status, and the line that goes with it: to standard output with 0, else to standard error.
    public func run() -> (status: Int32, text: String) {
        do throws(JoinStop) {
            // Looked at before the hub is asked: a code that nothing can be done with is not used up.
            let place = try JoinPlace.find(socket: socket, stateFolder: stateFolder)
            if place.isPaired, !replaces {
                throw JoinStop(
                    Self.refused,
                    "this puck is paired already (\(place.path)); 'puckctl join --force …' pairs it with another hub")
            }
            let joined: Joined
            let target: HubPlace
            if let secret {
                target = try self.target(secret)
                do throws(JoinFailure) {
                    joined = try JoinExchange.run(secret, host: target.host, port: target.port)
                } catch {
                    throw JoinStop(
                        error.kind == .unreachable ? Self.unreachable : Self.refused,
                        "\(JoinLine.place(target.host, target.port)): \(error.text)")
                }
            } else {
                (joined, target) = try HubWait.run(code: try place.code(), hub: hub)
            }
            try keep(joined, target, place.path)
            return (0, done(joined, target, isRunning: place.isRunning) + Self.warnings(joined, place))
        } catch {
            return (error.status, error.text)
        }
    }

    /// What will be trouble later, said while somebody is there to hear it.
    private static func warnings(_ joined: Joined, _ place: JoinPlace) -> String {
        var text = ""
        if let problem = LastingFolder.problem(place.folder) {
            text +=
                "\nNote: \(problem): this pairing is lost with the next boot. Name a folder that outlasts it as [puck] "
                + "state_dir, and join again."
        }
        if let hub = joined.pairing.unixSeconds,
            let difference = clockComplaint(hub: hub, here: WallClock.unixSeconds())
        {
            text += "\nNote: " + difference
        }
        return text
    }

    /// The link does not depend on clocks. What the log says when, and the hours of the night, do.
    /// - Parameters: seconds of Unix time.
    static func clockComplaint(hub: Int64, here: Int64) -> String? {
        let apart = here - hub
        guard abs(apart) > clockTolerance else { return nil }
        let minutes = abs(apart) / 60
        let much =
            minutes < 120 ? "\(minutes) minutes" : minutes < 2880 ? "\(minutes / 60) hours" : "\(minutes / 1440) days"
        return "this puck's clock is \(much) \(apart < 0 ? "behind" : "ahead of") the hub's: let both get the time "
            + "('timedatectl set-ntp true'). The link works all the same; the times in the log and the night's hours do not."
    }

    /// Seconds; people notice no less in a log.
    private static let clockTolerance: Int64 = 300

    private func keep(_ joined: Joined, _ target: HubPlace, _ path: String) throws(JoinStop) {
        let file: PairingFile
        do throws(CredentialError) {
            file = PairingFile(
                host: target.host, port: target.port, certificateName: try joined.certificate.name(for: target.host),
                token: joined.pairing.token, puckID: joined.pairing.puckID, room: joined.pairing.room,
                certificate: try joined.certificate.pem())
        } catch {
            throw JoinStop(Self.refused, error.message)
        }
        do throws(SystemError) { try file.write(to: path) } catch {
            throw JoinStop(
                Self.cannotKeep, "\(error.description); the code is used up: run 'puckhub pair' again afterwards")
        }
    }

    private func done(_ joined: Joined, _ target: HubPlace, isRunning: Bool) -> String {
        let pairing = joined.pairing
        let who = "\(pairing.puckID)\(pairing.room.map { " in \($0)" } ?? "")"
        let what = "This puck is \(who), paired with \(JoinLine.place(target.host, target.port))."
        guard isRunning else { return what + " puckd does not run, or has another control socket: start it." }
        do throws(SystemError) {
            _ = try ControlClient.ask("joined", at: socket)
            return what + " puckd connects to it now."
        } catch {
            return what + " puckd did not reload the pairing (\(error.description)): restart it."
        }
    }

    // MARK: Which hub

    private func target(_ secret: JoinSecret) throws(JoinStop) -> HubPlace {
        if let hub { return hub }
        if case .line(let line) = secret, HubFinder.isKnown(line.host) {
            return HubPlace(host: line.host, port: line.port)
        }
        var found: [FoundHub]
        do throws(SystemError) { found = try HubFinder.search() } catch {
            throw JoinStop(Self.unreachable, error.description)
        }
        if case .line(let line) = secret { found = found.filter { $0.fingerprint == line.fingerprint } }
        guard let first = found.first else {
            throw JoinStop(
                Self.unreachable,
                "no hub was found on this network: see that puckhub runs with [hub] announce and avahi-daemon beside it, "
                    + "or say where it is: --hub HOST[:PORT]")
        }
        guard found.count == 1 else {
            var text = "\(found.count) hubs answer; say which one made the code, with --hub:"
            for hub in found {
                text += "\n    --hub \(JoinLine.place(hub.host, hub.port))    \(hub.name), \(hub.address)"
            }
            throw JoinStop(Self.severalHubs, text)
        }
        return first.place
    }
}

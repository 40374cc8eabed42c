import CLinux
import Credentials
import LinuxIO
import PuckBase

/// Why a command of pairing ends without having done it.
struct JoinStop: Error {
    let status: Int32
    /// One sentence: what is wrong and what to do.
    let text: String

    init(_ status: Int32, _ text: String) {
        self.status = status
        self.text = text
    }
}

/// Where a hub is, or is said to be.
struct HubPlace: Equatable {
    let host: String
    let port: UInt16
}

/// Where this puck keeps what pairing gives.
struct JoinPlace {
    /// The pairing file's.
    let path: String
    /// Whether a puckd said so.
    let isRunning: Bool
    let isPaired: Bool

    /// - Parameters:
    ///   - socket: puckd's control socket.
    ///   - stateFolder: `--state-dir`; nil asks puckd, and takes its usual one when none runs.
    static func find(socket: String, stateFolder: String?) throws(JoinStop) -> JoinPlace {
        var path = stateFolder.map { $0 + "/" + PairingFile.name } ?? PairingFile.usualPath
        var isPaired = false
        var isRunning = false
        // The button was held: whoever did that means another hub.
        var isWanted = false
        do throws(SystemError) {
            let reply = try ControlClient.ask("joining", at: socket)
            if reply.utf8.starts(with: "error: ".utf8) { throw SystemError(String(reply.dropFirst(7)), code: 0) }
            isRunning = true
            isPaired = reply.utf8.starts(with: "paired=yes".utf8)
            isWanted = reply.utf8.starts(with: "paired=anew".utf8)
            // Last, since it may have blanks in it.
            if let found = end(of: " file=", in: reply), stateFolder == nil { path = found }
        } catch {
            // Without a puckd it is written where the next one reads it; what it refuses counts.
            if error.code == 0 { throw JoinStop(JoinCommand.refused, error.description) }
            if error.code == EACCES || error.code == EPERM { throw JoinStop(JoinCommand.cannotKeep, notPermitted) }
        }
        let place = JoinPlace(
            path: path, isRunning: isRunning, isPaired: !isWanted && (isPaired || access(path, F_OK) == 0))
        let folder = place.folder
        guard access(folder, W_OK | X_OK) == 0 else {
            let code = puck_errno()
            if code == EACCES || code == EPERM { throw JoinStop(JoinCommand.cannotKeep, notPermitted) }
            throw JoinStop(
                JoinCommand.cannotKeep,
                "cannot write into \(folder): \(errorText(code)); start puckd once, or name its [puck] state_dir with "
                    + "--state-dir")
        }
        return place
    }

    var folder: String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// This puck's own, eight digits.
    func code(isNew: Bool = false) throws(JoinStop) -> String {
        do throws(SystemError) {
            return try isNew ? SetupCode.new(folder: folder) : SetupCode.ofPuck(folder: folder)
        } catch {
            throw JoinStop(JoinCommand.cannotKeep, error.description)
        }
    }

    private static var notPermitted: String { "only root and puckd's user may pair this puck: run it with sudo" }

    private static func end(of key: String, in text: String) -> String? {
        var rest = text[...]
        while !rest.isEmpty {
            if rest.utf8.starts(with: key.utf8) { return String(rest.dropFirst(key.utf8.count)) }
            rest = rest.dropFirst()
        }
        return nil
    }
}

/// `puckctl code`: this puck's own code, for `puckhub pair NAME --code CODE`.
public struct CodeCommand {
    private let socket: String
    private let stateFolder: String?
    private let isNew: Bool

    /// - Parameters: as `JoinCommand`'s; `isNew` draws another code.
    public init(socket: String, stateFolder: String?, isNew: Bool) {
        self.socket = socket
        self.stateFolder = stateFolder
        self.isNew = isNew
    }

    /// As `JoinCommand.run`.
    public func run() -> (status: Int32, text: String) {
        do throws(JoinStop) {
            let place = try JoinPlace.find(socket: socket, stateFolder: stateFolder)
            return (0, PairingSecret.written(code: try place.code(isNew: isNew)))
        } catch {
            return (error.status, error.text)
        }
    }
}

import CLinux
import Credentials
import LinuxIO
import PuckBase

/// A puck's own code, for pairing without a keyboard: drawn once, kept in the puck's `state_dir`, told to the hub's owner
/// (`puckctl code`), who types it there (`puckhub pair NAME --code CODE`). The puck then takes only a hub that knows it.
public enum SetupCode {
    static let name = "setup_code"

    /// - Parameter folder: the puck's `state_dir`.
    /// - Returns: eight digits; drawn and kept, mode 0600, when there are none.
    public static func ofPuck(folder: String) throws(SystemError) -> String {
        let path = folder + "/" + name
        if access(path, F_OK) != 0, puck_errno() == ENOENT { return try new(folder: folder) }
        let text = String(decoding: try readSmallFile(path, limit: 64), as: UTF8.self)
        guard let line = text.split(separator: "\n").first, let code = PairingSecret.typed(code: String(line)) else {
            throw SystemError(
                "\(path) does not hold eight digits", code: 0, advice: "draw another one: sudo puckctl code --new")
        }
        return code
    }

    /// Draws another one; the one before is no longer good.
    public static func new(folder: String) throws(SystemError) -> String {
        let code: String
        do throws(CredentialError) { code = try PairingSecret.code() } catch {
            throw SystemError(error.message, code: 0)
        }
        try writeFileAtomically(
            folder + "/" + name, Array((PairingSecret.written(code: code) + "\n").utf8), mode: 0o600, likeFolder: true)
        return code
    }
}

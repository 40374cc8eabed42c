import CLinux
import PuckBase

/// Whether what is written into a folder is still there after a reboot.
public enum LastingFolder {
    /// Why it is not; nil when it is, or when nothing says that it is not.
    /// - Parameters:
    ///   - path: need not exist; symbolic links are followed where it does.
    ///   - root: where /proc is looked for; for tests.
    public static func problem(_ path: String, root: String = "") -> String? {
        problem(
            resolved(path), mounts: content(of: root + "/proc/self/mountinfo"),
            commandLine: content(of: root + "/proc/cmdline"))
    }

    /// Empty when it cannot be read: then nothing is known.
    private static func content(of path: String) -> String {
        do throws(SystemError) {
            return String(decoding: try readSmallFile(path, limit: 1 << 20), as: UTF8.self)
        } catch { return "" }
    }

    private static func resolved(_ path: String) -> String {
        guard let found = realpath(path, nil) else { return path }
        defer { free(found) }
        return String(cString: found)
    }

    /// - Parameters:
    ///   - path: absolute, without symbolic links.
    ///   - text: what /proc/self/mountinfo says (proc_pid_mountinfo(5)).
    ///   - commandLine: the kernel's.
    static func problem(_ path: String, mounts text: String, commandLine: String) -> String? {
        let mounts = Mount.all(text)
        guard let mount = Mount.holding(path, mounts) else { return nil }
        if mount.isInMemory { return "\(path) lies in memory (\(mount.type) on \(mount.point))" }
        guard mount.type == "overlay", let upper = mount.upper else { return nil }
        // The upper folder is named as it was when the overlay was mounted, by an initramfs often, and may be out of sight.
        if let below = Mount.holding(upper, mounts), below.point != "/", below.isInMemory {
            return "\(path) lies on an overlay whose changes are in memory (\(upper))"
        }
        for word in commandLine.split(whereSeparator: { $0 == " " || $0 == "\n" }) where mount.point == "/" {
            if word == "boot=overlay" || word.hasPrefix("overlayroot=tmpfs") || word == "systemd.volatile=overlay" {
                return "\(path) lies on an overlay whose changes are in memory (\(word) on the kernel's command line)"
            }
        }
        return nil
    }

    /// One line of mountinfo: what matters of it.
    private struct Mount {
        let point: String
        let type: String
        /// An overlay's `upperdir`.
        let upper: String?

        var isInMemory: Bool { type == "tmpfs" || type == "ramfs" || type == "rootfs" }

        static func all(_ text: String) -> [Mount] {
            var mounts: [Mount] = []
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                // id, parent, device, root, mount point, options, optional fields, "-", type, source, options
                guard words.count >= 9, let dash = words.firstIndex(of: "-"), dash >= 6, dash + 3 < words.count else {
                    continue
                }
                var upper: String?
                for option in words[dash + 3].split(separator: ",") where option.hasPrefix("upperdir=") {
                    upper = unescaped(option.dropFirst(9))
                }
                mounts.append(Mount(point: unescaped(words[4]), type: String(words[dash + 1]), upper: upper))
            }
            return mounts
        }

        /// The mount that a path lies on: the longest that holds it, the latest of the same place.
        static func holding(_ path: String, _ mounts: [Mount]) -> Mount? {
            var best: Mount?
            for mount in mounts where mount.holds(path) {
                if mount.point.utf8.count >= best?.point.utf8.count ?? 0 { best = mount }
            }
            return best
        }

        private func holds(_ path: String) -> Bool {
            if point == "/" || point == path { return true }
            let bytes = path.utf8
            return bytes.starts(with: point.utf8) && bytes.dropFirst(point.utf8.count).first == UInt8(ascii: "/")
        }

        /// Blanks, tabs, line ends and backslashes are written as three octal digits.
        private static func unescaped(_ word: Substring) -> String {
            var bytes: [UInt8] = []
            var rest = word.utf8[...]
            while let byte = rest.popFirst() {
                let digits = rest.prefix(3)
                guard byte == UInt8(ascii: "\\"), digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) })
                else {
                    bytes.append(byte)
                    continue
                }
                bytes.append(UInt8(truncatingIfNeeded: digits.reduce(0) { $0 * 8 + Int($1 - 0x30) }))
                rest = rest.dropFirst(3)
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}

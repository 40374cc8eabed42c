import Testing

@testable import LinuxIO

@Suite("Whether a folder outlasts a reboot")
struct LastingFolderTests {
    private static let disk = "22 1 179:2 / / rw,noatime - ext4 /dev/mmcblk0p2 rw\n"
    private static let tmpfs = "30 22 0:25 / /run rw - tmpfs tmpfs rw,size=100k\n"

    private static func overlay(_ upper: String) -> String {
        "22 1 0:30 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/media/root-ro,upperdir=\(upper),workdir=/w\n"
    }

    private func lasts(_ path: String, _ mounts: String, _ commandLine: String = "") -> Bool {
        LastingFolder.problem(path, mounts: mounts, commandLine: commandLine) == nil
    }

    @Test("a disk lasts, memory does not, and the mount that counts is the nearest and latest")
    func nearest() {
        #expect(lasts("/var/lib/puckd", Self.disk + Self.tmpfs))
        #expect(!lasts("/run/puckd", Self.disk + Self.tmpfs))
        #expect(lasts("/runner", Self.disk + Self.tmpfs))
        #expect(!lasts("/var/lib/puckd", Self.disk + "31 22 0:26 / /var rw shared:7 - tmpfs tmpfs rw\n"))
        #expect(!lasts("/x y", Self.disk + "31 22 0:26 / /x\\040y rw - ramfs none rw\n"))
        // Mounted over it later.
        #expect(lasts("/run/puckd", Self.disk + Self.tmpfs + "33 30 179:3 / /run rw - ext4 /dev/sda1 rw\n"))
    }

    @Test("a folder of the disk that is bound into memory lasts")
    func bound() {
        let bind = "40 30 179:2 /srv/puckd /run/puckd rw - ext4 /dev/mmcblk0p2 rw\n"
        #expect(lasts("/run/puckd", Self.disk + Self.tmpfs + bind))
        let underOverlay =
            Self.overlay("/media/root-rw/o") + "41 22 179:3 /puckd /var/lib/puckd rw - ext4 /dev/sda rw\n"
        #expect(lasts("/var/lib/puckd", underOverlay, "boot=overlay"))
    }

    @Test("an overlay lasts as its upper folder does; where that is out of sight the kernel's command line tells")
    func overlays() {
        let upper = "50 22 0:31 / /media/root-rw rw - tmpfs tmpfs rw\n"
        #expect(!lasts("/var/lib/puckd", Self.overlay("/media/root-rw/overlay") + upper))
        #expect(lasts("/var/lib/puckd", Self.overlay("/data/o") + "50 22 179:3 / /data rw - ext4 /dev/sda rw\n"))
        #expect(!lasts("/var/lib/puckd", Self.overlay("/upper/data"), "console=tty1 boot=overlay quiet\n"))
        #expect(!lasts("/var/lib/puckd", Self.overlay("/o/u"), "overlayroot=tmpfs:recurse=0"))
        #expect(lasts("/var/lib/puckd", Self.overlay("/o/u"), "overlayroot=device:dev=/dev/sda1"))
        // A container's.
        #expect(lasts("/var/lib/puckd", Self.overlay("/var/lib/docker/overlay2/x/diff")))
    }

    @Test("what cannot be understood says nothing")
    func garbage() {
        for text in ["", "\n\n", "1 2 3", "a b c d e f g h i", "22 1 0:1 / / rw - tmpfs"] {
            #expect(lasts("/var/lib/puckd", text), "\(text)")
        }
    }
}

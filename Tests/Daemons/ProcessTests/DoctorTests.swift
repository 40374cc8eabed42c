import Foundation
import Testing

/// `puckctl doctor` by people who are not the daemon's user. Needs root, and a user called nobody.
@Suite("Processes: doctor as another user", .fewAtATime)
struct DoctorTests {
    private static let nobody = "65534"

    /// A daemon of nobody's, whose files are nobody's.
    private struct Place {
        let house: House
        let daemon: Child

        /// Nil where nobody cannot run the programs.
        static func make(_ house: House) async throws -> Place? {
            let arguments = try await house.configurePuck(token: House.anyToken)
            // They may lie where nobody cannot reach them.
            for program in ["puckd", "puckctl"] {
                try FileManager.default.copyItem(atPath: Build.program(program), toPath: house.file(program).path)
            }
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: house.folder.path)
            _ = try await house.help(["chown", "-R", "\(nobody):\(nobody)", house.folder.path]).exitStatus()
            let daemon = try Child(
                "setpriv",
                ["--reuid=" + nobody, "--regid=" + nobody, "--clear-groups", house.file("puckd").path] + arguments,
                name: "kitchen", in: house.folder, house.deviceEnvironment)
            try await eventually("it does not start: \(daemon.tail)") {
                daemon.hasEnded || daemon.hasLogged("puckd.start")
            }
            if !daemon.hasEnded {
                house.adopt(daemon)
                return Place(house: house, daemon: daemon)
            }
            // 126 and 127: this machine does not let nobody reach the programs' libraries.
            let status = try await daemon.exitStatus()
            #expect(status == 126 || status == 127, "\(daemon.tail)")
            return nil
        }

        /// - Parameter user: nil for root.
        func doctor(as user: String? = nil, _ environment: [String: String] = [:]) async throws -> (
            status: Int32, output: String
        ) {
            let change = user.map { ["setpriv", "--reuid=" + $0, "--regid=" + $0, "--clear-groups"] } ?? []
            let words =
                change + [
                    house.file("puckctl").path, "--socket", house.file("kitchen.control").path, "doctor", "--config",
                    house.file("kitchen.conf").path,
                ]
            let child = try Child(
                words[0], Array(words.dropFirst()), name: "doctor", in: house.folder,
                house.deviceEnvironment.merging(environment) { $1 })
            return (try await child.exitStatus(), child.output)
        }

        func give(_ file: String, to owner: String) async throws {
            _ = try await house.help(["chown", owner, house.file(file).path]).exitStatus()
        }
    }

    @Test(
        "Root's doctor tries what the daemon's user may, and a stranger's is refused",
        .enabled(if: geteuid() == 0, "only root may become another user"))
    func users() async throws {
        try await House.run { house in
            guard let place = try await Place.make(house) else { return }
            let fine = try await place.doctor()
            #expect(fine.output.contains("OK   daemon"), "\(fine)")
            #expect(!fine.output.contains("FAIL check"), "\(fine)")
            // Root may read it, the daemon will not at its next start.
            try await place.give("kitchen.conf", to: "root")
            let unreadable = try await place.doctor()
            #expect(unreadable.status == 1, "\(unreadable)")
            #expect(
                unreadable.output.contains("FAIL check") && unreadable.output.contains("Permission denied"),
                "\(unreadable)")
            try await place.give("kitchen.conf", to: Self.nobody)
            let stranger = try await place.doctor(as: "65533")
            #expect(stranger.status == 77, "\(stranger)")
        }
    }

    @Test(
        "What only the caller's own configuration of ALSA knows is no device of the service",
        .enabled(if: geteuid() == 0, "only root may become another user"))
    func ownConfiguration() async throws {
        try await House.run { house in
            guard let place = try await Place.make(house) else { return }
            // The socket stays behind, and shows whose daemon it was.
            place.daemon.kill()
            let doctor = try await place.doctor()
            #expect(doctor.status == 1 && doctor.output.contains("FAIL microphone"), "\(doctor)")
            // Whoever has the variables has the device; the check takes the socket away.
            let direct = try await house.run(
                "puckd", ["--config", house.file("kitchen.conf").path, "--check"], devices: true)
            #expect(direct.output.contains("ok   microphone"), "\(direct)")
        }
    }
}

import Foundation
import Testing

// What finds hubs: a stand-in for Avahi's programs, and Avahi itself.

extension House {
    /// Puts a program of this name before all others, which does what `script` says.
    func pretend(_ name: String, _ script: String) throws {
        let folder = file("bin")
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        // By one rename: a daemon may start it at any moment.
        try write("#!/bin/sh\n" + script, to: "bin/new")
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o700], ofItemAtPath: folder.appending(path: "new").path)
        guard rename(folder.appending(path: "new").path, folder.appending(path: name).path) == 0 else {
            throw Disappointment("no \(name)")
        }
        environment["PATH"] = folder.path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")
    }

    /// A line as avahi-browse prints it of a hub on this machine.
    func answer(
        _ name: String, _ port: Int, address: String = "127.0.0.1", fingerprint: String = ""
    ) -> String {
        "=;lo;IPv4;\(name);_puck._tcp;local;\(address);\(address);\(port);\"proto=1\" \"id=\(fingerprint)\""
    }
}

/// A private D-Bus and an Avahi on it, in a network of their own.
struct Avahi {
    static let isInstalled = ["avahi-daemon", "avahi-browse", "avahi-publish-service", "dbus-daemon"].allSatisfy {
        name in
        ["/usr/sbin/", "/usr/bin/"].contains { FileManager.default.isExecutableFile(atPath: $0 + name) }
    }

    let bus: String
    private let daemon: Child
    var log: String { daemon.tail }

    init(in house: House, _ network: Network) async throws {
        let socket = house.file("bus").path
        bus = "unix:path=\(socket)"
        try house.write(
            """
            <busconfig><type>system</type><listen>\(bus)</listen><auth>EXTERNAL</auth><policy context="default">
            <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow send_type="signal"/>
            <allow receive_sender="*"/></policy></busconfig>
            """, to: "bus.conf")
        try house.write(
            """
            [server]
            host-name=hub
            use-ipv6=no
            allow-interfaces=wire
            [publish]
            publish-addresses=yes
            [wide-area]
            enable-wide-area=no
            """, to: "avahi.conf")
        _ = try house.help(
            network.prefix + ["dbus-daemon", "--nofork", "--nopidfile", "--config-file=" + house.file("bus.conf").path])
        try await eventually("no bus") { FileManager.default.fileExists(atPath: socket) }
        // Its own /run, so that it neither finds nor leaves a process id there.
        daemon = try house.help(
            network.prefix + [
                "env", "DBUS_SYSTEM_BUS_ADDRESS=" + bus, "unshare", "--mount", "sh", "-c",
                "mount -t tmpfs none /run && mkdir /run/avahi-daemon && exec avahi-daemon --no-drop-root --no-chroot "
                    + "--no-rlimits -f \(house.file("avahi.conf").path)",
            ])
        let child = daemon
        try await eventually("Avahi does not start: \(child.tail)") { child.output.contains("startup complete") }
    }
}

import Foundation
import Testing

@Suite(
    "Processes: a network that is dead without saying so", .fewAtATime,
    .enabled(if: Network.isPermitted, Network.isNotPermitted))
struct NetworkCareTests {
    private static let gateway = "10.78.0.1"

    /// A puck in a network of its own, with a gateway at the other end of a cable, on which the hub runs.
    private static func puck(in house: House, _ set: [String]) async throws -> (
        Child, hub: Child, gateway: Network, own: Network
    ) {
        let atHub = try await Network(in: house)
        let atPuck = try await Network(in: house)
        try await atHub.ip("link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", "\(atPuck.pid)")
        try await atHub.ip("address", "add", gateway + "/24", "dev", "wire")
        try await atPuck.ip("address", "add", "10.78.0.2/24", "dev", "wire")
        try await atHub.ip("link", "set", "wire", "up")
        try await atPuck.ip("link", "set", "wire", "up")
        try await atPuck.ip("route", "add", "default", "via", gateway)
        let hub = try await house.hub(address: gateway, network: atHub)
        let every = ["hub.host=\(gateway)", "network.probe_s=1", "network.failed_probes=1", "network.patience_s=1"]
        return (try await house.puck(set: every + set, network: atPuck), hub, atHub, atPuck)
    }

    @Test("A gateway that falls silent with the hub has the remedies run, in order and without a shell")
    func ladder() async throws {
        try await House.run { house in
            let mark = house.file("$(reconnected)").path
            let (puck, hub, gateway, own) = try await Self.puck(
                in: house,
                [
                    "network.reconnect=touch \(mark)", "network.interface_down=false",
                    "network.interface_up=touch \(house.file("up").path)",
                ])
            try await puck.line("link.up")
            try await Self.status(house, own, "gateway=\(Self.gateway) gateway_answers=yes network=ok")
            // A hub that is away is none of the network's business.
            hub.kill()
            try await puck.line("link.disconnected")
            try await gateway.ip("link", "set", "wire", "down")
            try await puck.line("network.wedged")
            try await puck.line("network.remedy", ["rung": "reconnect"])
            try await puck.line("network.command", ["command": "touch", "status": "0"])
            #expect(FileManager.default.fileExists(atPath: mark))
            try await puck.line("network.remedy", ["rung": "interface"])
            // One that fails does not keep the interface down.
            try await puck.line("network.command", ["command": "false", "status": "1"])
            try await puck.line("network.command", ["command": "touch", "status": "0"])
            try await Self.status(house, own, "gateway_answers=no network=wedged")
            try await gateway.ip("link", "set", "wire", "up")
            try await puck.line("network.recovered")
        }
    }

    @Test("A restart is asked for by the exit status, and the next start goes on with the remedy after it")
    func restart() async throws {
        try await House.run { house in
            let manager = try NotifySocket(house.file("notify").path)
            house.environment = manager.environment(watchdogMilliseconds: 20_000)
            let mark = house.file("rebooted").path
            let set = [
                "network.restart=yes", "network.reboot=touch \(mark)", "network.state=\(house.file("state").path)",
            ]
            let (puck, hub, gateway, own) = try await Self.puck(in: house, set)
            try await puck.line("link.up")
            try await Self.status(house, own, "gateway_answers=yes")
            hub.kill()
            try await gateway.ip("link", "set", "wire", "down")
            try await puck.line("network.remedy", ["rung": "service"])
            #expect(try await puck.exitStatus() == 75)
            #expect(try String(contentsOf: house.file("state"), encoding: .utf8) == "1 0\n")
            // Without a network at all: it knows of the gateway from before.
            let every = ["network.probe_s=1", "network.failed_probes=1", "network.patience_s=1"]
            let again = try await house.puck(token: House.anyToken, set: every + set, network: Network(in: house))
            try await again.line("network.remedy", ["rung": "reboot"])
            try await again.line("network.command", ["command": mark, "status": "0"])
            #expect(!FileManager.default.fileExists(atPath: house.file("state").path))
        }
    }

    private static func status(_ house: House, _ network: Network, _ wanted: String) async throws {
        let limit = ContinuousClock.now + patience
        var status = ""
        while ContinuousClock.now < limit {
            // The reply goes to a name in the network's own abstract namespace.
            let asked = try house.start(
                "puckctl", ["--socket", house.file("kitchen.control").path, "status", "--plain"], name: "ask",
                network: network)
            _ = try await asked.exitStatus()
            status = asked.output
            if status.contains(wanted) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Disappointment("the status never said \(wanted): \(status)")
    }
}

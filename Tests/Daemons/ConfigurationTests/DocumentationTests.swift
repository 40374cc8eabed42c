import Foundation
import LinuxIO
import Settings
import Testing

@testable import PuckRuntime

/// What the documentation says of tests and settings, held to them.
@Suite struct DocumentationTests {
    private static func text(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: Repository.path(name))), as: UTF8.self)
    }

    @Test("the examples of docs/WIFI.md are configurations, with remedies from the gentlest to the harshest")
    func wifi() throws {
        let examples = try Self.text("docs/WIFI.md").components(separatedBy: "```ini\n").dropFirst()
            .map { $0.components(separatedBy: "```")[0] }
        #expect(examples.count == 3)
        for example in examples {
            let path = NSTemporaryDirectory() + "/puck-wifi-\(UUID().uuidString).conf"
            defer { try? FileManager.default.removeItem(atPath: path) }
            try Data(example.utf8).write(to: URL(fileURLWithPath: path))
            var reader = SettingsReader(layers: [try SettingsDocument.read(path)], mainName: path)
            let network = NetworkSettings(&reader)
            try reader.finish()
            let ladder = network.ladder(hasManager: true)
            #expect(!ladder.rungs.isEmpty)
            for command in [network.reconnect, network.interfaceDown, network.interfaceUp, network.reboot]
            where !command.isEmpty {
                #expect(["nmcli", "wpa_cli", "systemctl"].contains(command[0]))
                // Where its answers can reach it: not in the unit's own /tmp.
                #expect(command[0] != "wpa_cli" || command.contains("/run/puckd"))
            }
        }
    }

    @Test("the groups that devices go to are made, and puckd is in them")
    func groups() throws {
        let users = try Self.text("systemd/puck.sysusers.conf").split(separator: "\n")
            .map { $0.split(separator: " ").prefix(3).joined(separator: " ") }
        for group in ["audio", "gpio", "spi", "leds"] {
            #expect(users.contains("g \(group) -") && users.contains("m puckd \(group)"), "\(group)")
        }
        let rules = try Self.text("systemd/60-puck.rules")
        for word in ["GROUP=\"gpio\"", "GROUP=\"spi\"", "chgrp leds"] { #expect(rules.contains(word)) }
        let unit = try Self.text("systemd/puckd.service")
        for word in ["char-alsa", "char-gpiochip", "char-spi", "ReadWritePaths=-/sys/devices"] {
            #expect(unit.contains(word))
        }
    }
}

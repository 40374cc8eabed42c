import Foundation
import Testing

/// Pucks that nobody has paired yet, and what pairs them.
extension House {
    /// Writes the configuration of a puck without a hub, a token or a name, and its devices. Returns the arguments that
    /// `puckd` needs.
    func configureUnpaired(_ name: String = "kitchen", extra: String = "") throws -> [String] {
        try writeDevices(name, .talking)
        try FileManager.default.createDirectory(at: file("\(name).state"), withIntermediateDirectories: true)
        try write(
            """
            \(extra)
            [puck]
            \(puckParts(name))
            """, to: "\(name).conf")
        return ["--config", file("\(name).conf").path]
    }

    /// What pairing left there.
    func pairingFile(_ name: String = "kitchen") -> URL { file("\(name).state/pairing") }

    /// The value of a key in it.
    func paired(_ key: String, _ name: String = "kitchen") throws -> String {
        let text = try String(contentsOf: pairingFile(name), encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix(key + " = ") }
        return String(try #require(line).dropFirst(key.count + 3))
    }

    /// `puckhub` as a command, about a hub.
    func hubCommand(_ words: String..., hub: String = "hub") async throws -> (status: Int32, output: String) {
        try await run("puckhub", ["--config", file("\(hub).conf").path] + words)
    }

    /// The code and the line of `puckhub pair`. A control socket answers in its own network only.
    func offer(
        _ name: String = "kitchen", room: String? = nil, hub: String = "hub", network: Network? = nil
    ) async throws -> (code: String, line: String) {
        let words = ["--config", file("\(hub).conf").path, "pair", name] + (room.map { ["--room", $0] } ?? [])
        let child = try start("puckhub", words, name: "pair", network: network)
        let status = try await child.exitStatus()
        let offers = child.output.split(separator: "\n").compactMap { line in
            line.hasPrefix("    sudo puckctl join ") ? String(line.dropFirst(22)) : nil
        }
        guard status == 0, offers.count == 2 else { throw Disappointment("puckhub pair: \(child.output)") }
        return (offers[0], offers[1])
    }

    /// `puckctl join`, at the hub's port unless another is named.
    func join(
        _ secret: String, puck name: String = "kitchen", at hub: String? = "hub", port: Int? = nil, _ more: String...
    ) async throws -> (status: Int32, output: String) {
        var words = ["--socket", file("\(name).control").path, "join", secret]
        if let port = port ?? hub.map({ self.port(of: $0) }) { words += ["--hub", "127.0.0.1:\(port)"] }
        return try await run("puckctl", words + more)
    }
}

import PuckBase
import PuckCore
import Settings

/// `[network]`: what the puck looks at, and what it does when the network is dead without saying so.
public struct NetworkSettings: Equatable, Sendable {
    /// The Wi-Fi interface that status and check show; empty for the first.
    public var interface: String
    /// Whether the gateway is asked while the hub is away.
    public var isProbing: Bool
    public var probeSeconds: Int
    public var failedProbes: Int
    public var patienceSeconds: Int
    /// Commands as words; empty for none.
    public var reconnect: [String]
    public var interfaceDown: [String]
    public var interfaceUp: [String]
    public var reboot: [String]
    /// Whether puckd ends itself, for the service manager to start it anew.
    public var restarts: Bool
    /// Remembers over such a restart which remedy is next; empty for none.
    public var stateFile: String

    private static let mostWords = 16

    init(_ reader: inout SettingsReader) {
        interface = reader.text("network", "interface", default: "", longestBytes: 15)
        isProbing = reader.boolean("network", "probe", default: true)
        probeSeconds = reader.integer("network", "probe_s", default: 10, range: 1...600, unit: "s")
        failedProbes = reader.integer("network", "failed_probes", default: 3, range: 1...100)
        patienceSeconds = reader.integer("network", "patience_s", default: 30, range: 1...3600, unit: "s")
        reconnect = Self.command(&reader, "reconnect")
        interfaceDown = Self.command(&reader, "interface_down")
        interfaceUp = Self.command(&reader, "interface_up")
        restarts = reader.boolean("network", "restart", default: false)
        reboot = Self.command(&reader, "reboot")
        stateFile = reader.path("network", "state", default: "/run/puckd/network", mayBeEmpty: true)
        if interfaceDown.isEmpty != interfaceUp.isEmpty {
            reader.refuse(
                "network", interfaceDown.isEmpty ? "interface_up" : "interface_down",
                "given alone; give both, or an interface stays as it is left")
        }
    }

    private static func command(_ reader: inout SettingsReader, _ key: String) -> [String] {
        reader.value(
            "network", key, default: [], written: "",
            allowed: "a program and its arguments, at most \(mostWords) words; no shell reads them, so no quotes"
        ) { text in
            let words = text.split(separator: " ").map { String($0) }
            let isPlain = !text.utf8.contains { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "'") }
            return words.count <= mostWords && isPlain ? words : nil
        }
    }

    /// - Parameter hasManager: something would start the service again.
    func ladder(hasManager: Bool) -> NetworkLadder.Parameters {
        var rungs: [NetworkLadder.Rung] = []
        if !reconnect.isEmpty { rungs.append(.reconnect) }
        if !interfaceDown.isEmpty { rungs.append(.interface) }
        if restarts && hasManager { rungs.append(.service) }
        if !reboot.isEmpty { rungs.append(.reboot) }
        return NetworkLadder.Parameters(
            rungs: rungs, probeEvery: .seconds(probeSeconds), failedProbes: failedProbes,
            patience: .seconds(patienceSeconds))
    }
}

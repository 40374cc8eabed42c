import Foundation
import Testing

@Suite("Processes: a puck is paired by its button", .fewAtATime)
struct ButtonPairingTests {
    private static let button = ["--set", "gpio.chip=pinctrl-test", "--set", "gpio.button=17"]
    private static let veryLongPress = "0 5500 1 100 1"

    /// A puck that has no hub, with a button, which looks at one port only.
    private func unpaired(_ house: House, _ board: Board) throws -> Child {
        try board.chip()
        let arguments = try house.configureUnpaired(extra: "[hub]\nhost = 127.0.0.1\nport = \(house.port())")
        return try house.start("puckd", arguments + Self.button, name: "kitchen", devices: true)
    }

    @Test("Held for five seconds, it takes the hub on which its own code was typed, then or later, and talks to it")
    func button() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            let hub = try await house.hub(tls: true)
            let puck = try unpaired(house, board)
            try await puck.line("gpio.open", ["line": "button"])
            let code = try await house.control("code")
            #expect(code.status == 0 && code.output.utf8.count == 10, "\(code)")
            #expect(try await house.control("code").output == code.output)
            let kept = try FileManager.default.attributesOfItem(atPath: house.file("kitchen.state/setup_code").path)
            #expect((kept[.posixPermissions] as? NSNumber)?.intValue == 0o600)

            try board.write(Self.veryLongPress, to: "17")
            try await puck.line("pairing.began")
            // It is turned away, and goes on.
            try await hub.line("transport", ["text": "HTTP 403"])
            let typed = code.output.trimmingCharacters(in: .whitespacesAndNewlines)
            let offer = try await house.hubCommand("pair", "kitchen", "--room", "cellar", "--code", typed)
            #expect(offer.status == 0 && offer.output.contains("hold the button"), "\(offer)")
            try await puck.line("hub.changed", ["puck": "kitchen", "room": "cellar"])
            try await puck.line("pairing.ended", ["reason": "joined"])
            try await puck.line("link.up")
            try await house.converse(puck)
            for said in [hub.output, puck.output] {
                #expect(!said.contains(typed) && !said.contains(typed.filter(\.isNumber)))
            }

            // Once more: whoever holds the button may give the puck away.
            let token = try house.paired("token")
            _ = try await house.hubCommand("pair", "kitchen", "--code", typed)
            try board.write(Self.veryLongPress, to: "17")
            try await puck.line("pairing.ended", ["reason": "joined"])
            #expect(try house.paired("token") != token)
        }
    }

    @Test("A hub that does not know its code gets nothing; a puck with a token of its own says so and ends it")
    func refused() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            let hub = try await house.hub(tls: true)
            let puck = try unpaired(house, board)
            try await puck.line("gpio.open", ["line": "button"])
            let typed = try await house.control("code").output.trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(try await house.control("code", "--new").output.trimmingCharacters(in: .newlines) != typed)
            _ = try await house.hubCommand("pair", "kitchen", "--code", typed)
            try board.write(Self.veryLongPress, to: "17")
            try await hub.line("pairing.refused", ["reason": "wrong"])
            #expect(!FileManager.default.fileExists(atPath: house.pairingFile().path))
            #expect(try await house.control("pairing", "off").status == 0)
            try await puck.line("pairing.ended", ["reason": "cancelled"])

            let wrong = try await house.hubCommand("pair", "kitchen", "--code", "123")
            #expect(wrong.status == 64 && wrong.output.contains("puckctl code"), "\(wrong)")
            let hall = try await house.puck("hall", token: House.anyToken)
            try await hall.line("capture.open")
            #expect(try await house.control("pairing", "on", puck: "hall").status == 0)
            try await hall.line("pairing.failed", ["command": "puckctl join"])
            try await hall.line("pairing.ended", ["reason": "failed"])
            #expect(hall.output.contains("a token of its own"))
        }
    }
}

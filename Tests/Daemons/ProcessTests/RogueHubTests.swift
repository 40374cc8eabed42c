import Foundation
import RogueHub
import Testing

@Suite("Processes: a hub that means harm", .fewAtATime)
struct RogueHubTests {
    /// A hub's certificate and key, as a real one made them; that hub has ended again.
    private static func certificate(_ house: House) async throws -> RogueHub.Security {
        _ = try await house.hub(tls: true).terminate()
        return .tls(certificate: house.file("hub/hub.crt").path, key: house.file("hub/hub.key").path)
    }

    @Test(
        "A message that is refused ends the link with its code, the puck tries again, hears on, and obeys SIGTERM",
        arguments: RogueHub.oversized.indices)
    func oversized(_ index: Int) async throws {
        try await House.run { house in
            let (name, acts, code) = RogueHub.oversized[index]
            let rogue = try RogueHub(try await Self.certificate(house)) { _ in [.upgrade] + acts + [.listen] }
            let puck = try await house.puck(tls: true, port: rogue.port)
            let reason = code == 1009 ? "message-too-large" : "text-message"
            try await puck.line("link.failed", ["reason": reason])
            // By its backoff.
            try await puck.line("link.failed", ["reason": reason])
            #expect(rogue.visitors >= 2, "\(name)")
            #expect(rogue.visits.first?.closeCodes.contains(code) == true, "\(name)")
            let before = try await Self.periods(house)
            try await eventually("the microphone stands still") { try await Self.periods(house) > before }
            let (status, took) = try await puck.terminate()
            #expect(status == 0 && took < SignalTests.generous, "\(name): \(took)")
        }
    }

    private static func periods(_ house: House) async throws -> Int {
        let said = try await house.control("status").output
        let word = said.split { $0 == " " || $0 == "\n" }.first { $0.hasPrefix("periods=") }
        return word.flatMap { Int($0.dropFirst("periods=".count)) } ?? 0
    }

    @Test("A puck outlives whatever a hub says, and obeys SIGTERM in the middle of it")
    func anything() async throws {
        try await House.run { house in
            // One hub for each seed: a puck's pauses between attempts are long, and this is about what it makes of them.
            let security = try await Self.certificate(house)
            let pucks = try await (0..<6).asyncMap { number in
                let rogue = try RogueHub(security) { RogueHub.anything(seed: UInt64(100 * number + $0)) }
                return (
                    rogue, try await house.puck("puck\(number)", tls: true, token: House.anyToken, port: rogue.port)
                )
            }
            for (rogue, puck) in pucks {
                try await eventually("\(puck.name) does not come again:\n\(puck.tail)") { rogue.visitors >= 4 }
            }
            for (_, puck) in pucks {
                let (status, _) = try await puck.terminate()
                #expect(status == 0, "\(puck.tail)")
            }
        }
    }

    @Test("'puckctl join' ends with a sentence, whatever the hub says", arguments: RogueHub.oversized.indices)
    func join(_ index: Int) async throws {
        try await House.run { house in
            let (name, acts, _) = RogueHub.oversized[index]
            let rogue = try RogueHub(try await Self.certificate(house)) { _ in [.upgrade] + acts + [.listen] }
            let result = try await house.join("1234-5678", port: rogue.port, "--state-dir", house.folder.path)
            #expect(result.status == 69, "\(name): \(result)")
            #expect(result.output.contains("check that"), "\(name): \(result)")
            #expect(rogue.visits.first?.request.hasPrefix("GET /pair ") == true)
        }
    }

    @Test("'puckctl join' outlives seeded hubs")
    func joinAnything() async throws {
        try await House.run { house in
            let rogue = try RogueHub(try await Self.certificate(house)) { RogueHub.anything(seed: UInt64(9000 + $0)) }
            for _ in 0..<25 {
                let result = try await house.join("1234-5678", port: rogue.port, "--state-dir", house.folder.path)
                #expect([1, 69].contains(result.status), "\(result)")
            }
            #expect(rogue.visitors == 25)
        }
    }

    @Test("A puck that looks for its hub after its button was held is not held by one that means harm")
    func search() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            let rogue = try RogueHub(try await Self.certificate(house)) {
                [.upgrade] + RogueHub.oversized[$0 % RogueHub.oversized.count].acts + [.listen]
            }
            let place = "[hub]\nhost = 127.0.0.1\nport = \(rogue.port)"
            let puck = try house.start(
                "puckd",
                try house.configureUnpaired(extra: place) + [
                    "--set", "gpio.chip=pinctrl-test", "--set", "gpio.button=17",
                ],
                name: "kitchen", devices: true)
            try await puck.line("gpio.open", ["line": "button"])
            try board.write("0 5500 1 100 1", to: "17")
            try await puck.line("pairing.began")
            // It asks again and again.
            try await eventually("the search stands still:\n\(puck.tail)") { rogue.visitors >= 3 }
            #expect(try await house.control("pairing", "off").status == 0)
            try await puck.line("pairing.ended")
        }
    }
}

extension Range<Int> {
    fileprivate func asyncMap<Result>(_ make: (Int) async throws -> Result) async throws -> [Result] {
        var all: [Result] = []
        for number in self { all.append(try await make(number)) }
        return all
    }
}

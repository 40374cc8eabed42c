import Foundation
import Testing

@Suite(
    "Processes: cables are pulled out and put in", .fewAtATime,
    .enabled(if: Network.isPermitted, Network.isNotPermitted))
struct NetworkTests {
    /// A hub and a puck, each in its own network, with a cable between them.
    private struct Cable {
        static let hubAddress = "10.77.0.1"
        let atHub: Network
        let atPuck: Network

        /// Both ends are pulled out at first.
        init(in house: House) async throws {
            atHub = try await Network(in: house)
            atPuck = try await Network(in: house)
            try await atHub.ip(
                "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", "\(atPuck.pid)")
            try await atHub.ip("address", "add", Self.hubAddress + "/24", "dev", "wire")
            try await atPuck.ip("address", "add", "10.77.0.2/24", "dev", "wire")
        }

        func plugIn() async throws {
            try await atHub.ip("link", "set", "wire", "up")
            try await atPuck.ip("link", "set", "wire", "up")
        }
    }

    @Test("An interface that comes up while the puck waits for its next attempt cuts the wait short")
    func interfaceComesUp() async throws {
        try await House.run { house in
            let cable = try await Cable(in: house)
            _ = try await house.hub(address: Cable.hubAddress, network: cable.atHub)
            let puck = try await house.puck(set: ["hub.host=\(Cable.hubAddress)"], network: cable.atPuck)
            // The next attempt is 8 s away.
            try await puck.line("link.failed", ["attempt": "4"])
            try await cable.plugIn()
            let change = try await puck.line("link.network_changed")
            #expect(Int(change["retry_in_ms"] ?? "").map { (0...1000).contains($0) } ?? false)
            #expect(try await puck.first(of: ["link.up", "link.failed"]).event == "link.up")
        }
    }

    enum Absence: String, CaseIterable {
        case fiveSeconds
        /// Nobody hears of the other's end: the sockets are half-open until the keep-alive gives them up.
        case untilGivenUp
    }

    @Test("An answer survives a cable that is pulled out and put in again", arguments: Absence.allCases)
    func cable(_ absence: Absence) async throws {
        try await House.run { house in
            let cable = try await Cable(in: house)
            try await cable.plugIn()
            let hub = try await house.hub(
                tls: true, address: Cable.hubAddress, extra: AnswerCutTests.responder(AnswerCutTests.answer, house),
                network: cable.atHub)
            let puck = try await house.puck(
                tls: true, set: ["hub.host=\(Cable.hubAddress)"], network: cable.atPuck)
            try await puck.line("link.up")
            let conversation = try await house.wake(puck)
            try await puck.line("play.start")
            try await AnswerCutTests.spoken(2, house, puck)
            try await cable.atHub.ip("link", "set", "wire", "down")
            switch absence {
            case .fiveSeconds: try await Task.sleep(for: .seconds(5))
            case .untilGivenUp: try await puck.line("link.disconnected", ["reason": "silent-hub"])
            }
            try await cable.atHub.ip("link", "set", "wire", "up")
            if absence == .untilGivenUp { try await puck.line("link.up", ["resume": "replayed"]) }
            try await puck.line("play.done", ["played_ms": "8000"])
            try await hub.line("conversation.end", ["conversation": conversation, "outcome": "done"])
            let sent = try await house.recording(conversation, "sent")
            let gaps = Sound.expectWhole(Sound.read(house.speaker()), sent, puck.tail)
            #expect(!gaps.isEmpty)
        }
    }
}

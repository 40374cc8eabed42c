import CLinux
import Foundation
import Testing

@Suite("Processes: no microphone dies silently", .fewAtATime)
struct CaptureHealthTests {
    @Test("A microphone of exact zeros is reopened, shown, reported to the hub, and heard again with its first sound")
    func zeros() async throws {
        try await House.run { house in
            let (listener, port) = loopbackListener(backlog: 8)
            defer { close(listener) }
            let puck = try await house.puck(
                token: House.anyToken, port: Int(port), set: ["capture.zeros_ms=500"])
            let hub = try await RawPeer.hub(greetedAt: listener)
            hub.send(PuckProtocolTests.welcome)
            #expect(try await hub.control("status")["capture_ok"] as? Bool == true)
            try house.fault("zeros")
            try await puck.line("capture.failed", ["detail": "exact zeros", "advice": "Unmute it"])
            try await puck.line("lights", ["state": "error"])
            #expect(try await hub.control("status")["capture_ok"] as? Bool == false)
            try await puck.line("capture.open")
            // The same again is no news for the lights, and no recovery in between.
            try await puck.line("capture.failed", ["detail": "exact zeros"])
            #expect(!puck.hasLogged("capture.recovered"))
            #expect(try await house.control("status").output.contains("capture=down capture_faults=zeros:2"))
            try house.fault("sound")
            try await puck.line("capture.recovered")
            #expect(try await house.control("status").output.contains("capture=ok capture_faults=zeros:"))
        }
    }

    @Test("Zeros that last are reported ever more seldom, and the microphone stays open for what may come")
    func zerosThatLast() async throws {
        try await House.run { house in
            try house.fault("zeros")
            let puck = try await house.puck(token: House.anyToken, set: ["capture.zeros_ms=500"])
            var times: [Double] = []
            for _ in 0..<3 {
                let line = try await puck.line("capture.failed", ["detail": "exact zeros"])
                times.append(line.seconds ?? 0)
            }
            // After 0.5 s, 0.5 s, 2.5 s of zeros, each after a second's pause.
            #expect(times[2] - times[1] >= times[1] - times[0] + 1.5, "\(times)")
        }
    }

    @Test("While the puck is muted zeros are what is wanted")
    func mutedZeros() async throws {
        try await House.run { house in
            let puck = try await house.puck(token: House.anyToken, set: ["capture.zeros_ms=500"])
            try await puck.line("capture.open")
            _ = try await house.control("mute")
            try house.fault("zeros")
            let periods = try await Self.periods(house)
            // Two seconds of sound, as the microphone counts them: four times what would be a fault.
            while try await Self.periods(house) < periods + 100 {}
            #expect(!puck.hasLogged("capture.failed"))
            _ = try await house.control("unmute")
            try await puck.line("capture.failed", ["detail": "exact zeros"])
        }
    }

    @Test("A microphone at a wrong rate is found out by its own time stamps", arguments: [80, -80])
    func drift(permille: Int) async throws {
        try await House.run { house in
            let puck = try await house.puck(token: House.anyToken)
            try await puck.line("capture.open")
            try house.fault("drift \(permille)")
            try await puck.line("capture.failed", ["detail": "the rate that it agreed to"])
            try await puck.line("lights", ["state": "error"])
            #expect(try await house.control("status").output.contains("capture=down capture_faults=rate:1"))
            try house.fault("drift 0")
            try await puck.line("capture.recovered")
        }
    }

    struct Loss: CustomTestStringConvertible {
        let fault: String
        let mended: String
        let kind: String
        var testDescription: String { fault }
    }

    /// A device that only ever fails, and would be recovered for ever: it counts as lost after eight times without a period in
    /// between. Each time takes several of these lines, one for each question of libasound.
    private static func nothingElse(_ fault: String) -> String {
        Array(repeating: fault, count: 60).joined(separator: "\n")
    }

    @Test(
        "Whatever takes the microphone away in mid-stream is counted by its kind, and mended in process",
        arguments: [
            Loss(fault: "badfd", mended: "", kind: "lost:1"), Loss(fault: "enodev", mended: "return", kind: "lost:1"),
            Loss(fault: "stall", mended: "resume", kind: "stalled:"),
            Loss(fault: "suspend -1", mended: "", kind: "none"),
            Loss(fault: nothingElse("overrun 0"), mended: "", kind: "other:1"),
        ])
    func counted(_ loss: Loss) async throws {
        try await House.run { house in
            let puck = try await house.puck(token: House.anyToken)
            try await puck.line("capture.open")
            let before = try await Self.periods(house)
            try house.fault(loss.fault)
            if loss.kind == "none" {
                try await puck.line("capture.suspended")
            } else {
                try await puck.line("capture.failed")
                if !loss.mended.isEmpty { try house.fault(loss.mended) }
                try await puck.line("capture.recovered")
            }
            while try await Self.periods(house) <= before + 10 {}
            let status = try await house.control("status").output
            #expect(status.contains(" capture=ok ") && status.contains("capture_faults="), "\(status)")
            #expect(status.contains(loss.kind), "\(status)")
        }
    }

    @Test("A card that vanishes and comes back under another number is found by its name")
    func anotherNumber() async throws {
        try await House.run { house in
            // The name stays, what is behind it is another device; the old one never comes back.
            let arguments = try await house.configurePuck(token: House.anyToken)
            let devices = try String(contentsOf: house.file("asound.conf"), encoding: .utf8)
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("capture.open")
            try house.fault("enodev")
            try await puck.line("capture.failed", ["advice": "retried by itself"])
            let moved = devices.replacingOccurrences(of: "kitchen.faults", with: "kitchen-1.faults")
            try Data(moved.utf8).write(to: house.file("asound.conf"), options: .atomic)
            try await puck.line("capture.open")
            try await puck.line("capture.recovered")
        }
    }

    @Test("A card that is configured by its number is advised against")
    func byNumber() async throws {
        try await House.run { house in
            let puck = try await house.puck(token: House.anyToken, set: ["capture.device=plughw:7,0"])
            try await puck.line("config.warning", ["detail": "hw:CARD="])
        }
    }

    @Test("A loudspeaker that stands still in mid-answer is reported, reopened, and plays the next one")
    func loudspeaker() async throws {
        try await House.run { house in
            _ = try await house.hub()
            let puck = try await house.puck()
            try await puck.line("link.up")
            try await house.wake(puck)
            try await puck.line("play.start")
            try house.fault("stall", on: "kitchen-speaker")
            try await puck.line("playback.failed", ["detail": "has moved no sound for 2 s"])
            try await puck.line("lights", ["state": "error"])
            try house.fault("resume", on: "kitchen-speaker")
            try await puck.line("playback.recovered")
            #expect(try await house.control("status").output.contains("playback=ok playback_faults=stalled:1"))
            try await house.converse(puck)
        }
    }

    @Test(
        "Whatever takes the loudspeaker away in mid-answer is counted by its kind, and mended in process",
        arguments: [
            Loss(fault: "badfd", mended: "", kind: "lost:1"), Loss(fault: "enodev", mended: "return", kind: "lost:1"),
            Loss(fault: "suspend 2", mended: "", kind: "none"), Loss(fault: "underrun 50", mended: "", kind: "none"),
        ])
    func loudspeakerLost(_ loss: Loss) async throws {
        try await House.run { house in
            _ = try await house.hub()
            // By the position of what is played: a busy machine may see the answer begin when its end is written already.
            let isShort = loss.kind == "none"
            if isShort { try house.fault("at 16000 \(loss.fault)", on: "kitchen-speaker") }
            let puck = try await house.puck(set: ["endpoint.utterance_limit_ms=3000"])
            try await puck.line("link.up")
            try await house.wake(puck)
            try await puck.line("play.start")
            if !isShort { try house.fault(loss.fault, on: "kitchen-speaker") }
            if isShort {
                try await puck.line("playback.underrun")
                try await puck.line("play.done")
            } else {
                try await puck.line("playback.failed")
                try await puck.line("lights", ["state": "error"])
                if !loss.mended.isEmpty { try house.fault(loss.mended, on: "kitchen-speaker") }
                try await puck.line("playback.recovered")
            }
            let status = try await house.control("status").output
            #expect(status.contains("playback=ok playback_faults=\(loss.kind)"), "\(status)")
            try await house.converse(puck)
        }
    }

    @Test("A loudspeaker that goes while nothing plays is missed, the hub is told, and it is found again by its name")
    func loudspeakerGone() async throws {
        try await House.run { house in
            let (listener, port) = loopbackListener(backlog: 8)
            defer { close(listener) }
            let arguments = try await house.configurePuck(token: House.anyToken, port: Int(port))
            let devices = try String(contentsOf: house.file("asound.conf"), encoding: .utf8)
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            let hub = try await RawPeer.hub(greetedAt: listener)
            hub.send(PuckProtocolTests.welcome)
            #expect(try await hub.control("status")["playback_ok"] as? Bool == true)
            try await puck.line("playback.open")
            try house.fault("enodev", on: "kitchen-speaker")
            try await puck.line("playback.failed", ["advice": "retried by itself"])
            try await puck.line("lights", ["state": "error"])
            #expect(try await hub.control("status")["playback_ok"] as? Bool == false)
            #expect(try await house.control("status").output.contains("playback=down playback_faults=lost:1"))
            // The name stays, what is behind it is another device; the old one never comes back.
            let moved = devices.replacingOccurrences(of: "kitchen-speaker.faults", with: "kitchen-speaker-1.faults")
            try Data(moved.utf8).write(to: house.file("asound.conf"), options: .atomic)
            try await puck.line("playback.recovered")
            #expect(try await hub.control("status")["playback_ok"] as? Bool == true)
        }
    }

    @Test("A loudspeaker that somebody else holds is taken when it is free")
    func loudspeakerBusy() async throws {
        try await House.run { house in
            try house.fault("busy", on: "kitchen-speaker")
            let puck = try await house.puck(token: House.anyToken)
            try await puck.line("playback.failed", ["advice": "fuser"])
            try await puck.line("lights", ["state": "error"])
            #expect(try await house.control("status").output.contains("playback_faults=busy:"))
            try house.fault("free", on: "kitchen-speaker")
            try await puck.line("playback.recovered")
        }
    }

    private static func periods(_ house: House) async throws -> Int {
        let status = try await house.control("status").output
        let word = status.split(separator: " ").first { $0.hasPrefix("periods=") }
        return Int(word?.dropFirst(8) ?? "") ?? -1
    }
}

import Foundation
import LinuxIO
import Testing

@Suite("Processes: sound devices fail, and come back", .fewAtATime)
struct DeviceFaultTests {
    @Test("A microphone that does not exist is named with advice, and the lights say error")
    func missingMicrophone() async throws {
        try await House.run { house in
            let puck = try await house.puck(token: House.anyToken, set: ["capture.device=nosuch"])
            let line = try await puck.line("capture.failed", ["detail": "'nosuch' cannot be opened"])
            #expect(line["advice"]?.isEmpty == false)
            try await puck.line("lights", ["state": "error"])
            try await puck.line("capture.failed")  // it goes on trying
        }
    }

    struct Loss: CustomTestStringConvertible {
        let fault: String
        let mended: String
        let advice: String
        var testDescription: String { fault }
    }

    @Test(
        "A microphone that cannot be opened is opened by itself once it can be",
        arguments: [
            Loss(fault: "enodev", mended: "return", advice: "check that the card is plugged in"),
            Loss(fault: "busy", mended: "free", advice: "fuser"),
        ])
    func unavailable(_ loss: Loss) async throws {
        try await House.run { house in
            try house.fault(loss.fault)
            let puck = try await house.puck(token: House.anyToken)
            try await puck.line("capture.failed", ["advice": loss.advice])
            try await puck.line("lights", ["state": "error"])
            try house.fault(loss.mended)
            try await puck.line("capture.open")
            try await puck.line("lights", ["state": "starting"])
        }
    }

    @Test("A microphone without a usable format is described with what it offers")
    func noFormat() async throws {
        try await House.run { house in
            let arguments = try await house.configurePuck(token: House.anyToken, set: ["capture.channels=2"])
            let old = try String(contentsOf: house.file("asound.conf"), encoding: .utf8)
            try house.write(
                old.replacingOccurrences(of: "type puckfake infile", with: "type puckfake channels 1 infile"),
                to: "asound.conf")
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("capture.failed", ["detail": "asked for 2 channels", "advice": "plughw:"])
        }
    }

    @Test("A microphone that is pulled out in mid-utterance ends it as a gap, and works again when it is back")
    func pulledOut() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let puck = try await house.puck(set: ["endpoint.utterance_limit_ms=3000"])
            try await puck.line("link.up")
            try await house.wake(puck)
            try await hub.line("conversation.first_audio")
            try house.fault("enodev")
            try await puck.line("capture.failed", ["advice": "retried by itself"])
            try await puck.line("lights", ["state": "error"])
            #expect(puck.hasLogged("uplink.end", ["reason": "gap"]))
            try house.fault("return")
            try await puck.line("capture.open")
            try await puck.line("lights", ["state": "idle"])
            try await house.wake(puck)
        }
    }

    @Test("Overruns are counted, and every sample after them keeps its place in time")
    func overruns() async throws {
        try await House.run { house in
            try house.fault("at 8000 overrun 100")
            try house.fault("at 24000 overrun 200")
            let puck = try await house.puck(token: House.anyToken)
            // Frame numbers count lost frames, so where the second one strikes tells whether the first was measured.
            for (frame, lost) in [(8000, 1600), (24_000, 3200)] {
                let line = try await puck.line("capture.overrun")
                let position = Int(line["position"] ?? "") ?? 0
                let missing = Int(line["missing_samples"] ?? "") ?? 0
                // 2 ms for the two timestamps, a millisecond each; the fault itself takes as long as it was told or more.
                #expect(abs(position - frame) <= 32, "position \(position), not \(frame)")
                #expect(missing >= lost - 32, "\(missing) samples, not \(lost)")
            }
            let status = try await house.control("status").output
            #expect(status.contains("overruns=2"), "\(status)")
        }
    }

    @Test("Overruns of a 44.1 kHz microphone become an exact number of samples, however many there are")
    func overrunsResampled() async throws {
        try await House.run { house in
            let count = 10
            // Frame numbers count lost frames, so the ring must be at 8000 · i, less the resampler's delay, each time.
            for i in 1...count { try house.fault("at \(i * 22_050) overrun 33") }
            let puck = try await house.puck(token: House.anyToken, microphone: .quietAt(rate: 44_100))
            var behind: [Int] = []
            for i in 1...count {
                let line = try await puck.line("capture.overrun")
                behind.append(i * 8000 - (Int(line["position"] ?? "") ?? 0))
            }
            // 33 ms are no whole number of samples at 16 kHz: ten roundings that are not carried on would be felt.
            #expect(behind.max()! - behind.min()! <= 1, "\(behind)")
            #expect(behind.allSatisfy { (0...64).contains($0) }, "\(behind)")
        }
    }

    @Test("An overrun in mid-utterance ends it as a gap, and the next one is whole")
    func overrunInUtterance() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let puck = try await house.puck()
            try await puck.line("link.up")
            // On a machine that is busy with other tests the utterance, of a second, may be over before it is hit.
            for _ in 0..<10 {
                try await house.wake(puck)
                try await hub.line("conversation.first_audio")
                try house.fault("overrun 100")
                try await puck.line("capture.overrun")
                if try await hub.line("conversation.end")["outcome"] == "degraded" { break }
                try await puck.line("lights", ["state": "idle"])
            }
            #expect(puck.hasLogged("uplink.end", ["reason": "gap"]))
            try await house.converse(puck)
        }
    }

    @Test("A microphone that is suspended with the machine is resumed with it")
    func suspend() async throws {
        try await House.run { house in
            try house.fault("at 8000 suspend 3")
            let puck = try await house.puck(token: House.anyToken)
            try await puck.line("capture.suspended")
            #expect(try await house.control("status").output.contains(" suspends=1 "))
            let periods = try await Self.periods(house)
            try await Self.morePeriods(than: periods, house)
        }
    }

    @Test("A microphone that falls silent without an error is closed, reported, and opened again")
    func stall() async throws {
        try await House.run { house in
            try house.fault("at 8000 stall")
            let puck = try await house.puck(token: House.anyToken)
            try await puck.line("capture.open")
            try await puck.line("capture.failed")
            try await puck.line("lights", ["state": "error"])
            try house.fault("resume")
            try await eventually("the microphone never came back") {
                puck.log.last { $0.event == "lights" }?["state"] == "starting"
            }
            let periods = try await Self.periods(house)
            try await Self.morePeriods(than: periods, house)
        }
    }

    @Test("A puck without a loudspeaker still hears, and does not wait for what it cannot play")
    func noLoudspeaker() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let puck = try await house.puck(set: ["playback.device=nosuch"])
            try await puck.line("playback.failed", ["detail": "'nosuch'"])
            try await eventually("never connected:\n\(puck.tail)") { puck.hasLogged("link.up") }
            let conversation = try await house.wake(puck)
            try await puck.line("uplink.end", ["reason": "timeout"])
            try await hub.line("conversation.end", ["conversation": conversation, "outcome": "cancelled"])
            try await house.wake(puck)
        }
    }

    @Test("Sounds for a loudspeaker that is missing do not hurry the attempts to open it")
    func noLoudspeakerForEarcons() async throws {
        try await House.run { house in
            let arguments = try await house.configurePuck(token: House.anyToken, set: ["playback.device=nosuch"])
            let old = try String(contentsOf: house.file("kitchen.conf"), encoding: .utf8)
            try house.write(old.replacingOccurrences(of: "enabled = no", with: "enabled = yes"), to: "kitchen.conf")
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("playback.failed", ["detail": "'nosuch'"])
            for command in ["mute", "unmute", "mute"] { _ = try await house.control(command) }
            for _ in 0..<2 { try await puck.line("playback.failed") }
            // One a second at most; each of the sounds used to cause hundreds.
            let attempts = puck.log.filter { $0.event == "playback.failed" }.count
            #expect(attempts < 10, "\(attempts) attempts")
        }
    }

    private static func periods(_ house: House) async throws -> Int {
        let status = try await house.control("status").output
        let word = status.split(separator: " ").first { $0.hasPrefix("periods=") }
        return Int(word?.dropFirst(8) ?? "") ?? -1
    }

    private static func morePeriods(than old: Int, _ house: House) async throws {
        for _ in 0..<500 where try await periods(house) <= old {}
        #expect(try await periods(house) > old, "the microphone stands still")
    }
}

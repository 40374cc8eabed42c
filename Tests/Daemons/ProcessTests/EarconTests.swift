import Foundation
import LinuxIO
import Testing

@Suite("Processes: earcons", .fewAtATime)
struct EarconTests {
    @Test("A recorded sound for listening is heard after the button, and the hub gets silence until it is over")
    func recordedEarcon() async throws {
        try await House.run { house in
            let tone = (0..<4800).map { Int16(6000 * sin(2 * .pi * 300 * Double($0) / 16_000)) }
            try Sound.write(tone, to: house.file("ding.wav"))
            _ = try await house.hub()
            let puck = try await house.puck(
                set: [
                    "earcons.enabled=yes", "earcons.listening=\(house.file("ding.wav").path)",
                    "endpoint.utterance_limit_ms=3000",
                ])
            try await puck.line("link.up")
            let conversation = try await house.wake(puck)
            try await puck.line("uplink.end", ["conversation": conversation])
            let heard = try await house.recording(conversation, "heard")
            // It begins with the press; 300 ms of sound, 400 ms of buffer, some echo.
            #expect(Sound.peak(heard[3200..<11_000]) < 100, "\(Sound.peak(heard[3200..<11_000]))")
            #expect(Sound.peak(heard[20_000...]) > 2000)
            try await eventually("the sound should be heard") {
                Array(Sound.trimmed(Sound.read(house.speaker())).prefix(4000))
                    == Array(Sound.trimmed(tone).prefix(4000))
            }
        }
    }

    @Test("The puck's own sounds take no word from what is sent")
    func synthesisedEarcon() async throws {
        try await House.run { house in
            _ = try await house.hub()
            let puck = try await house.puck(set: ["earcons.enabled=yes"])
            try await puck.line("link.up")
            let conversation = try await house.wake(puck)
            try await puck.line("uplink.end", ["conversation": conversation])
            let heard = try await house.recording(conversation, "heard")
            for start in stride(from: 1600, to: heard.count - 1600, by: 1600) {
                #expect(Sound.peak(heard[start..<start + 1600]) > 2000, "at sample \(start)")
            }
        }
    }
}

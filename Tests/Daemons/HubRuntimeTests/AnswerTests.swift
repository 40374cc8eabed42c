import Foundation
import OpusCodec
import PuckBase
import PuckWire
import Testing
import WAVFile

/// A tone with a slow tremor, so that no two packets are alike.
private func tone(packets: Int) -> [Int16] {
    (0..<packets * WireLimits.samplesPerPacket).map { i in
        let time = Double(i) / Double(WireLimits.sampleRate)
        return Int16(8_000 * sin(2 * .pi * 440 * time) * (0.6 + 0.4 * sin(2 * .pi * 3 * time)))
    }
}

private func encoded(_ samples: [Int16]) throws -> [[UInt8]] {
    let encoder = try OpusEncoder()
    return try stride(from: 0, to: samples.count, by: WireLimits.samplesPerPacket).map { start in
        var room = [UInt8](repeating: 0, count: OpusEncoder.maximumPacketBytes)
        let size = try samples.withUnsafeBufferPointer { source in
            try room.withUnsafeMutableBytes { try encoder.encode(source.baseAddress! + start, into: $0) }
        }
        return Array(room[..<size])
    }
}

private func decoded(_ packets: [[UInt8]]) throws -> [Int16] {
    let decoder = try OpusDecoder()
    return try packets.flatMap { packet in
        var room = [Int16](repeating: 0, count: WireLimits.samplesPerPacket)
        let count = try packet.withUnsafeBytes { bytes in
            try room.withUnsafeMutableBufferPointer { try decoder.decode(bytes, into: $0) }
        }
        return Array(room[..<count])
    }
}

/// The answer as a puck receives it, reporting what it played when nothing more may come.
private struct Reception {
    var packets: [[UInt8]] = []
    /// Packets that came before anything was reported as played.
    var ahead = 0
    var phases: [HubControl.ConversationPhase] = []
    var starts = 0
    var stop: HubControl.StopReason?

    init(_ puck: TestPuck, aheadPackets: Int) throws {
        var unplayed = 0
        var expected = SerialNumber.zero
        while let message = puck.next() {
            if message.header.type != .control {
                #expect(message.header.sequence == expected)
                expected = expected.next
            }
            switch message.hub {
            case .phase(_, let phase):
                phases.append(phase)
                if phase != .thinking { return }
            case .downStart: starts += 1
            case .downStop(_, let reason):
                stop = reason
                puck.played(message.header.sequence, heard: packets.count, state: .ended)
            default:
                try #require(message.header.type == .downlinkOpus)
                packets.append(message.payload)
                unplayed += 1
                if unplayed == aheadPackets {
                    if ahead == 0 { ahead = packets.count }
                    puck.played(message.header.sequence, heard: packets.count)
                    unplayed = 0
                }
            }
        }
        Issue.record("the connection ended in the middle of an answer")
    }
}

extension HubTests {
    private static func speak(_ puck: TestPuck, _ conversation: String, _ packets: [[UInt8]]) {
        for (i, packet) in packets.enumerated() { puck.send(raw: TestPuck.message(.uplinkOpus, i, packet)) }
        puck.end(conversation, last: packets.count - 1)
    }

    private static func samples(_ hub: HubProcess, _ name: String) throws -> [Int16] {
        try WAVFile(parsing: Array(Data(contentsOf: hub.folder.appendingPathComponent(name)))).samples
    }

    private static func energy(_ samples: [Int16]) -> Double {
        samples.reduce(0) { $0 + Double($1) * Double($1) } / Double(max(1, samples.count))
    }

    @Test("echo says back what it heard, never more than the pacing allows, and the recordings are exact")
    func echo() throws {
        let hub = try HubProcess(pucks: ["kitchen"], ["downlink.ahead_ms=1000"], recording: true)
        let puck = try TestPuck("kitchen", of: hub)
        _ = try puck.greet()
        let conversation = try puck.wake()
        let said = tone(packets: 130)
        let uplink = try encoded(said)
        Self.speak(puck, conversation, uplink)
        let reception = try Reception(puck, aheadPackets: 50)
        #expect(reception.phases == [.thinking, .idle])
        #expect(reception.starts == 1 && reception.stop == .done)
        #expect(reception.packets.count == 130 && reception.ahead == 50)

        let heard = try decoded(uplink)
        let sent = try decoded(reception.packets)
        #expect(abs(Self.energy(sent) / Self.energy(heard) - 1) < 0.1)
        #expect(hub.waitForLog("conversation.end")?["outcome"] == "done")
        #expect(try Self.samples(hub, "\(conversation).heard.wav") == heard)
        #expect(try Self.samples(hub, "\(conversation).sent.wav") == sent)
        #expect(hub.waitForLog("uplink.end")?["packets"] == "130")
        #expect(hub.waitForLog("answer.start")?["play_id"] == "1")
    }

    @Test("nothing comes beyond the pacing until something was played")
    func paced() throws {
        let hub = try HubProcess(pucks: ["kitchen"], ["downlink.ahead_ms=500"])
        let puck = try TestPuck("kitchen", of: hub)
        _ = try puck.greet()
        let conversation = try puck.wake()
        Self.speak(puck, conversation, try encoded(tone(packets: 50)))
        // thinking, down_start and 25 packets; then nothing but what is asked for.
        var types: [MessageType] = []
        for _ in 0..<27 { types.append(try #require(puck.next()).header.type) }
        #expect(types == [.streamControl, .streamControl] + [MessageType](repeating: .downlinkOpus, count: 25))
        #expect(puck.messagesBeforePong().isEmpty)
        puck.played(SerialNumber(2), heard: 1)
        let next = try #require(puck.next())
        #expect(next.header.type == .downlinkOpus && next.header.sequence == SerialNumber(27))
    }

    @Test("wav plays its file, whatever was said")
    func wave() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("answer-\(UUID().uuidString).wav")
        defer { try? FileManager.default.removeItem(at: file) }
        let answer = Array(tone(packets: 31).dropLast(100))
        try Data(WAVFile(rate: 16_000, channels: 1, samples: answer).serialized()).write(to: file)
        let hub = try HubProcess(pucks: ["kitchen"], ["responder.kind=wav", "responder.wav_file=\(file.path)"])
        let puck = try TestPuck("kitchen", of: hub)
        _ = try puck.greet()
        let conversation = try puck.wake()
        Self.speak(puck, conversation, try encoded([Int16](repeating: 0, count: 1_600)))
        let reception = try Reception(puck, aheadPackets: 100)
        #expect(reception.packets.count == 31)
        let sent = try decoded(reception.packets)
        #expect(abs(Self.energy(sent) / Self.energy(answer) - 1) < 0.1)
    }

    @Test("none thinks and is idle again")
    func none() throws {
        let hub = try HubProcess(pucks: ["kitchen"], ["responder.kind=none"])
        let puck = try TestPuck("kitchen", of: hub)
        _ = try puck.greet()
        let conversation = try puck.wake()
        Self.speak(puck, conversation, try encoded([Int16](repeating: 0, count: 1_600)))
        let reception = try Reception(puck, aheadPackets: 100)
        #expect(reception.phases == [.thinking, .idle] && reception.packets.isEmpty)
    }

    @Test("a puck that vanishes in the middle of its utterance leaves a degraded conversation in the log")
    func vanishes() throws {
        let hub = try HubProcess()
        do {
            let puck = try TestPuck("kitchen", of: hub)
            _ = try puck.greet()
            _ = try puck.wake()
            puck.send(raw: TestPuck.message(.uplinkOpus, 0, try encoded(tone(packets: 1))[0]))
            #expect(hub.waitForLog("conversation.first_audio") != nil)
        }
        #expect(hub.waitForLog("conversation.end")?["outcome"] == "degraded")
    }
}

import OpusCodec
import Testing

/// What Opus makes of a sound: the same on every run, so that a test can say to the sample what must be heard.
enum Codec {
    static let packetSamples = OpusEncoder.samplesPerPacket
    /// As a puck encodes by default, and a hub.
    static let puck = OpusEncoder.Parameters()
    static let hub = OpusEncoder.Parameters(bitsPerSecond: 32_000)

    /// The packets of a new encoder; what does not fill one is left out.
    static func packets(_ samples: ArraySlice<Int16>, _ parameters: OpusEncoder.Parameters) throws -> [[UInt8]] {
        let encoder = try OpusEncoder(parameters)
        var room = [UInt8](repeating: 0, count: OpusEncoder.maximumPacketBytes)
        return try stride(from: samples.startIndex, through: samples.endIndex - packetSamples, by: packetSamples).map {
            let start = $0 - samples.startIndex
            let count = try samples.withUnsafeBufferPointer { source in
                try room.withUnsafeMutableBytes { try encoder.encode(source.baseAddress! + start, into: $0) }
            }
            return Array(room[..<count])
        }
    }

    /// What a new decoder makes of them.
    static func decoded(_ packets: ArraySlice<[UInt8]>) throws -> [Int16] {
        let decoder = try OpusDecoder()
        var block = [Int16](repeating: 0, count: packetSamples)
        var samples: [Int16] = []
        for packet in packets {
            _ = try packet.withUnsafeBytes { bytes in
                try block.withUnsafeMutableBufferPointer { try decoder.decode(bytes, into: $0) }
            }
            samples += block
        }
        return samples
    }

    static func roundTrip(_ samples: ArraySlice<Int16>, _ parameters: OpusEncoder.Parameters) throws -> [Int16] {
        try decoded(packets(samples, parameters)[...])
    }

    /// Looks where in `said` the utterance begins that a puck encoded and a hub decoded into `heard`, and expects it to
    /// go on from there without a sample missing, repeated or changed.
    /// - Parameters:
    ///   - grid: where a period of the microphone begins; the puck encodes from such a place.
    ///   - lost: samples that the puck encoded and could not keep before the first that was heard.
    static func expectHeard(
        _ heard: [Int16], of said: [Int16], grid: Int = 0, lost: Int = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        guard heard.count >= packetSamples, heard.count % packetSamples == 0 else {
            Issue.record("\(heard.count) samples are no utterance", sourceLocation: sourceLocation)
            return
        }
        let longest = try await offThePool { try longestPiece(heard, of: said, grid, lost) }
        if longest == heard.count { return }
        Issue.record(
            "of \(heard.count) samples that the hub heard, \(longest) are one piece of what was said",
            sourceLocation: sourceLocation)
    }

    private static func longestPiece(_ heard: [Int16], of said: [Int16], _ grid: Int, _ lost: Int) throws -> Int {
        var longest = 0
        func expected(from start: Int, _ count: Int) throws -> [Int16] {
            let encoded = try packets(said[start..<min(said.count, start + lost + count)], puck)
            return try decoded(encoded.dropFirst(lost / packetSamples))
        }
        for start in stride(from: grid % packetSamples, through: said.count - lost - packetSamples, by: packetSamples) {
            guard try expected(from: start, packetSamples).elementsEqual(heard[..<packetSamples]) else { continue }
            let expected = try expected(from: start, heard.count)
            if expected == heard { return heard.count }
            // One that is the beginning of more is not all of it.
            let alike = zip(expected, heard).prefix { $0 == $1 }.count
            longest = max(longest, min(alike, heard.count - 1))
        }
        return longest
    }
}

import Foundation
import Testing

/// Reads a loudspeaker's recording from front to back and says what is played in it.
struct Reading {
    /// A play that went on after its packets had not come in time.
    struct Gap: Equatable {
        /// Sample of the play before which it lies.
        let position: Int
        /// Made up by the puck, then silent; in samples.
        let bridged: Int
        let silent: Int
    }

    /// How far the beginning of a sound was played, and where with a gap.
    struct Played: Equatable {
        let samples: Int
        let gaps: [Gap]
    }

    /// The puck bridges 60 ms at most; it does everything in blocks of a packet.
    static let mostBridged = 960
    private static let block = Codec.packetSamples

    let spoken: [Int16]
    /// What was read already.
    private(set) var position = 0
    /// Samples since the last packet of the last play that was not read to its end: they may be no part of it, but of
    /// what was made up after it, which may begin alike.
    private var doubtful = 0

    init(_ spoken: [Int16]) { self.spoken = spoken }

    /// Nothing but silence follows.
    var isAtEnd: Bool { spoken[position...].allSatisfy { $0 == 0 } }

    /// Reads as much of `sound` as follows here, in its order and with nothing in between but gaps.
    mutating func play(_ sound: ArraySlice<Int16>) -> Played {
        var next = sound.startIndex
        var gaps: [Gap] = []
        while true {
            let same = zip(spoken[position...], sound[next...]).prefix { $0 == $1 }.count
            position += same
            next += same
            if next == sound.endIndex { break }
            // A play runs dry at the end of a packet; what was made up may begin like what did not come.
            let boundary = max(sound.startIndex, next / Self.block * Self.block)
            var after = self
            after.position -= next - boundary
            guard let gap = after.gap(before: sound[boundary...], at: boundary) else { break }
            self = after
            next = boundary
            gaps.append(gap)
        }
        doubtful = next == sound.endIndex ? 0 : next % Self.block
        return Played(samples: next - sound.startIndex, gaps: gaps)
    }

    /// Goes past what is no part of any play, up to where `sound` begins; nil, and nothing read, when it does not.
    mutating func gap(
        before sound: ArraySlice<Int16>, at number: Int = 0, bridging most: Int = Self.mostBridged
    ) -> Gap? {
        position -= doubtful
        doubtful = 0
        let start = sound.prefix(Self.block)
        guard let place = (position..<spoken.count).first(where: { begins(start, at: $0) }) else { return nil }
        let silent = Self.silence(spoken[position..<place])
        let bridged = place - position - silent
        guard bridged <= most else { return nil }
        position = place
        return Gap(position: number, bridged: bridged, silent: silent)
    }

    /// Samples in stretches of nothing but zeros, 10 ms long or more.
    private static func silence(_ samples: ArraySlice<Int16>) -> Int {
        var silent = 0
        var zeros = 0
        for sample in samples + [1] {
            if sample == 0 {
                zeros += 1
            } else {
                silent += zeros >= 160 ? zeros : 0
                zeros = 0
            }
        }
        return silent
    }

    /// Goes back to where `sound` begins, when what was read last went on into it by chance: a few samples alike.
    /// - Returns: by how many samples; nil when it does not begin here.
    mutating func turn(to sound: ArraySlice<Int16>) -> Int? {
        let start = sound.prefix(Self.block)
        guard let back = (0...min(16, position)).first(where: { begins(start, at: position - $0) }) else { return nil }
        position -= back
        doubtful = 0
        return back
    }

    private func begins(_ start: ArraySlice<Int16>, at place: Int) -> Bool {
        place + start.count <= spoken.count && spoken[place] == start.first
            && spoken[place..<place + start.count] == start
    }

    /// Goes past what may follow when a play ends in the middle: the bridge, and silence.
    mutating func skipBrokenEnd() {
        position -= doubtful
        doubtful = 0
        let rest = spoken[position...]
        if rest.count - Self.silence(rest) <= Self.mostBridged { position = spoken.count }
    }
}

extension Sound {
    /// Somebody who speaks on and on: syllables of their own pitch and colour, no two alike, with pauses between.
    static func speech(seconds: Double, seed: UInt32 = 1) -> [Int16] {
        var state = seed &* 2_654_435_761
        func random() -> Double {
            state = state &* 1_664_525 &+ 1_013_904_223
            return Double(state >> 8) / Double(1 << 24)
        }
        var samples = noise(seconds: seconds)
        let syllable = rate * 3 / 10
        for start in stride(from: 0, to: samples.count, by: syllable) {
            let pitch = 100 + 150 * random()
            let colour = (1...6).map { _ in random() }
            let sounding = syllable * 4 / 5
            for i in 0..<min(sounding, samples.count - start) {
                let time = Double(i) / Double(rate)
                var sum = 0.0
                for (k, weight) in colour.enumerated() { sum += weight * sin(2 * .pi * pitch * Double(k + 1) * time) }
                let edge = min(1, Double(min(i, sounding - i)) / 320)
                samples[start + i] = Int16(clamping: Int(samples[start + i]) + Int(sum * edge * 2500))
            }
        }
        return samples
    }

    /// What the loudspeaker played is all of what was sent and nothing else, in one piece but for gaps.
    @discardableResult
    static func expectWhole(
        _ spoken: [Int16], _ sent: [Int16], _ log: @autoclosure () -> String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> [Reading.Gap] {
        var reading = Reading(spoken)
        let played = reading.play(sent[...])
        let isWhole = !sent.isEmpty && played.samples == sent.count && reading.isAtEnd
        #expect(
            isWhole,
            "of \(sent.count) samples \(played) were played, recorded \(spoken.count); the puck said:\n\(log())",
            sourceLocation: sourceLocation)
        return played.gaps
    }
}

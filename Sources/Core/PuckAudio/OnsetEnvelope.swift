import AudioRing

/// The course of the level around the onset of a wake word, from which the hub tells near from far: how early the sound
/// rises here, and how rough it is (docs/ARBITRATION.md). Made once a wake, from the ring, on the loop's thread.
public enum OnsetEnvelope {
    /// 60 ms before the onset: as much earlier may another puck hear it.
    public static let leadSamples = 960
    /// 5 ms: a period of a voice is between 2.5 and 12.5 ms.
    public static let stepSamples = 80
    /// 60 ms before the onset and 100 ms after it.
    public static let mostSteps = 32

    /// Levels of the whole steps, at most `mostSteps`, in whole dB relative to full scale, -90…0.
    /// - Parameter samples: 16 kHz mono; the first lies `leadSamples` before the onset.
    public static func decibels(_ samples: UnsafeBufferPointer<Int16>) -> [Int8] {
        var levels: [Int8] = []
        levels.reserveCapacity(mostSteps)
        for step in 0..<min(mostSteps, samples.count / stepSamples) {
            let part = UnsafeBufferPointer(rebasing: samples[step * stepSamples..<(step + 1) * stepSamples])
            levels.append(Int8(Level.decibels(part).rounded()))
        }
        return levels
    }

    /// The same from a ring that holds the onset; empty when it no longer holds what came before it.
    public static func decibels(around onset: Int64, in ring: AudioRing) -> [Int8] {
        let start = onset - Int64(leadSamples)
        guard start >= 0 else { return [] }
        return withUnsafeTemporaryAllocation(of: Int16.self, capacity: mostSteps * stepSamples) { buffer in
            var reader = ring.reader(at: start)
            let read = reader.read(into: buffer)
            return read.lost == 0 ? decibels(UnsafeBufferPointer(rebasing: buffer[..<read.count])) : []
        }
    }
}

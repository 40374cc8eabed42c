/// A PCM WAV file's content: what tests, the demo and the hub's `wav` responder read and write.
public struct WAVFile: Equatable, Sendable {
    /// Hz.
    public var rate: Int
    public var channels: Int
    /// Interleaved.
    public var samples: [Int16]

    public init(rate: Int, channels: Int, samples: [Int16]) {
        self.rate = rate
        self.channels = channels
        self.samples = samples
    }

    /// Why bytes are not a WAV file that can be used here.
    public enum Malformed: Error, Equatable, Sendable {
        case notRIFF
        case noFormat
        case noData
        case notPCM16(format: Int, bits: Int)
        case badChannels(Int)
        case badRate(Int)

        /// One sentence: what is wrong and what to do.
        public var advice: String {
            switch self {
            case .notRIFF: return "this is not a WAV file: it does not begin with RIFF…WAVE"
            case .noFormat: return "the WAV file has no usable 'fmt ' chunk before its data: it is damaged, or cut off"
            case .noData: return "the WAV file has no 'data' chunk: it is damaged, or cut off"
            case .notPCM16(let format, let bits):
                return "the WAV file holds format \(format) with \(bits) bits, 16-bit PCM is needed: "
                    + "convert it with 'sox IN -b 16 -e signed OUT.wav'"
            case .badChannels(let count): return "the WAV file has \(count) channels; 1 to 8 are possible"
            case .badRate(let rate): return "the WAV file has a rate of \(rate) Hz; 8000 to 192000 are possible"
            }
        }
    }

    /// Reads RIFF/WAVE with 16-bit PCM. Unknown chunks are skipped. A data chunk that claims more than follows (a
    /// recorder that was killed leaves that behind) is read as far as it goes.
    public init(parsing bytes: [UInt8]) throws(Malformed) {
        func u16(_ at: Int) -> Int { Int(bytes[at]) | Int(bytes[at + 1]) << 8 }
        // No file that is read here has 2 GiB; on a 32-bit machine a length from there on is cut to the largest there is.
        func u32(_ at: Int) -> Int { Int(clamping: UInt32(u16(at)) | UInt32(u16(at + 2)) << 16) }
        func tag(_ at: Int, _ text: StaticString) -> Bool {
            (0..<4).allSatisfy { bytes[at + $0] == text.utf8Start[$0] }
        }
        guard bytes.count >= 12, tag(0, "RIFF"), tag(8, "WAVE") else { throw .notRIFF }
        var at = 12
        var format: (rate: Int, channels: Int)?
        while at + 8 <= bytes.count {
            let length = u32(at + 4)
            let body = at + 8
            if tag(at, "fmt ") {
                guard length >= 16, body + 16 <= bytes.count else { throw .noFormat }
                var code = u16(body)
                if code == 0xFFFE, length >= 26, body + 26 <= bytes.count { code = u16(body + 24) }  // extensible
                let bits = u16(body + 14)
                guard code == 1, bits == 16 else { throw .notPCM16(format: code, bits: bits) }
                guard (1...8).contains(u16(body + 2)) else { throw .badChannels(u16(body + 2)) }
                guard (8000...192_000).contains(u32(body + 4)) else { throw .badRate(u32(body + 4)) }
                format = (u32(body + 4), u16(body + 2))
            } else if tag(at, "data") {
                guard let format else { throw .noFormat }
                let count = min(length, bytes.count - body) / 2
                self.init(
                    rate: format.rate, channels: format.channels,
                    samples: (0..<count).map { Int16(bitPattern: UInt16(truncatingIfNeeded: u16(body + 2 * $0))) })
                return
            }
            guard length < bytes.count - body else { break }
            at = body + length + (length & 1)
        }
        throw format == nil ? .noFormat : .noData
    }

    /// The file's bytes, with the plain 44-byte header.
    public func serialized() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(44 + samples.count * 2)
        func put(_ text: StaticString) { for i in 0..<4 { bytes.append(text.utf8Start[i]) } }
        func put(_ value: Int, bytes count: Int) {
            for i in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * i))) }
        }
        put("RIFF")
        put(36 + samples.count * 2, bytes: 4)
        put("WAVE")
        put("fmt ")
        put(16, bytes: 4)
        put(1, bytes: 2)
        put(channels, bytes: 2)
        put(rate, bytes: 4)
        put(rate * channels * 2, bytes: 4)
        put(channels * 2, bytes: 2)
        put(16, bytes: 2)
        put("data")
        put(samples.count * 2, bytes: 4)
        for sample in samples { put(Int(UInt16(bitPattern: sample)), bytes: 2) }
        return bytes
    }
}

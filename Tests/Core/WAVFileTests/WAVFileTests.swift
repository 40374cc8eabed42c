import Testing

@testable import WAVFile

@Suite("WAV files")
struct WAVFileTests {
    let file = WAVFile(rate: 16_000, channels: 2, samples: [0, -1, 32_767, -32_768])

    @Test("what is written is read back")
    func roundTrip() throws { #expect(try WAVFile(parsing: file.serialized()) == file) }

    @Test("unknown chunks, of odd length too, are skipped")
    func chunks() throws {
        var bytes = file.serialized()
        bytes.insert(contentsOf: Array("LIST".utf8) + [3, 0, 0, 0, 1, 2, 3, 0], at: 36)
        #expect(try WAVFile(parsing: bytes) == file)
    }

    @Test("a recording that was cut off is read as far as it goes")
    func cut() throws {
        let bytes = Array(file.serialized().dropLast(3))
        #expect(try WAVFile(parsing: bytes).samples == [0, -1])
    }

    @Test("what is not a WAV file, or not one for us, is refused with advice")
    func refused() {
        var float = file.serialized()
        float[20] = 3
        var bits = file.serialized()
        bits[34] = 24
        var channels = file.serialized()
        channels[22] = 9
        let cases: [([UInt8], WAVFile.Malformed)] = [
            ([], .notRIFF), (Array("not a WAV file at all".utf8), .notRIFF),
            (Array(file.serialized().prefix(12)), .noFormat), (Array(file.serialized().prefix(30)), .noFormat),
            (Array(file.serialized().prefix(40)), .noData), (float, .notPCM16(format: 3, bits: 16)),
            (bits, .notPCM16(format: 1, bits: 24)), (channels, .badChannels(9)),
        ]
        for (bytes, expected) in cases {
            #expect(throws: expected) { try WAVFile(parsing: bytes) }
            #expect(!expected.advice.isEmpty)
        }
    }
}

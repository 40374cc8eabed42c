import Foundation
import WAVFile

/// What is said in the flat, as sound.
struct Spoken {
    /// Talk, the wake word, the sentence.
    var voice: [Int16]
    /// Where the wake word begins.
    var word: Int
    /// From the sentence's first 20 ms of speech to its last.
    var sentence: Range<Int>
}

/// Sentences as sound: espeak-ng speaks them, sox brings them to 16 kHz.
enum Speech {
    /// Longer ones do not fit into the demo's half minute: the sentence is said, and then said back.
    static let longestSeconds = 8.0
    static let wakeWord = "Okay Nabu"
    /// Said before, to nobody's puck.
    static let talk = "It is getting late, and nobody is at home."

    /// Talk, a pause, the wake word, and the sentence as soon after it as people speak.
    static func speakAll(_ sentence: String, in folder: URL) throws(DemoError) -> Spoken {
        var voice = try trimmed(talk, in: folder) + silence(seconds: 1)
        let word = voice.count
        voice += try trimmed(wakeWord, in: folder) + silence(seconds: 0.2)
        let start = voice.count
        let said = try trimmed(sentence, in: folder)
        return Spoken(voice: voice + said, word: word, sentence: start..<start + said.count)
    }

    private static func silence(seconds: Double) -> [Int16] {
        [Int16](repeating: 0, count: Int(seconds * Double(RoomMix.rate)))
    }

    private static func trimmed(_ text: String, in folder: URL) throws(DemoError) -> [Int16] {
        let voice = try speak(text, in: folder)
        return Array(voice[RoomMix.speechRange(of: voice)])
    }

    static func speak(_ sentence: String, in folder: URL) throws(DemoError) -> [Int16] {
        let text = folder.appending(path: "sentence.txt")
        let raw = folder.appending(path: "espeak.wav")
        let dry = folder.appending(path: "sentence.wav")
        do { try sentence.write(to: text, atomically: false, encoding: .utf8) } catch {
            throw DemoError("cannot write to \(folder.path): \(error.localizedDescription)")
        }
        try Tool.run("espeak-ng", ["-w", raw.path], input: text, in: folder)
        // Room for the resampler's overshoot, which would be clipped.
        try Tool.run(
            "sox", ["-R", raw.path, "-b", "16", "-c", "1", dry.path, "gain", "-3", "rate", "16000"], in: folder)
        let voice = try readWAV(dry)
        let speech = RoomMix.speechRange(of: voice)
        guard !speech.isEmpty else { throw DemoError("espeak-ng found nothing to pronounce in the sentence") }
        let seconds = Double(voice.count) / Double(RoomMix.rate)
        guard seconds <= longestSeconds else {
            throw DemoError(
                "saying that takes \(Int(seconds.rounded(.up))) s, the demo has room for \(Int(longestSeconds)) s: "
                    + "take a shorter sentence")
        }
        return voice
    }
}

/// Something that the demo cannot work without, and what to do about it.
struct DemoError: Error, Equatable {
    var message: String
    init(_ message: String) { self.message = message }
}

/// A recording of the demo's own kind: 16 kHz mono.
func readWAV(_ file: URL) throws(DemoError) -> [Int16] {
    let bytes: [UInt8]
    do { bytes = [UInt8](try Data(contentsOf: file)) } catch {
        throw DemoError("cannot read \(file.path): \(error.localizedDescription)")
    }
    let wav: WAVFile
    do throws(WAVFile.Malformed) { wav = try WAVFile(parsing: bytes) } catch {
        throw DemoError("\(file.path): \(error.advice)")
    }
    guard wav.rate == RoomMix.rate, wav.channels == 1 else {
        throw DemoError("\(file.path) has \(wav.rate) Hz and \(wav.channels) channels, not 16000 and 1")
    }
    return wav.samples
}

func writeWAV(_ samples: [Int16], to file: URL) throws(DemoError) {
    let wav = WAVFile(rate: RoomMix.rate, channels: 1, samples: samples)
    do { try Data(wav.serialized()).write(to: file) } catch {
        throw DemoError("cannot write \(file.path): \(error.localizedDescription)")
    }
}

import Foundation

/// Spoken words, by espeak-ng, and the wake word models that scripts/wakewords fetched.
enum Speech {
    /// Where `okay_nabu.json` is; nil when nobody said so in PUCK_WAKE_MODELS.
    static let models: String? = ProcessInfo.processInfo.environment["PUCK_WAKE_MODELS"]?.split(separator: ":")
        .map { String($0) }.first { FileManager.default.fileExists(atPath: $0 + "/okay_nabu.json") }

    /// The folder of a model that is handed over beside the repository; nil where it is not.
    static func folder(of model: String) -> String? {
        ProcessInfo.processInfo.environment["PUCK_WAKE_MODELS"]?.split(separator: ":").map { String($0) }
            .first { FileManager.default.fileExists(atPath: "\($0)/\(model).json") }
    }

    static let isThere =
        models != nil && FileManager.default.isExecutableFile(atPath: "/usr/bin/espeak-ng")

    /// 22,050 Hz, as espeak-ng makes it.
    static func write(_ words: String, to file: URL, voice: String = "en-us") throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/espeak-ng")
        process.arguments = ["-v", voice, "-w", file.path, words]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Disappointment("espeak-ng does not say \(words)") }
    }

    /// 16,000 Hz, in the room of `Sound.noise`, with so many seconds of it before and after.
    static func say(
        _ words: String, in house: House, voice: String = "en-us", before: Double = 0, after: Double = 0
    ) throws -> [Int16] {
        let file = house.file("speech.wav")
        try write(words, to: file, voice: voice)
        let spoken = Sound.read(file)
        let count = spoken.count * 16_000 / 22_050
        // Between its neighbours: what that costs in height is nothing to a wake word.
        let voice = (0..<count).map { index -> Int in
            let at = Double(index) * 22_050 / 16_000
            let left = Int(at)
            let right = min(left + 1, spoken.count - 1)
            return Int(Double(spoken[left]) + (Double(spoken[right]) - Double(spoken[left])) * (at - Double(left)))
        }
        let lead = Int(before * 16_000)
        var room = Sound.noise(seconds: before + after + Double(count) / 16_000)
        for (index, sample) in voice.enumerated() where lead + index < room.count {
            room[lead + index] = Int16(clamping: Int(room[lead + index]) + sample * 6 / 10)
        }
        return room
    }
}

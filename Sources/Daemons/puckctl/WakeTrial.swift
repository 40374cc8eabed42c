import LinuxIO
import PuckBase
import PuckWire
import WAVFile
import WakeFiles
import WakeModel
import WakeWord

/// `puckctl wake try FILE.wav`: what each model says about a recording.
struct WakeTrial {
    let file: String
    /// Manifests; empty for all in the folders.
    let models: [String]
    let isJSON: Bool

    /// One model's outputs over the recording.
    struct Course {
        let name: String
        let phrase: String
        let cutoff: Double
        let window: Int
        /// Samples from one output to the next.
        let step: Int
        /// Each with the end of the sound that it is about, as the number of samples before it.
        var outputs: [(position: Int, output: UInt8, score: Float)] = []
        var detections: [(position: Int, score: Float, word: HeardWord)] = []
    }

    func run(folders: () -> WakeFolders) -> Int32 {
        let samples: [Int16]
        do throws(SystemError) {
            let bytes = try readSmallFile(file, limit: PlayCommand.longestFileBytes)
            do throws(WAVFile.Malformed) {
                samples = PlayCommand.converted(try WAVFile(parsing: bytes))
            } catch { return Command.fail("puckctl: \(file): \(error.advice)", ExitCode.noInput) }
        } catch { return Command.fail("puckctl: \(error.description)", ExitCode.noInput) }
        var paths = models
        if paths.isEmpty {
            let folders = folders()
            paths = folders.names.compactMap { folders.path(of: $0) }
            if paths.isEmpty {
                return Command.fail(
                    "puckctl: no wake words in \(folders.folders.first ?? "?"): name one with --model PATH.json",
                    ExitCode.noInput)
            }
        }
        var courses: [Course] = []
        for path in paths {
            do throws(WakeFileError) { courses.append(Self.course(try WakeFile(manifestPath: path), samples)) } catch {
                return Command.fail(
                    "puckctl: \(error.description)", error.isMissing ? ExitCode.noInput : ExitCode.refused)
            }
        }
        if isJSON { return Command.say(json(courses, samples.count)) }
        var text = ""
        for course in courses { text += (text.isEmpty ? "" : "\n") + WakePlot.text(course, samples: samples.count) }
        return Command.say(text, end: "")
    }

    /// Runs one model over all of it, at the manifest's cutoff.
    static func course(_ file: WakeFile, _ samples: [Int16]) -> Course {
        let step = file.plan.rows * FrontEnd.stepSamples
        var course = Course(
            name: file.name, phrase: file.manifest.phrase, cutoff: file.manifest.cutoff, window: file.manifest.window,
            step: step)
        var listener = WakeListener()
        var trace = WordTrace()
        listener.add(PreparedModel(file.plan), cutoff: file.manifest.cutoff, window: file.manifest.window)
        samples.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            var position = 0
            while position + FrontEnd.stepSamples <= buffer.count {
                let isNews = listener.hear(base + position)
                trace.hear(base + position, end: Int64(position + FrontEnd.stepSamples))
                position += FrontEnd.stepSamples
                guard isNews else { continue }
                let outcome = listener.outcome(0)
                guard let output = outcome.output else { continue }
                course.outputs.append((position, output, outcome.score))
                if outcome.verdict == .heard { course.detections.append((position, outcome.score, trace.word())) }
            }
        }
        return course
    }

    private func json(_ courses: [Course], _ count: Int) -> String {
        var root = JSONWriter()
        root.set("file", file)
        root.set("rate", 16_000)
        root.set("samples", count)
        root.set(
            "models",
            courses.map { course in
                var json = JSONWriter()
                json.set("model", course.name)
                json.set("phrase", course.phrase)
                json.set("probability_cutoff", course.cutoff)
                json.set("sliding_window_size", course.window)
                json.set("samples_per_output", course.step)
                json.set("best", Self.rounded(course.best.score))
                json.set("best_position", course.best.position)
                json.set(
                    "detections",
                    course.detections.map { detection in
                        var json = JSONWriter()
                        json.set("position", detection.position)
                        json.set("seconds", Double(detection.position) / 16_000)
                        json.set("score", Self.rounded(detection.score))
                        json.set("word_from", detection.word.onset)
                        json.set("record_from", detection.word.end)
                        return json
                    })
                json.set(
                    "outputs",
                    course.outputs.map { output in
                        var json = JSONWriter()
                        json.set("position", output.position)
                        json.set("output", Int(output.output))
                        return json
                    })
                return json
            })
        return String(decoding: root.serialized(), as: UTF8.self)
    }

    private static func rounded(_ score: Float) -> Double { (Double(score) * 10_000).rounded() / 10_000 }
}

extension WakeTrial.Course {
    /// The highest mean, and where.
    var best: (position: Int, score: Float) {
        var best: (position: Int, score: Float) = (0, 0)
        for output in outputs where output.score > best.score { best = (output.position, output.score) }
        return best
    }
}

/// The course of a model's score in a terminal's characters.
enum WakePlot {
    static let columns = 64
    static let rows = 8

    static func text(_ course: WakeTrial.Course, samples: Int) -> String {
        let seconds = Double(samples) / 16_000
        let best = course.best
        var text = "\(course.name), \"\(course.phrase)\": best score \(fixed(Double(best.score), 2))"
        if best.score > 0 { text += " at \(fixed(Double(best.position) / 16_000, 2)) s" }
        text += ", cutoff \(fixed(course.cutoff, 2)), mean of \(course.window)\n"
        var peaks = [Float](repeating: 0, count: columns)
        for output in course.outputs {
            let column = min(columns - 1, output.position * columns / max(1, samples))
            peaks[column] = max(peaks[column], output.score)
        }
        for row in (0..<rows).reversed() {
            let low = Float(row) / Float(rows)
            let holdsCutoff = Float(course.cutoff) >= low && Float(course.cutoff) < low + 1 / Float(rows)
            text += (row == rows - 1 ? " 1.0 " : row == rows / 2 - 1 ? " 0.5 " : row == 0 ? " 0.0 " : "     ")
            text += "|"
            for peak in peaks {
                // In eighths of a row.
                let height = Int(((peak - low) * Float(rows) * 8).rounded())
                text += height > 0 ? Self.blocks[min(height, 8) - 1] : holdsCutoff ? "-" : " "
            }
            text += holdsCutoff ? "| cutoff\n" : "|\n"
        }
        text += "      0 s" + leftAligned("", columns - 9) + "\(fixed(seconds, 2)) s\n"
        if course.detections.isEmpty { return text + "      not heard\n" }
        for detection in course.detections {
            text +=
                "      heard at \(fixed(Double(detection.position) / 16_000, 2)) s, score "
                + "\(fixed(Double(detection.score), 2))\n"
        }
        return text
    }

    /// Unicode's lower blocks, one to eight eighths.
    private static let blocks = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
}

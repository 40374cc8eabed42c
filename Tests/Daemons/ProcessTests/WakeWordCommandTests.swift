import Foundation
import Testing

/// `puckctl wake list|try|add|remove`, with the models of pymicro-wakeword.
@Suite("Processes: puckctl wake", .enabled(if: Speech.isThere), .fewAtATime)
struct WakeWordCommandTests {
    private static func object(_ output: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any], "\(output)")
    }

    private func folder() throws -> String { try #require(Speech.models) }

    @Test("A recording with the word in it is heard by its model alone, without a daemon, and each output is told")
    func trying() async throws {
        try await House.run { house in
            let models = try folder()
            try Speech.write("okay nabu", to: house.file("word.wav"))
            let words = [
                "wake", "try", house.file("word.wav").path, "--model", "\(models)/okay_nabu.json", "--model",
                "\(models)/alexa.json",
            ]
            let json = try await house.run("puckctl", words + ["--json"])
            #expect(json.status == 0)
            let told = try Self.object(json.output)
            let courses = try #require(told["models"] as? [[String: Any]])
            #expect(courses.map { $0["model"] as? String } == ["okay_nabu", "alexa"])
            #expect(courses[0]["phrase"] as? String == "Okay Nabu" && courses[0]["sliding_window_size"] as? Int == 5)
            let heard = try #require(courses[0]["detections"] as? [[String: Any]])
            #expect(heard.count == 1 && heard[0]["score"] as? Double ?? 0 > 0.85, "\(heard)")
            #expect((courses[1]["detections"] as? [[String: Any]])?.isEmpty == true)
            let outputs = try #require(courses[0]["outputs"] as? [[String: Int]])
            let samples = try #require(told["samples"] as? Int)
            // A window of 30 ms, two steps more for three rows, and then each 30 ms.
            #expect(outputs.map { $0["position"] } == stride(from: 800, through: samples, by: 480).map { $0 })
            #expect(outputs.allSatisfy { (0...255).contains($0["output"] ?? -1) })
            #expect(outputs.contains { $0["output"] ?? 0 > 200 })
            let plot = try await house.run("puckctl", words)
            #expect(plot.status == 0 && plot.output.contains("okay_nabu, \"Okay Nabu\": best score 0.9"), "\(plot)")
            #expect(
                plot.output.contains("| cutoff\n") && plot.output.contains("heard at ") && plot.output.contains("█"))
        }
    }

    @Test("list shows what is in the folders, the first of one name; what is damaged is said with its reason")
    func listing() async throws {
        try await House.run { house in
            let models = try folder()
            let mine = house.file("mine").path
            try FileManager.default.createDirectory(atPath: mine, withIntermediateDirectories: false)
            try house.write("{\"type\": \"openWakeWord\"}", to: "mine/alexa.json")
            let words = ["wake", "list", "--wake-dir", mine, "--wake-dir", models]
            let list = try await house.run("puckctl", words)
            #expect(list.status == 0 && list.output.contains("okay_nabu            \"Okay Nabu\""), "\(list)")
            #expect(list.output.contains("! alexa") && list.output.contains("only models of microWakeWord"), "\(list)")
            let told = try Self.object(try await house.run("puckctl", words + ["--json"]).output)
            let entries = try #require(told["models"] as? [[String: Any]])
            #expect(
                entries.map { $0["model"] as? String } == ["alexa", "hey_jarvis", "hey_mycroft", "okay_nabu"])
            let nabu = entries[3]
            #expect(nabu["probability_cutoff"] as? Double == 0.85 && nabu["memory_bytes"] as? Int ?? 0 > 50_000)
            #expect(entries[0]["error"] is String)
        }
    }

    @Test("add checks an owner's word before it copies both files, and remove takes both away")
    func adding() async throws {
        try await House.run { house in
            let models = try folder()
            let mine = house.file("mine").path
            let data = try Data(contentsOf: URL(filePath: "\(models)/hey_jarvis.tflite"))
            try data.write(to: house.file("computer.tflite"))
            try house.write(
                """
                {"type": "micro", "wake_word": "Computer", "author": "me", "model": "computer.tflite", "version": 2,
                 "trained_languages": "en",
                 "micro": {"probability_cutoff": "97%", "sliding_window_size": "5", "feature_step_size": "10ms",
                           "tensor_arena_size": 30000, "minimum_esphome_version": "2024.7.0"}}
                """, to: "computer.json")
            let place = ["--wake-dir", mine, "--socket", house.file("no-daemon").path]
            let added = try await house.run("puckctl", ["wake", "add", house.file("computer.json").path] + place)
            #expect(added.status == 0 && added.output.contains("[wake] models = computer"), "\(added)")
            #expect(try Data(contentsOf: house.file("mine/computer.tflite")) == data)
            #expect(FileManager.default.fileExists(atPath: mine + "/computer.json"))

            try data.dropLast(1000).write(to: house.file("computer.tflite"))
            let damaged = try await house.run("puckctl", ["wake", "add", house.file("computer.json").path] + place)
            #expect(damaged.status == 1 && damaged.output.contains("computer.tflite: the model"), "\(damaged)")
            #expect(try Data(contentsOf: house.file("mine/computer.tflite")) == data, "the good one is overwritten")

            let removed = try await house.run("puckctl", ["wake", "remove", "computer"] + place)
            #expect(removed.status == 0, "\(removed)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: mine).isEmpty)
            let again = try await house.run("puckctl", ["wake", "remove", "computer"] + place)
            #expect(again.status == 1 && again.output.contains("there is no wake word computer"), "\(again)")
        }
    }

    @Test(
        "What cannot be done is said with what to do",
        arguments: [
            (["wake", "tyr", "x.wav"], Int32(64), "did you mean try?"), (["wake", "try"], 64, "try FILE.wav"),
            (["wake", "list", "--model", "x.json"], 64, "--model does not go with wake list"),
            (["wake", "try", "none.wav"], 66, "cannot open none.wav"),
            (["wake", "add", "none.json"], 66, "cannot open none.json"),
            (["wake", "add", "model.tflite"], 1, "named by its manifest, NAME.json"),
            (["wake", "remove", "../x"], 1, "is no wake word's name"),
        ] as [([String], Int32, String)])
    func mistakes(_ words: [String], _ status: Int32, _ complaint: String) async throws {
        try await House.run { house in
            let said = try await house.run("puckctl", words)
            #expect(said.status == status && said.output.contains(complaint), "\(said)")
        }
    }
}

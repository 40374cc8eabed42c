import Testing

@testable import WakeWord

@Suite("Wake words: manifests")
struct WakeManifestTests {
    private static func text(_ micro: String, _ more: String = "") -> String {
        """
        {"type": "micro", "wake_word": "Okay Nabu", "author": "somebody", "model": "okay_nabu.tflite", "version": 2,
         "trained_languages": ["en", "nl"]\(more), "micro": {\(micro)}}
        """
    }

    private static let micro =
        #""probability_cutoff": 0.97, "sliding_window_size": 5, "feature_step_size": 10, "tensor_arena_size": 26080, "#
        + #""minimum_esphome_version": "2024.7.0""#

    private func parse(_ text: String) throws -> WakeManifest { try WakeManifest(parsing: Array(text.utf8)) }

    @Test("Version 2 is read whole, and keys that are not known do no harm")
    func whole() throws {
        let manifest = try parse(Self.text(Self.micro, #", "website": "https://example.org", "new": [1]"#))
        #expect(manifest.phrase == "Okay Nabu" && manifest.modelFile == "okay_nabu.tflite")
        #expect(manifest.languages == ["en", "nl"] && manifest.author == "somebody")
        #expect(manifest.cutoff == 0.97 && manifest.window == 5)
        #expect(manifest.arenaBytes == 26_080 && manifest.minimumVersion == "2024.7.0")
    }

    @Test(
        "Numbers may be written as ESPHome takes them",
        arguments: [
            (#""probability_cutoff": "97%", "sliding_window_size": "5", "feature_step_size": "10ms""#, 0.97),
            (#""probability_cutoff": "0.5", "sliding_window_size": 5.0, "feature_step_size": "10 ms""#, 0.5),
            (#""probability_cutoff": 1, "sliding_window_size": 5, "feature_step_size": 10"#, 1),
        ])
    func numbers(_ micro: String, _ cutoff: Double) throws {
        let manifest = try parse(Self.text(micro))
        #expect(abs(manifest.cutoff - cutoff) < 1e-9 && manifest.window == 5)
    }

    @Test(
        "What cannot be used is refused with what is wrong and what to do",
        arguments: [
            ("<html>", "it is not JSON (line 1"), ("[]", "no JSON object"), ("", "it is not JSON"),
            ("{\"version\": 2}", "\"wake_word\" is missing"),
            (#"{"type": "micro", "version": 1}"#, "\"version\" is 1, and only 2 is known"),
            (#"{"type": "openWakeWord", "version": 2}"#, "only models of microWakeWord"),
            (
                Self.text(#""probability_cutoff": 97, "sliding_window_size": 5, "feature_step_size": 10"#),
                "such as 0.97"
            ),
            (
                Self.text(#""probability_cutoff": 0.9, "sliding_window_size": 0, "feature_step_size": 10"#),
                "from 1 to 64"
            ),
            (Self.text(#""probability_cutoff": 0.9, "sliding_window_size": 5, "feature_step_size": 20"#), "20 ms"),
            (Self.text(#""probability_cutoff": 0.9, "sliding_window_size": 5"#), "\"feature_step_size\" is missing"),
            (Self.text(#""sliding_window_size": 5, "feature_step_size": 10"#), "\"probability_cutoff\" is missing"),
            (
                #"{"version": 2, "wake_word": "x", "model": "https://example.org/x.tflite", "micro": {}}"#,
                "put the .tflite file beside the manifest"
            ),
            (#"{"version": 2, "wake_word": "a\u001bb", "model": "x.tflite"}"#, "without control characters"),
            (#"{"version": 2, "wake_word": "", "model": "x.tflite"}"#, "text of 1 to 64 bytes"),
        ])
    func refused(_ text: String, _ complaint: String) throws {
        let error = #expect(throws: WakeManifestError.self) { try parse(text) }
        #expect(error?.description.contains(complaint) == true, "\(error?.description ?? "")")
    }

    @Test("A manifest of many kilobytes is none")
    func tooLong() throws {
        let error = #expect(throws: WakeManifestError.self) { try parse(String(repeating: " ", count: 20_000)) }
        #expect(error?.description.contains("at most 16384 are allowed") == true)
    }

    @Test("Sensitivity by word is that of Home Assistant's satellites, within two hundredths, for their models")
    func sensitivity() throws {
        for (cutoff, moderately, very) in [(0.85, 0.69, 0.56), (0.97, 0.92, 0.83)] {
            #expect(Sensitivity("slightly")?.cutoff(manifest: cutoff) == cutoff)
            #expect(abs(Sensitivity.moderately.cutoff(manifest: cutoff) - moderately) < 0.025)
            #expect(abs(Sensitivity.very.cutoff(manifest: cutoff) - very) < 0.085)
        }
        #expect(Sensitivity("0.9")?.cutoff(manifest: 0.97) == 0.9)
        #expect(Sensitivity("90%") == .cutoff(0.9))
        for text in ["", "extremely", "2", "-1", "%"] { #expect(Sensitivity(text) == nil, "\(text)") }
        for cutoff in [0.0, 0.5, 1.0] {
            let very = Sensitivity.very.cutoff(manifest: cutoff)
            #expect((0...1).contains(very) && very <= Sensitivity.moderately.cutoff(manifest: cutoff))
        }
    }
}

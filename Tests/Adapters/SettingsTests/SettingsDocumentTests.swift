import Testing

@testable import Settings

@Suite struct SettingsDocumentTests {
    private func problems(_ text: String) -> [String] {
        SettingsDocument(text: text, name: "f").problems.map(\.description)
    }

    @Test("every key carries the number of its line")
    func lineNumbers() {
        let text = "\u{feff}# comment\r\n[a]\r\n; comment\n\nk = v ; comment\n  indented: w x\n[b]\nk=\n"
        let document = SettingsDocument(text: text, name: "f")
        #expect(document.problems == [])
        let expected = [
            SettingsEntry(section: "a", key: "k", value: "v", line: 5),
            SettingsEntry(section: "a", key: "indented", value: "w x", line: 6),
            SettingsEntry(section: "b", key: "k", value: "", line: 8),
        ]
        #expect(document.entries == expected)
    }

    @Test("an indented key is a key and not a part of the value above")
    func indentedKey() {
        let document = SettingsDocument(text: "[a]\nk = 1\n\tl = 2\n", name: "f")
        #expect(document.entries.map(\.key) == ["k", "l"])
        #expect(document.entries.map(\.value) == ["1", "2"])
    }

    @Test("every bad line is named, and the others are read")
    func badLines() {
        let text = "[a]\nnonsense\nk = 1\n[broken\nl = 2\n"
        let allowed = "allowed: [section], key = value, # comment"
        #expect(problems(text) == ["f:2: found \"nonsense\"; \(allowed)", "f:4: found \"[broken\"; \(allowed)"])
        #expect(SettingsDocument(text: text, name: "f").entries.map(\.key) == ["k", "l"])
    }

    @Test("a line longer than libinih's buffer is refused, not cut")
    func longLine() {
        let fits = "[a]\nk = " + String(repeating: "x", count: 193)
        #expect(problems(fits) == [])
        #expect(SettingsDocument(text: fits, name: "f").entries.first?.value.utf8.count == 193)
        let long = "[a]\nk = " + String(repeating: "x", count: 194) + "\nl = 1"
        #expect(problems(long) == ["f:2: the line has 198 bytes; allowed: at most 197"])
        #expect(SettingsDocument(text: long, name: "f").entries.map(\.line) == [3])
    }

    @Test("a key that is given twice is named with both lines, and the first counts")
    func doubledKey() {
        #expect(
            problems("[a]\nk = 1\n[b]\nk = 1\n[a]\nk = 2") == [
                "f:6: [a] k: given twice, first on line 2; keep one of the two"
            ])
    }

    @Test("what is no text is refused whole")
    func notText() {
        let picture = SettingsDocument(bytes: [0x89, 0x50, 0x4e, 0x47, 0xff, 0], name: "f")
        #expect(picture.problems.map(\.description) == ["f: not UTF-8 text; is it the right file?"])
        let binary = SettingsDocument(bytes: Array("[a]\nk = ".utf8) + [0xc3], name: "f")
        #expect(binary.problems.count == 1)
    }

    @Test("a file of nonsense lists a bounded number of problems")
    func boundedProblems() {
        let text = String(repeating: "nonsense\n", count: 500)
        let document = SettingsDocument(text: text, name: "f")
        #expect(document.problems.count == SettingsErrors.longestList + 1)
        let listed = SettingsErrors(document.problems).description
        #expect(listed.hasSuffix("\nand 1 more"))
    }

    @Test("overrides are read as SECTION.KEY=VALUE")
    func overrides() {
        let document = SettingsDocument(overrides: ["hub.host=a=b", "nonsense", "hub=1", "a.b.c=1", "hub.port="])
        #expect(document.entries.map(\.value) == ["a=b", ""])
        let expected = ["nonsense", "hub=1", "a.b.c=1"].map {
            "command line: found \"\($0)\"; allowed: SECTION.KEY=VALUE"
        }
        #expect(document.problems.map(\.description) == expected)
    }

    @Test("a missing file is named, with what to do")
    func missingFile() {
        let errors = #expect(throws: SettingsErrors.self) {
            try SettingsDocument.read("/nonexistent/f.conf", advice: "write one")
        }
        #expect(errors?.description == "/nonexistent/f.conf: No such file or directory; write one")
        #expect(throws: SettingsErrors.self) { try SettingsDocument.read("/") }
    }
}

import CLinux
import PuckBase
import Testing

@testable import Settings

@Suite struct SettingsReaderTests {
    private enum Color: String, CaseIterable { case red, blue }

    private func reader(_ text: String, _ overrides: String...) -> SettingsReader {
        let file = SettingsDocument(text: text, name: "f")
        return SettingsReader(layers: [file, SettingsDocument(overrides: overrides)], mainName: "f")
    }

    private func problems(_ reader: SettingsReader) -> [String] {
        do throws(SettingsErrors) {
            try reader.finish()
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test("each kind of value is read")
    func kinds() {
        var reader = reader(
            """
            [s]
            int = -3
            dec = -1.25
            yes = on
            color = blue
            text = a b
            word = kitchen-1
            path = x/y
            host = fe80::1%eth0
            hosts = a.b, 10.0.0.1
            """)
        #expect(reader.integer("s", "int", default: 0, range: -5...5) == -3)
        #expect(reader.decimal("s", "dec", default: 0, range: -2...2, unit: "dB") == -1.25)
        #expect(reader.boolean("s", "yes", default: false) == true)
        #expect(reader.choice("s", "color", default: Color.red) == .blue)
        #expect(reader.text("s", "text", default: "") == "a b")
        #expect(reader.word("s", "word", default: "x") == "kitchen-1")
        #expect(reader.path("s", "path", default: "/") == "x/y")
        #expect(reader.requiredHost("s", "host") == "fe80::1%eth0")
        #expect(reader.hosts("s", "hosts") == ["a.b", "10.0.0.1"])
        #expect(problems(reader) == [])
    }

    @Test("a bad value of each kind says what is allowed, all at once, in the order of the lines")
    func badValues() {
        var reader = reader(
            """
            [s]
            hosts = a/b
            host = a b
            path =
            word = Kitchen
            text =
            color = green
            yes = maybe
            dec = 1e3
            int = 6
            """)
        _ = reader.integer("s", "int", default: 0, range: -5...5, unit: "ms")
        _ = reader.decimal("s", "dec", default: 0, range: -2...2.5, unit: "dB")
        _ = reader.boolean("s", "yes", default: false)
        _ = reader.choice("s", "color", default: Color.red)
        _ = reader.text("s", "text", default: "x")
        _ = reader.word("s", "word", default: "x")
        _ = reader.path("s", "path", default: "/")
        _ = reader.requiredHost("s", "host")
        _ = reader.hosts("s", "hosts")
        let expected = [
            "f:2: [s] hosts: found \"a/b\"; allowed: at most 16 host names or addresses with commas between them",
            "f:3: [s] host: found \"a b\"; allowed: a host name or an address",
            "f:4: [s] path: found \"\"; allowed: a path",
            "f:5: [s] word: found \"Kitchen\"; allowed: 1…32 of the letters a-z, 0-9, - and _",
            "f:6: [s] text: found \"\"; allowed: 1…128 bytes",
            "f:7: [s] color: found \"green\"; allowed: red, blue",
            "f:8: [s] yes: found \"maybe\"; allowed: yes or no",
            "f:9: [s] dec: found \"1e3\"; allowed: -2…2.500 dB",
            "f:10: [s] int: found \"6\"; allowed: -5…5 ms",
        ]
        #expect(problems(reader) == expected)
    }

    @Test("the command line lies over the file, and the file over the board's")
    func layers() {
        var reader = reader("[s]\na = 2\nb = 2", "s.a=3")
        reader.insertLowest(SettingsDocument(text: "[s]\na = 1\nb = 1\nc = 1", name: "board"), sections: ["s"])
        let values = ["a", "b", "c", "d"].map { reader.integer("s", $0, default: 0, range: 0...9) }
        #expect(values == [3, 2, 1, 0])
        #expect(problems(reader) == [])
    }

    @Test("a lower layer may set only its own sections")
    func lowerLayer() {
        var reader = reader("")
        reader.insertLowest(SettingsDocument(text: "[hub]\nport = 1", name: "board"), sections: ["s", "t"])
        _ = reader.integer("hub", "port", default: 0, range: 0...9)
        #expect(problems(reader) == ["board:2: [hub] port: not in this file; allowed here: [s], [t]"])
    }

    @Test("unknown keys and sections are errors that name the nearest known")
    func unknown() {
        var reader = reader(
            "first = 1\n[s]\nperoid = 1\nrate = 1\nzebra = 1\n[t]\nother = 1\n[ss]\nx = 1\ny = 1\n[far]\nx = 1")
        _ = reader.integer("s", "period", default: 1, range: 0...9)
        _ = reader.integer("t", "rate", default: 1, range: 0...9)
        _ = reader.integer("t", "other", default: 1, range: 0...9)
        let expected = [
            "f:1: first stands before the first [section]; move it into one",
            "f:3: [s] peroid: unknown key; did you mean period?",
            "f:4: [s] rate: unknown key; it belongs into [t]",
            "f:5: [s] zebra: unknown key; allowed: period",
            "f:9: [ss]: unknown section; did you mean [s]?",
            "f:12: [far]: unknown section; allowed: [s], [t]",
        ]
        #expect(problems(reader) == expected)
    }

    @Test("a problem on the command line says so")
    func overrideProblem() {
        var reader = reader("[s]\na = 1", "s.a=x", "s.b=1", "s.b=2")
        _ = reader.integer("s", "a", default: 1, range: 0...9)
        _ = reader.integer("s", "b", default: 1, range: 0...9)
        let expected = [
            "command line: [s] b: given twice, first; keep one of the two",
            "command line: [s] a: found \"x\"; allowed: 0…9",
        ]
        #expect(problems(reader) == expected)
    }

    @Test("a required key that is missing is an error of the file")
    func missingKey() {
        var reader = reader("")
        #expect(reader.requiredHost("hub", "host") == "")
        #expect(problems(reader) == ["f: [hub] host: missing; allowed: a host name or an address"])
    }

    @Test("the schema is what was asked for")
    func schema() {
        var reader = reader("")
        _ = reader.boolean("a", "b", default: true)
        _ = reader.requiredHost("a", "c")
        let expected = [
            SchemaEntry(section: "a", key: "b", defaultText: "yes", allowed: "yes or no"),
            SchemaEntry(section: "a", key: "c", defaultText: nil, allowed: "a host name or an address"),
        ]
        #expect(reader.schema == expected)
    }

    @Test("decimals are read exactly, and nothing else is")
    func decimals() {
        #expect(parseDecimal("-12") == -12)
        #expect(parseDecimal("+.5") == 0.5)
        #expect(parseDecimal("3.") == 3)
        for text in ["", "-", ".", "1.2.3", "1e3", " 1", "inf", "0x1", "1,5", "1234567890123456"] {
            #expect(parseDecimal(text) == nil, "\(text)")
        }
    }
}

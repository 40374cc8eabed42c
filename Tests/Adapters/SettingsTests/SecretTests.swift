import CLinux
import Testing

@testable import Settings

@Suite struct SecretTests {
    /// The secret that comes out, the problems and the warnings.
    private func read(_ text: String) -> (secret: Secret, problems: [String], warnings: [String]) {
        var reader = SettingsReader(layers: [SettingsDocument(text: text, name: "f")], mainName: "f")
        let secret = reader.secret("hub", "token", fileKey: "token_file")
        do throws(SettingsErrors) {
            try reader.finish()
            return (secret, [], reader.warnings)
        } catch {
            return (secret, error.problems.map(\.description), reader.warnings)
        }
    }

    /// Runs `body` with the path of a file of that content and mode.
    private func withFile(_ content: String, mode: mode_t, _ body: (String) -> Void) {
        var template = Array("/tmp/puck-test-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        let path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        _ = write(descriptor, content, content.utf8.count)
        fchmod(descriptor, mode)
        close(descriptor)
        body(path)
        unlink(path)
    }

    @Test("a secret stands in the configuration or in a file of its own, and a description hides it")
    func places() {
        let inline = read("[hub]\ntoken = correct-horse")
        #expect(inline.secret.value == "correct-horse")
        #expect(inline.problems.isEmpty && inline.warnings.isEmpty)
        #expect("\(inline.secret)" == "(secret)")
        withFile("battery-staple\n", mode: 0o600) { path in
            let file = read("[hub]\ntoken_file = \(path)")
            #expect(file.secret.value == "battery-staple")
            #expect(file.problems.isEmpty && file.warnings.isEmpty)
        }
    }

    @Test("one place is allowed, and none gives nothing")
    func atMostOne() {
        #expect(read("").problems == [] && read("").secret.value == "")
        let both = read("[hub]\ntoken = correct-horse\ntoken_file = /x").problems
        #expect(both == ["f:2: [hub] token: given beside token_file; keep one of the two"])
    }

    @Test("a bad secret is never quoted")
    func neverQuoted() {
        let inline = read("[hub]\ntoken = hunter2")
        #expect(inline.problems == ["f:2: [hub] token: not a usable secret; allowed: 8…512 visible ASCII characters"])
        withFile("hunter 2 hunter 2\n", mode: 0o600) { path in
            let problems = read("[hub]\ntoken_file = \(path)").problems
            #expect(problems.count == 1)
            #expect(problems.first?.contains("does not hold a usable secret") == true)
            #expect(problems.first?.contains("hunter") == false)
        }
    }

    @Test("a token file that cannot be read is named")
    func unreadable() {
        let expected = "f:2: [hub] token_file: cannot read it: /nonexistent/token: No such file or directory"
        #expect(read("[hub]\ntoken_file = /nonexistent/token").problems == [expected])
    }

    @Test("a configuration or token that is a FIFO, a folder or a device is refused, without waiting for it")
    func specialFiles() {
        var template = Array("/tmp/puck-test-XXXXXX".utf8CString)
        #expect(mkdtemp(&template) != nil)
        let folder = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        let fifo = folder + "/fifo"
        #expect(mkfifo(fifo, 0o600) == 0)
        for path in [fifo, folder, "/dev/null"] {
            let refusal = "\(path): not a regular file; name the file itself"
            let errors = #expect(throws: SettingsErrors.self) { try SettingsDocument.read(path) }
            #expect(errors?.description == refusal)
            let problems = read("[hub]\ntoken_file = \(path)").problems
            #expect(problems == ["f:2: [hub] token_file: cannot read it: " + refusal])
        }
        unlink(fifo)
        rmdir(folder)
    }

    @Test("a secret that everybody can read is warned of")
    func worldReadable() throws {
        withFile("battery-staple\n", mode: 0o644) { path in
            let warning = "[hub] token_file: every user can read \(path); chmod 640 it"
            #expect(read("[hub]\ntoken_file = \(path)").warnings == [warning])
        }
        try withConfiguration("[hub]\ntoken = correct-horse", mode: 0o644) { warnings in
            #expect(warnings == ["[hub] token: every user can read it; use token_file, or chmod 640 the file"])
        }
        try withConfiguration("[hub]\ntoken = correct-horse", mode: 0o640) { #expect($0 == []) }
    }

    private func withConfiguration(_ text: String, mode: mode_t, _ body: ([String]) -> Void) throws {
        var document: SettingsDocument?
        withFile(text, mode: mode) { document = try? SettingsDocument.read($0) }
        var reader = SettingsReader(layers: [try #require(document)], mainName: "f")
        _ = reader.secret("hub", "token", fileKey: "token_file")
        body(reader.warnings)
    }
}

import CLinux
import LinuxIO
import Testing

@Suite struct FileTests {
    @Test("a file is replaced whole, with its mode, and nothing is left beside")
    func fileReplacedWhole() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("state")
        try writeFileAtomically(path, Array("one".utf8))
        try writeFileAtomically(path, Array("two, longer".utf8), mode: 0o600)
        #expect(try readSmallFile(path) == Array("two, longer".utf8))
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(folder.names == ["state"])
    }

    @Test("a file larger than the limit is refused")
    func fileLargerLimit() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("large")
        try writeFileAtomically(path, [UInt8](repeating: 1, count: 11))
        #expect(try readSmallFile(path, limit: 11).count == 11)
        let error = #expect(throws: SystemError.self) { try readSmallFile(path, limit: 10) }
        #expect(error?.code == EFBIG)
    }

    @Test("a FIFO, a folder and a device are refused, without waiting for them")
    func specialFiles() {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let fifo = folder.file("fifo")
        #expect(mkfifo(fifo, 0o600) == 0)
        for (path, code) in [(fifo, EINVAL), (folder.path, EISDIR), ("/dev/null", EINVAL)] {
            let error = #expect(throws: SystemError.self) { try readSmallFile(path) }
            #expect(error?.code == code)
            #expect(error?.description.hasSuffix("it is not a regular file") == true)
        }
    }

    @Test("a missing file or folder is named")
    func missingFileFolder() {
        let read = #expect(throws: SystemError.self) { try readSmallFile("/nonexistent/file") }
        #expect(read?.description == "cannot open /nonexistent/file: No such file or directory")
        let write = #expect(throws: SystemError.self) { try writeFileAtomically("/nonexistent/file", []) }
        #expect(write?.code == ENOENT)
    }

    @Test("a watched file is noticed when it is written or replaced, and nothing else in its folder is")
    func watched() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("tokens")
        let watch = try FileWatch(path: path)
        #expect(!watch.drain(), "nothing happened")
        try writeFileAtomically(folder.file("tokens2"), [1])
        try writeFileAtomically(folder.file("token"), [1])
        #expect(!watch.drain(), "others")
        try writeFileAtomically(path, [1])
        #expect(watch.drain(), "renamed into its place")
        #expect(!watch.drain(), "told once")
        let descriptor = puck_open(path, O_WRONLY, 0)
        _ = write(descriptor, [2] as [UInt8], 1)
        #expect(!watch.drain(), "still being written")
        close(descriptor)
        try writeFileAtomically(folder.file("other"), [1])
        #expect(watch.drain(), "written")
        unlink(path)
        #expect(!watch.drain(), "taken away")
        #expect(throws: SystemError.self) { try FileWatch(path: "/nonexistent/tokens") }
    }

    @Test("the host has a name")
    func hostHasName() {
        #expect(!hostName().isEmpty)
    }

    @Test("an environment value is found or nil")
    func environmentValueFound() {
        #expect(environmentValue("PATH")?.isEmpty == false)
        #expect(environmentValue("PUCK_NO_SUCH_VARIABLE") == nil)
    }

    @Test("the words of the command line are those that the process was started with, behind its name")
    func commandLine() throws {
        #expect(try commandLineWords() == Array(CommandLine.arguments.dropFirst()))
    }
}

import CLinux
import PuckBase
import Synchronization
import Testing

@testable import LinuxIO

@Suite struct ControlSocketTests {
    /// Asks from a thread of its own, since `serve` needs this one. Waits in poll, with no pause of its own.
    private func exchange(
        _ command: String, with socket: ControlSocket, at path: String, answer: (String) -> String
    ) throws -> String {
        let reply = Mutex<String>("")
        let client = try Thread(name: "client") {
            let text: String
            do throws(SystemError) {
                text = try ControlClient.ask(command, at: path, timeout: .seconds(60))
            } catch {
                text = error.description
            }
            reply.withLock { $0 = text }
        }
        var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 60_000) == 1)
        socket.serve(answer)
        client.join()
        return reply.withLock { $0 }
    }

    @Test("a command gets its reply")
    func commandGetsReply() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("control")
        let socket = try ControlSocket(path: path)
        var asked: [String] = []
        let reply = try exchange("status\n", with: socket, at: path) {
            asked.append($0)
            return "phase=idle\nlink=up"
        }
        #expect(asked == ["status"])
        #expect(reply == "phase=idle\nlink=up")
    }

    @Test("only owner and group may ask")
    func ownerGroupAsk() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let socket = try ControlSocket(path: folder.file("control"))
        var status = stat()
        #expect(stat(folder.file("control"), &status) == 0)
        #expect(status.st_mode & 0o777 == 0o660)
        socket.serve { _ in "" }
    }

    @Test("a request that is not one short line is refused unseen")
    func requestShortLine()
        throws
    {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("control")
        let socket = try ControlSocket(path: path)
        let reply = try exchange("a\nb", with: socket, at: path) { _ in "seen" }
        #expect(reply == "error: a command is one line")
        let long = String(repeating: "x", count: 257)
        let error = #expect(throws: SystemError.self) { try ControlClient.ask(long, at: path) }
        #expect(error?.code == EMSGSIZE)
    }

    @Test("a request from a nameless socket is passed over")
    func requestNamelessSocket() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("control")
        let socket = try ControlSocket(path: path)
        let sender = try UnixAddress.makeSocket()
        defer { close(sender) }
        #expect(try UnixAddress(path: path).connect(sender) == 0)
        #expect(send(sender, "status", 6, 0) == 6)
        var asked = 0
        socket.serve { _ in
            asked += 1
            return ""
        }
        #expect(asked == 0)
    }

    @Test("a turn serves a bounded number of requests")
    func turnServesBounded() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("control")
        // A datagram queue holds max_dgram_qlen + 1 requests, 11 by default: the bound must not depend on it.
        let socket = try ControlSocket(path: path)
        let sender = try UnixAddress.makeSocket()
        defer { close(sender) }
        #expect(UnixAddress.automatic.bind(sender) == 0)
        #expect(try UnixAddress(path: path).connect(sender) == 0)
        _ = send(sender, "again", 5, 0)
        var asked = 0
        socket.serve { _ in
            asked += 1
            _ = send(sender, "again", 5, 0)
            return ""
        }
        #expect(asked <= ControlSocket.requestsPerTurn)
        #expect(asked > 1)
    }

    @Test("a long reply is cut at a line and says so")
    func longReplyCut() {
        let lines = Array(String(repeating: "0123456789\n", count: 400).utf8)
        let cut = ControlSocket.fitted(lines)
        #expect(cut.count <= ControlSocket.longestReplyBytes)
        #expect(String(decoding: cut, as: UTF8.self).hasSuffix("0123456789\n(cut at 4096 bytes)"))
        let one = ControlSocket.fitted(Array(String(repeating: "é", count: 3000).utf8))
        #expect(String(validating: one, as: UTF8.self) != nil)
    }

    @Test("a stale socket is replaced and a live one is not")
    func staleSocketReplaced() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("control")
        let stale = try UnixAddress.makeSocket()
        #expect(try UnixAddress(path: path).bind(stale) == 0)
        let live = #expect(throws: SystemError.self) { try ControlSocket(path: path) }
        #expect(live?.code == EADDRINUSE)
        close(stale)
        let socket = try ControlSocket(path: path)
        let reply = try exchange("x", with: socket, at: path) { $0 + "!" }
        #expect(reply == "x!")
    }

    @Test("a file in the way is kept")
    func fileWayKept() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("control")
        try writeFileAtomically(path, Array("precious".utf8))
        let error = #expect(throws: SystemError.self) { try ControlSocket(path: path) }
        #expect(error?.code == EEXIST)
        #expect(try readSmallFile(path) == Array("precious".utf8))
    }

    @Test("the socket goes with its server")
    func socketGoesServer() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("control")
        var socket: ControlSocket? = try ControlSocket(path: path)
        socket?.serve { _ in "" }
        socket = nil
        #expect(folder.names.isEmpty)
        let error = #expect(throws: SystemError.self) { try ControlClient.ask("x", at: path) }
        #expect(error?.code == ENOENT)
        #expect(error?.description.contains("is the daemon running") == true)
    }

    @Test("a path that does not fit is an error")
    func pathDoesFit() {
        let long = "/" + String(repeating: "x", count: 107)
        #expect(throws: SystemError.self) { try ControlSocket(path: long) }
        #expect(throws: SystemError.self) { try ControlSocket(path: "") }
    }

    @Test("a server that never answers is given up on")
    func serverNeverAnswers() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("control")
        let socket = try ControlSocket(path: path)
        let error = #expect(throws: SystemError.self) {
            try ControlClient.ask("x", at: path, timeout: .milliseconds(1))
        }
        #expect(error?.code == ETIMEDOUT)
        socket.serve { _ in "" }
    }
}

import CLinux
import PuckBase
import Synchronization
import Testing

@testable import LinuxIO

@Suite struct ControlSessionTests {
    private func sound(_ samples: [Int16], on session: ControlSession) -> ControlSession.Outcome {
        samples.withUnsafeBytes { session.send(.sound, $0) }
    }

    @Test("A session goes along with a request, and carries sound and a last word both ways")
    func session() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("control")
        let socket = try ControlSocket(path: path)
        let heard = Mutex<[UInt8]>([])
        let client = try Thread(name: "client") {
            do throws(SystemError) {
                let (reply, session) = try ControlClient.open("record 1", at: path, timeout: .seconds(60))
                var entry = pollfd(fd: session.descriptor, events: Int16(POLLIN), revents: 0)
                var bytes = Array(reply.utf8)
                while poll(&entry, 1, 60_000) > 0, session.receive({ bytes += [$0.rawValue] + Array($1) }) == .done {}
                heard.withLock { $0 = bytes }
            } catch { heard.withLock { $0 = Array(error.description.utf8) } }
        }
        var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 60_000) == 1)
        var sessions: [ControlSession] = []
        socket.serve { request, caller in
            #expect(request == "record 1" && caller.user == getuid() && caller.isOwner)
            if let session = caller.session { sessions.append(session) }
            return "ok"
        }
        #expect(sessions.count == 1)
        for session in sessions {
            #expect(sound([0x0201, 0x0403], on: session) == .done && session.send(.end, "ok") == .done)
        }
        sessions = []
        client.join()
        #expect(heard.withLock { $0 } == Array("ok".utf8) + [0, 1, 2, 3, 4] + [1] + Array("ok".utf8))
    }

    @Test("A request without a session has none, and its sender is known all the same")
    func noSession() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("control")
        let socket = try ControlSocket(path: path)
        let client = try Thread(name: "client") {
            _ = try? ControlClient.ask("status", at: path, timeout: .seconds(60))
        }
        var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 60_000) == 1)
        socket.serve { _, caller in
            #expect(caller.session == nil && caller.user == getuid())
            return "ok"
        }
        client.join()
    }

    @Test("A descriptor that is no such socket is closed, and not taken")
    func wrongDescriptor() {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        #expect(ControlSession.adopt(ends[1]) == nil)
        #expect(puck_fcntl(ends[1], F_GETFD, 0) == -1, "it is still open")
        close(ends[0])
    }

    @Test("An end that has gone is seen, by who sends, who receives and who looks")
    func gone() throws {
        let a: ControlSession
        do {
            let pair = try ControlSession.pair()
            a = pair.0
            withExtendedLifetime(pair.1) { #expect(!a.isGone && a.receive { _, _ in } == .wouldWait) }
        }
        #expect(a.isGone && sound([1], on: a) == .gone && a.receive { _, _ in } == .gone)
    }

    @Test("The last word arrives though its sender has not read everything")
    func lastWord() throws {
        let client: ControlSession
        do {
            let pair = try ControlSession.pair()
            client = pair.0
            #expect(sound([1, 2], on: client) == .done && pair.1.send(.end, "error: stopped") == .done)
        }
        var said = ""
        #expect(client.receive { said = $0 == .end ? String(decoding: $1, as: UTF8.self) : "sound" } == .done)
        #expect(said == "error: stopped")
    }

    @Test("Who is not read from waits, and goes on when there is room")
    func room() throws {
        let (a, b) = try ControlSession.pair()
        let block = [Int16](repeating: 7, count: ControlSession.samplesPerMessage)
        var sent = 0
        while sound(block, on: a) == .done { sent += 1 }
        // Several seconds fit into a socket: a client may stumble.
        #expect(sent >= 10 && sound(block, on: a) == .wouldWait)
        var count = 0
        #expect(b.receive { count = $1.count } == .done)
        #expect(count == 2 * block.count)
        #expect(sound(block, on: a) == .done)
    }
}

import CLinux
import Testing

@testable import Credentials

@Suite("Tokens that replace each other")
struct TokenRotationTests {
    private func withStore(_ body: (TokenStore, String) throws -> Void) throws {
        var template = Array("/tmp/puck-test-XXXXXX".utf8CString)
        let folder = String(cString: mkdtemp(&template))
        defer {
            unlink(folder + "/tokens")
            rmdir(folder)
        }
        try body(try TokenStore(path: folder + "/tokens"), folder + "/tokens")
    }

    private func replace(_ path: String, _ text: String) throws {
        try withFolderLocked(of: path) { () throws(CredentialError) in
            try replaceFile(path, with: Array(text.utf8), mode: 0o600)
        }
    }

    private func text(_ path: String) throws -> String {
        String(decoding: try #require(try readFile(path)).bytes, as: UTF8.self)
    }

    @Test("both tokens are good until the new one has been used; then only that")
    func replaced() throws {
        try withStore { store, path in
            let old = try store.pair("kitchen", room: "kitchen", nowUnixSeconds: 1)
            let new = try #require(try store.makeNext("kitchen"))
            #expect(store.device(ofToken: old)?.isNext == false && store.device(ofToken: new)?.isNext == true)
            // As after kill -9 and a new start.
            let restarted = try TokenStore(path: path)
            #expect(restarted.device(ofToken: old) != nil && restarted.device(ofToken: new)?.isNext == true)
            try restarted.promote("kitchen", nowUnixSeconds: 9)
            #expect(restarted.device(ofToken: old) == nil && restarted.device(ofToken: new)?.isNext == false)
            #expect(restarted.devices[0].created == 9 && restarted.devices[0].room == "kitchen")
            try restarted.promote("kitchen", nowUnixSeconds: 10)
            #expect(restarted.devices[0].created == 9, "nothing waited")
            #expect(try store.makeNext("attic") == nil)
        }
    }

    @Test("one that was never used is forgotten for the next one")
    func neverUsed() throws {
        try withStore { store, _ in
            let old = try store.pair("kitchen", room: nil, nowUnixSeconds: 1)
            let lost = try #require(try store.makeNext("kitchen"))
            let new = try #require(try store.makeNext("kitchen"))
            #expect(store.device(ofToken: lost) == nil)
            #expect(store.device(ofToken: old) != nil && store.device(ofToken: new) != nil)
        }
    }

    @Test("only hashes are on disk, readable by the owner alone")
    func hashed() throws {
        try withStore { store, path in
            let tokens = [
                try store.pair("kitchen", room: "kitchen", nowUnixSeconds: 1), try store.makeNext("kitchen") ?? "",
                try store.add("hall", nowUnixSeconds: 1),
            ]
            let written = try text(path)
            for token in tokens { #expect(!written.contains(token)) }
            #expect(written.contains("room=kitchen next=\(DeviceToken.hash(tokens[1]))\n"))
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        }
    }

    @Test("pairing a puck again ends the token that it had, and a session with it")
    func pairedAgain() throws {
        try withStore { store, _ in
            let first = try store.pair("kitchen", room: "kitchen", nowUnixSeconds: 1)
            let before = store.devices[0]
            let second = try store.pair("kitchen", room: nil, nowUnixSeconds: 2)
            #expect(store.device(ofToken: first) == nil && store.device(ofToken: second)?.name == "kitchen")
            #expect(!before.becomes(store.devices[0]))
        }
    }

    @Test("a session outlasts the making and the use of a new token, and not a revocation")
    func becomes() throws {
        try withStore { store, _ in
            _ = try store.pair("kitchen", room: nil, nowUnixSeconds: 1)
            let first = store.devices[0]
            _ = try store.makeNext("kitchen")
            let waiting = store.devices[0]
            try store.promote("kitchen", nowUnixSeconds: 2)
            #expect(first.becomes(waiting) && waiting.becomes(store.devices[0]))
            #expect(!first.becomes(store.devices[0]))
        }
    }

    @Test("what follows the three words is a room and a hash, or an error")
    func words() throws {
        try withStore { store, path in
            let hash = DeviceToken.hash("x")
            for bad in ["room=", "room=a/b", "room=a room=b", "next=12", "colour=red", "room"] {
                try replace(path, "kitchen \(hash) 1 \(bad)\n")
                #expect(throws: CredentialError.self, "\(bad)") { try store.reloadIfChanged() }
            }
            try replace(path, "kitchen \(hash) 1 next=\(hash) room=a\n")
            #expect(try store.reloadIfChanged() && store.devices[0].room == "a" && store.devices[0].nextHash == hash)
        }
    }
}

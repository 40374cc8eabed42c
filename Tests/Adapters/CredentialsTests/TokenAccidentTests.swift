import CLinux
import PuckBase
import Testing

@testable import Credentials

@Suite("Tokens when the file or the disk fails")
struct TokenAccidentTests {
    @Test("a file that goes missing or is empty ends nobody, is said once and again when asked, and is written again")
    func lost() throws {
        for text in [nil, "", "# nobody\n"] as [String?] {
            let folder = Folder()
            let store = try TokenStore(path: folder.file("tokens"))
            let token = try store.add("kitchen", nowUnixSeconds: 1)
            if let text { try folder.write("tokens", text) } else { unlink(folder.file("tokens")) }
            for again in [false, true] {
                do {
                    try store.reloadIfChanged(again: again)
                    Issue.record("accepted \(text ?? "no file")")
                } catch {
                    #expect(error.message.contains("revoke --all"), "\(error.message)")
                }
            }
            #expect(try !store.reloadIfChanged())
            #expect(store.device(ofToken: token)?.name == "kitchen" && store.isBehind)
            try store.store()
            #expect(!store.isBehind)
            #expect(try TokenStore(path: folder.file("tokens")).device(ofToken: token)?.name == "kitchen")
            #expect(try !store.reloadIfChanged(again: true))
        }
    }

    @Test("a puck that is paired while the file is missing does not become the only one")
    func pairedMeanwhile() throws {
        let folder = Folder()
        let store = try TokenStore(path: folder.file("tokens"))
        _ = try store.add("kitchen", nowUnixSeconds: 1)
        unlink(folder.file("tokens"))
        _ = try store.pair("hall", room: nil, nowUnixSeconds: 2)
        #expect(try TokenStore(path: folder.file("tokens")).devices.map(\.name) == ["kitchen", "hall"])
    }

    @Test("the last puck that is revoked, and all of them, leave a list that is empty on purpose")
    func emptyOnPurpose() throws {
        for all in [false, true] {
            let folder = Folder()
            let hub = try TokenStore(path: folder.file("tokens"))
            let token = try hub.add("kitchen", nowUnixSeconds: 1)
            let command = try TokenStore(path: folder.file("tokens"))
            if all {
                #expect(command.end(nil) == ["kitchen"])
                try command.store()
            } else {
                #expect(try command.revoke("kitchen"))
            }
            #expect(try hub.reloadIfChanged())
            #expect(hub.device(ofToken: token) == nil && hub.devices.isEmpty)
            _ = try hub.add("hall", nowUnixSeconds: 2)
            #expect(try !folder.text("tokens").contains("Every token"))
        }
    }

    @Test("what cannot be stored has ended in memory, whatever the file says, until it can")
    func endedInMemory() throws {
        let folder = Folder()
        let store = try TokenStore(path: folder.file("tokens"))
        let kitchen = try store.add("kitchen", nowUnixSeconds: 1)
        let hall = try store.add("hall", nowUnixSeconds: 1)
        _ = try store.makeNext("kitchen")
        let written = try folder.text("tokens")
        // A folder in the way of the new file: not even root can write it.
        mkdir(folder.file("tokens" + unfinishedSuffix), 0o700)
        #expect(store.end(["kitchen", "attic"]) == ["kitchen"])
        #expect(throws: CredentialError.self) { try store.store() }
        #expect(store.device(ofToken: kitchen) == nil && store.isBehind)
        #expect(throws: CredentialError.self) { try store.pair("attic", room: nil, nowUnixSeconds: 2) }
        #expect(store.devices.map(\.name) == ["hall"], "what cannot be written is not in force")
        rmdir(folder.file("tokens" + unfinishedSuffix))
        // The file comes again, as it was.
        try folder.write("tokens", "# new\n" + written)
        #expect(try store.reloadIfChanged())
        #expect(store.device(ofToken: kitchen) == nil && store.device(ofToken: hall) != nil)
        try store.store()
        #expect(!store.isBehind)
        #expect(try TokenStore(path: folder.file("tokens")).device(ofToken: kitchen) == nil)
        // Paired anew it is welcome.
        let again = try store.pair("kitchen", room: nil, nowUnixSeconds: 3)
        #expect(store.device(ofToken: again)?.name == "kitchen")
    }

    @Test("an unfinished file of a process that died is removed, and in nobody's way")
    func unfinished() throws {
        let folder = Folder()
        let path = folder.file("tokens" + unfinishedSuffix)
        try folder.write("x", "kitchen half")
        #expect(rename(folder.file("x"), path) == 0)
        removeUnfinished(of: [folder.file("tokens"), folder.file("none")])
        #expect(folder.names.isEmpty)
        try folder.write("x", "kitchen half")
        #expect(rename(folder.file("x"), path) == 0)
        _ = try TokenStore(path: folder.file("tokens")).add("kitchen", nowUnixSeconds: 1)
        #expect(folder.names == ["tokens"])
    }

    @Test("tokens of before tell who came, let nobody in, and are forgotten in time")
    func retired() throws {
        let folder = Folder()
        let store = try TokenStore(path: folder.file("tokens"))
        var tokens = [try store.pair("kitchen", room: "kitchen", nowUnixSeconds: 100)]
        for round in 1...6 {
            if round == 3 {
                tokens.append(try store.pair("kitchen", room: nil, nowUnixSeconds: 100 + Int64(round)))
            } else {
                tokens.append(try #require(try store.makeNext("kitchen")))
                try store.promote("kitchen", nowUnixSeconds: 100 + Int64(round))
            }
        }
        let read = try TokenStore(path: folder.file("tokens"))
        #expect(read.devices == store.devices)
        for (number, token) in tokens.enumerated() {
            #expect((read.device(ofToken: token) != nil) == (number == 6))
            let old = read.device(ofRetiredToken: token)
            #expect(old?.replaced == ((2...5).contains(number) ? 101 + Int64(number) : nil), "\(number)")
        }
        let hash = DeviceToken.hash("x")
        for bad in ["old=", "old=x@1", "old=\(hash)", "old=\(hash)@-1", "old=\(hash)@1,"] {
            try folder.write("tokens", "kitchen \(hash) 1 \(bad)\n")
            #expect(throws: CredentialError.self, "\(bad)") { try read.reloadIfChanged() }
        }
    }

    @Test(
        "the advice fits the cause",
        arguments: [
            (ENOSPC, "full"), (EDQUOT, "quota"), (EROFS, "read-only"), (EACCES, "may not write"), (EIO, "dmesg"),
        ])
    func advice(_ code: Int32, _ word: String) {
        #expect(CredentialError.file(path: "/x", call: "write", code: code).message.contains(word))
    }
}

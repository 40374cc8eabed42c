import CLinux
import Testing

@testable import LinkTransport

extension LinkTransportTests {
    @Suite("Messages between both ends")
    struct MessageTests {
        @Test("messages of every size arrive byte for byte, both ways", arguments: [true, false])
        func roundTrip(tls: Bool) throws {
            let bench = try Bench()
            let server = try bench.listen(tls: tls)
            bench.onServerMessage = { id, message in #expect(server.send(to: id, Array(message))) }
            let client = try bench.client(tls: tls)
            client.link.open()
            bench.serve { client.openings == 1 && bench.opened.count == 1 }
            #expect(bench.identities == ["kitchen"])
            #expect(bench.peers == ["127.0.0.1"])
            var sent: [[UInt8]] = []
            for size in [0, 1, 9, 125, 126, 2057, 4096] {
                let message = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ size) }
                let accepted = client.send(message, head: min(9, size))
                #expect(accepted)
                sent.append(message)
            }
            bench.serve { client.received.count == sent.count }
            #expect(bench.serverReceived == sent)
            #expect(client.received == sent)
            client.link.close()
            bench.serve { client.failures == [.closedHere] && bench.serverClosed.count == 1 }
        }

        @Test("ten thousand messages keep their order", arguments: [true, false])
        func order(tls: Bool) throws {
            let bench = try Bench()
            try bench.listen(tls: tls)
            let client = try bench.client(tls: tls)
            client.link.open()
            bench.serve { client.openings == 1 }
            var next: UInt32 = 0
            while next < 10_000 {
                let message = withUnsafeBytes(of: next) { Array($0) } + [UInt8](repeating: UInt8(next & 255), count: 70)
                if client.send(message) { next += 1 } else { bench.loop.turn() }
            }
            bench.serve { bench.serverReceived.count == 10_000 }
            for (index, message) in bench.serverReceived.enumerated() {
                let number = message.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
                if number != UInt32(index) || message.count != 74 {
                    Issue.record("message \(index) is number \(number) with \(message.count) bytes")
                    break
                }
            }
            bench.serve { client.drained > 0 }
            #expect(client.link.queuedBytes == 0)
        }

        @Test("a full queue refuses, and loses nothing of what it took")
        func fullQueue() throws {
            let bench = try Bench()
            try bench.listen(tls: false)
            let client = try bench.client(tls: false)
            client.link.open()
            bench.serve { client.openings == 1 }
            var accepted = 0
            while client.send([UInt8](repeating: UInt8(accepted & 255), count: 1000)) { accepted += 1 }
            #expect(accepted > 60 && accepted <= 65)
            #expect(client.link.queuedBytes == accepted * 1000)
            bench.serve { bench.serverReceived.count == accepted }
            #expect(bench.serverReceived.enumerated().allSatisfy { $1.first == UInt8($0 & 255) && $1.count == 1000 })
            let again = client.send([1])
            #expect(again)
        }

        @Test("a hub's queue for a puck that does not read is bounded at 64 KiB, and its connection can be dropped")
        func puckThatDoesNotRead() throws {
            let bench = try Bench()
            let server = try bench.listen(tls: false)
            let raw = try RawSocket(connectingTo: server.boundPort, on: bench.loop)
            raw.write(RawSocket.upgrade())
            bench.serve { bench.opened.count == 1 }
            let id = bench.opened[0]
            var accepted = 0
            while server.send(to: id, [UInt8](repeating: 7, count: 4096)) { accepted += 1 }
            #expect(accepted == 15)
            #expect(server.queuedBytes(of: id) == 15 * 4096)
            server.disconnect(id)
            bench.serve { bench.serverClosed.count == 1 }
            #expect(bench.serverClosed[0].reason == "dropped by the hub")
            #expect(server.queuedBytes(of: id) == 0)
            let late = server.send(to: id, [1])
            #expect(!late)
        }

        @Test("send refuses what is larger than a message may be")
        func sendTooLarge() throws {
            let bench = try Bench()
            try bench.listen(tls: false)
            let client = try bench.client(tls: false)
            let early = client.send([1])
            #expect(!early)
            client.link.open()
            bench.serve { client.openings == 1 }
            let large = client.send([UInt8](repeating: 0, count: 4097))
            #expect(!large)
        }

        @Test("a puck that sends too much or text is closed with the reason")
        func badMessagesFromPuck() throws {
            for (opcode, size, code, word) in [
                (UInt8(2), 5000, UInt16(1009), "4096"), (UInt8(1), 5, UInt16(1003), "text"),
            ] {
                let bench = try Bench()
                let server = try bench.listen(tls: false)
                let raw = try RawSocket(connectingTo: server.boundPort, on: bench.loop)
                raw.write(RawSocket.upgrade())
                bench.serve { bench.opened.count == 1 && raw.text.hasSuffix("\r\n\r\n") }
                let headerBytes = raw.received.count
                raw.writeFrame(opcode: opcode, [UInt8](repeating: 0x61, count: size))
                bench.serve { raw.received.count >= headerBytes + 4 }
                let frame = raw.received[headerBytes...]
                #expect(frame.first == 0x88)
                #expect(UInt16(frame[headerBytes + 2]) << 8 | UInt16(frame[headerBytes + 3]) == code)
                raw.writeFrame(opcode: 8, [])
                bench.serve { bench.serverClosed.count == 1 }
                #expect(bench.serverClosed[0].reason.contains(word))
                #expect(bench.serverReceived.isEmpty)
            }
        }

        @Test("a message in fragments arrives whole")
        func fragments() throws {
            let bench = try Bench()
            let server = try bench.listen(tls: false)
            let raw = try RawSocket(connectingTo: server.boundPort, on: bench.loop)
            raw.write(RawSocket.upgrade())
            bench.serve { bench.opened.count == 1 }
            raw.writeFrame(opcode: 2, [1, 2, 3], final: false)
            raw.writeFrame(opcode: 9, [9])  // a ping may stand between fragments
            raw.writeFrame(opcode: 0, [4], final: false)
            raw.writeFrame(opcode: 0, [UInt8](repeating: 5, count: 3000))
            bench.serve { bench.serverReceived.count == 1 }
            #expect(bench.serverReceived[0] == [1, 2, 3, 4] + [UInt8](repeating: 5, count: 3000))
        }

        @Test("a hub that sends too much, or text, is left with the failure that says so")
        func badMessagesFromHub() throws {
            for (opcode, size, failure) in [
                (UInt8(2), 5000, LinkFailure.messageTooLarge), (UInt8(1), 5, LinkFailure.textMessage),
            ] {
                let bench = try Bench()
                let hub = try FakeHub(on: bench.loop) {
                    $0.writeServerFrame(opcode: opcode, [UInt8](repeating: 0x61, count: size))
                }
                let client = try bench.client(tls: false, port: hub.port)
                client.link.open()
                bench.serve { !client.failures.isEmpty }
                #expect(client.failures == [failure])
                #expect(client.received.isEmpty)
            }
        }

        @Test("a close sends what is queued first, and hands over its code and reason")
        func closeFlushes() throws {
            let bench = try Bench()
            let server = try bench.listen(tls: true)
            let client = try bench.client(tls: true)
            client.link.open()
            bench.serve { bench.opened.count == 1 && client.openings == 1 }
            for number in 0..<15 as Range<UInt8> {
                let accepted = server.send(to: bench.opened[0], [UInt8](repeating: number, count: 4000))
                #expect(accepted)
            }
            server.close(bench.opened[0], code: CloseCode.goingAway, reason: "the hub restarts")
            let late = server.send(to: bench.opened[0], [1])
            #expect(!late)
            bench.serve { client.failures.count == 1 && bench.serverClosed.count == 1 }
            #expect(client.received.count == 15)
            #expect(client.received.enumerated().allSatisfy { $1 == [UInt8](repeating: UInt8($0), count: 4000) })
            #expect(client.failures == [.closedByPeer(code: 1001, reason: "the hub restarts")])
        }

        @Test("close and disconnect may be called inside any callback, and nothing is called back from inside them")
        func closeInsideCallbacks() throws {
            let bench = try Bench()
            let server = try bench.listen(tls: true)
            var isInside = false
            bench.onServerMessage = { id, message in
                isInside = true
                if message.count == 1 {
                    server.close(id, code: CloseCode.normal, reason: "as asked")
                } else {
                    server.disconnect(id)
                    server.disconnect(id)
                }
                isInside = false
            }
            server.onClosed = { _, _ in #expect(!isInside) }
            let client = try bench.client(tls: true)
            client.link.open()
            client.onOpen = { [unowned client] in #expect(client.send([1])) }
            bench.serve { client.failures.count == 1 }
            #expect(client.failures == [.closedByPeer(code: 1000, reason: "as asked")])
            client.onOpen = { [unowned client] in #expect(client.send([1, 2]) && client.send([3])) }
            client.link.open()
            bench.serve { client.failures.count == 2 }
            #expect(bench.serverReceived.last == [1, 2])
            // On the client's side: closed inside its own onOpen, and opened again inside onClosed.
            client.onOpen = { [unowned client] in client.link.close() }
            client.link.onClosed = { [unowned client] failure in
                client.failures.append(failure)
                if client.failures.count == 3 { client.link.open() }
            }
            client.link.open()
            bench.serve { client.failures.count == 4 }
            #expect(client.failures[2] == .closedHere && client.failures[3] == .closedHere)
        }
    }
}

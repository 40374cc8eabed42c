import CLinux
import Foundation
import RogueHub
import Testing

@testable import LinkTransport

/// libwebsockets can turn for ever inside one call, where no deadline of the loop's is looked at. Then nothing but the end
/// of the whole process helps, with a word about why.
final class HangWatch {
    private final class Beat: @unchecked Sendable {  // Sound: touched under `lock` only.
        let lock = NSLock()
        var count = 0
        var isOver = false
    }

    private let beat = Beat()

    /// - Parameter limit: how long a step may take, in seconds.
    init(_ what: String, limit: Double = 30) {
        Foundation.Thread.detachNewThread { [beat] in
            var seen = -1
            while true {
                let (count, isOver) = beat.lock.withLock { (beat.count, beat.isOver) }
                if isOver { return }
                precondition(count != seen, "the loop hangs: \(what)")
                seen = count
                // In steps, so that the thread ends soon after its test.
                for _ in 0..<Int(limit * 10) {
                    if beat.lock.withLock({ beat.isOver }) { return }
                    usleep(100_000)
                }
            }
        }
    }

    func goesOn() { beat.lock.withLock { beat.count += 1 } }

    deinit { beat.lock.withLock { beat.isOver = true } }
}

extension LinkTransportTests {
    @Suite("A hub that means harm")
    struct RogueHubTests {
        @Test(
            "a message that is refused while more is decrypted gets its close code, and the loop goes on",
            arguments: [true, false])
        func oversized(tls: Bool) throws {
            let watch = HangWatch("oversized messages, TLS: \(tls)")
            let bench = try Bench()
            try bench.makeCertificate()
            let security = tls ? RogueHub.Security.tls(certificate: bench.certificate, key: bench.key) : .plain
            let cases = try RogueHub.oversized.map { oversized in
                let hub = try RogueHub(security) { _ in [.upgrade] + oversized.acts + [.listen] }
                return (oversized, hub, try bench.client(tls: tls, port: UInt16(hub.port)))
            }
            for (_, _, client) in cases { client.link.open() }
            bench.serve {
                watch.goesOn()
                bench.loop.later {}
                return cases.allSatisfy { $1.visits.count == 1 && $2.failures.count == 1 }
            }
            for (oversized, hub, client) in cases {
                let isTooLarge = oversized.closeCode == 1009
                #expect(client.failures == [isTooLarge ? .messageTooLarge : .textMessage], "\(oversized.name)")
                #expect(client.received.isEmpty, "\(oversized.name)")
                #expect(hub.visits.first?.closeCodes == [oversized.closeCode], "\(oversized.name)")
            }
            // The same loop goes on.
            let honest = try bench.listen(tls: tls)
            let next = try bench.client(tls: tls, port: honest.boundPort)
            next.link.open()
            bench.serve { next.openings == 1 }
        }

        @Test("whatever a hub sends, its connection ends once, and the loop goes on", arguments: [true, false])
        func anything(tls: Bool) throws {
            let count = 300
            let firstSeed = tls ? 1000 : 5000
            let watch = HangWatch("seeds \(firstSeed)...\(firstSeed + count - 1)")
            let bench = try Bench()
            try bench.makeCertificate()
            let hub = try RogueHub(tls ? .tls(certificate: bench.certificate, key: bench.key) : .plain) {
                RogueHub.anything(seed: UInt64(firstSeed + $0))
            }
            let crowd = try (0..<16).map { _ in
                try bench.client(tls: tls, port: UInt16(hub.port)) { $0.openTimeoutNanoseconds = 1_000_000_000 }
            }
            var opens = 0
            var roundsOpen = crowd.map { _ in 0 }
            while opens < count || crowd.contains(where: { $0.failures.count < $0.asked }) {
                for (index, probe) in crowd.enumerated() {
                    if probe.failures.count == probe.asked, opens < count {
                        opens += 1
                        probe.asked += 1
                        roundsOpen[index] = 0
                        probe.link.open()
                    }
                    // One that a hub has nothing against, and says nothing to, is ended here.
                    if probe.link.isOpen { roundsOpen[index] += 1 }
                    if roundsOpen[index] == 300 { probe.link.close() }
                }
                bench.loop.later {}
                bench.loop.turn()
                watch.goesOn()
            }
            #expect(crowd.allSatisfy { $0.failures.count == $0.asked })
            let wasOpen = crowd.reduce(0) { $0 + $1.openings }
            #expect(wasOpen > count / 10, "too few got through the handshake for this to be worth anything")
            bench.stopListening()
            let honest = try bench.listen(tls: tls)
            let next = try bench.client(tls: tls, port: honest.boundPort)
            next.link.open()
            bench.serve { next.openings == 1 }
        }

        @Test("a hub that floods is told so and dropped, and costs no more than its share")
        func floods() throws {
            let watch = HangWatch("floods")
            let bench = try Bench()
            try bench.makeCertificate()
            let cases = try RogueHub.floods.map { flood in
                let hub = try RogueHub(.tls(certificate: bench.certificate, key: bench.key)) { _ in
                    flood.acts + [.listen]
                }
                return (flood, hub, try bench.client(tls: true, port: UInt16(hub.port)))
            }
            for (_, _, client) in cases { client.link.open() }
            bench.serve {
                watch.goesOn()
                bench.loop.later {}
                return cases.allSatisfy { $1.visits.count == 1 && $2.failures.count == 1 }
            }
            for (flood, hub, client) in cases {
                #expect(client.failures.count == 1, "\(flood.name)")
                // What a second's refill and one look too late add.
                let most = ReceiveBudget.messagesAtOnce + 2 * ReceiveBudget.messagesPerLook
                #expect(client.received.count < most, "\(flood.name)")
                if let code = flood.closeCode {
                    #expect(client.failures == [.flooded], "\(flood.name)")
                    #expect(hub.visits.first?.closeCodes == [code], "\(flood.name)")
                } else {
                    #expect(client.openings == 0, "\(flood.name)")
                }
            }
        }

        @Test("all that a resumed link may have to say at once is no flood")
        func burst() throws {
            let bench = try Bench()
            try bench.makeCertificate()
            let message = RogueHub.frame(0x82, [UInt8](repeating: 1, count: 119))
            let hub = try RogueHub(.tls(certificate: bench.certificate, key: bench.key)) { _ in
                [.upgrade, .sayAgain(message, times: 4096), .listen]
            }
            let client = try bench.client(tls: true, port: UInt16(hub.port))
            client.link.open()
            bench.serve { client.received.count == 4096 }
            client.link.close()
            bench.serve { client.failures.count == 1 }
            #expect(client.failures == [.closedHere])
        }
    }

    @Suite("What a hub may cause")
    struct ReceiveBudgetTests {
        private let second: Int64 = 1_000_000_000

        @Test("a day of ordinary work never exhausts it")
        func ordinary() {
            var budget = ReceiveBudget(now: 0)
            var bytes: UInt64 = 0
            for tick in 1...86_400 as ClosedRange<Int64> {
                for _ in 0..<250 { _ = budget.received(60) }
                bytes += 250 * (60 + 14 + 29 + 20)
                let isFine = budget.look(wireBytes: bytes, now: tick * second)
                #expect(isFine)
            }
        }

        @Test("what comes in vain is counted, at whatever pace it is looked at")
        func waste() {
            for looksPerSecond in [1, 7, 1000, 100_000] as [Int64] {
                var budget = ReceiveBudget(now: 0)
                var looks: Int64 = 0
                var bytes: UInt64 = 0
                repeat {
                    looks += 1
                    bytes += 400_000 / UInt64(looksPerSecond)
                } while budget.look(wireBytes: bytes, now: looks * second / looksPerSecond)
                // 400,000 a second in, 65,536 out, 1 MiB at once.
                let seconds = Double(looks) / Double(looksPerSecond)
                #expect(seconds > 2.9 && seconds < 5, "\(looksPerSecond): \(seconds)")
            }
        }

        @Test("bytes that are counted before their message is are given back with it")
        func late() {
            var budget = ReceiveBudget(now: 0)
            let early = budget.look(wireBytes: 900_000, now: 1000)
            for _ in 0..<4000 { _ = budget.received(200) }
            let then = budget.look(wireBytes: 900_000, now: 2000)
            let later = budget.look(wireBytes: 1_900_000, now: 3000)
            #expect(early && then && later)
        }
    }
}

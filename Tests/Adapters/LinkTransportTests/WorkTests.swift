import CWebSockets
import Testing

@testable import LinkTransport

extension LinkTransportTests {
    @Suite("What a peer may make the hub do")
    struct WorkTests {
        /// What is sent without end.
        enum Waste: CaseIterable { case pings, tinyFragments, emptyFragments }

        /// A hub that ends who wastes its time.
        private static func listen(_ bench: Bench, tls: Bool) throws -> Told {
            let server = try bench.listen(tls: tls) { $0.work = ServerLink.Work() }
            let told = Told()
            server.onWasteful = { [unowned server] in
                told.ids.append($0)
                server.close($0, code: CloseCode.policyViolation, reason: "RATE_LIMIT")
            }
            return told
        }

        private final class Told {
            var ids: [ConnectionID] = []
        }

        @Test(
            "a peer that sends pings or fragments without end is told of once, and others are served",
            arguments: Waste.allCases)
        func overTLS(_ waste: Waste) throws {
            let bench = try Bench()
            let told = try Self.listen(bench, tls: true)
            let client = try bench.client(tls: true)
            client.link.open()
            bench.serve { client.openings == 1 && bench.opened.count == 1 }
            var buffer = [UInt8](repeating: 0, count: puck_lws_pre() + 4)
            let length = [.pings: 4, .tinyFragments: 1, .emptyFragments: 0][waste]!
            let kind =
                waste == .pings
                ? LWS_WRITE_PING.rawValue : LWS_WRITE_CONTINUATION.rawValue | LWS_WRITE_NO_FIN.rawValue
            var isFirst = waste != .pings
            var written = 0
            while client.failures.isEmpty, written < 200_000, let wsi = client.link.wsi {
                let flags = isFirst ? LWS_WRITE_BINARY.rawValue | LWS_WRITE_NO_FIN.rawValue : kind
                buffer.withUnsafeMutableBufferPointer {
                    _ = lws_write(
                        wsi, $0.baseAddress! + puck_lws_pre(), isFirst ? 1 : length, lws_write_protocol(flags))
                }
                isFirst = false
                written += 1
                bench.settle(rounds: 1)
            }
            bench.serve { bench.serverClosed.count == 1 }
            #expect(told.ids == bench.opened)
            #expect(written < 200_000)
            try Self.expectServed(bench, tls: true)
        }

        @Test("the same without TLS, where the kernel counts", arguments: Waste.allCases)
        func plain(_ waste: Waste) throws {
            let bench = try Bench()
            let told = try Self.listen(bench, tls: false)
            let raw = try RawSocket(connectingTo: bench.server!.boundPort, on: bench.loop)
            raw.write(RawSocket.upgrade())
            bench.serve { bench.opened.count == 1 }
            if waste != .pings { raw.writeFrame(opcode: 2, [1], final: false) }
            var rounds = 0
            while bench.serverClosed.isEmpty, rounds < 200_000 {
                rounds += 1
                switch waste {
                case .pings: raw.writeFrame(opcode: 9, [1, 2, 3, 4])
                case .tinyFragments: raw.writeFrame(opcode: 0, [1], final: false)
                // As many as one segment takes.
                case .emptyFragments: raw.write((0..<200).flatMap { _ in [0, 0x80, 0, 0, 0, 0] as [UInt8] })
                }
                bench.settle(rounds: 1)
            }
            #expect(bench.serverClosed.count == 1 && rounds < 200_000)
            // Tiny fragments may be more than a message has before they are more than a peer may send.
            if waste != .tinyFragments { #expect(told.ids == bench.opened) }
            try Self.expectServed(bench, tls: false)
        }

        @Test("a puck that sends all that it may is left alone", arguments: [true, false])
        func busy(tls: Bool) throws {
            let bench = try Bench()
            let told = try Self.listen(bench, tls: tls)
            let client = try bench.client(tls: tls)
            client.link.open()
            bench.serve { client.openings == 1 && bench.opened.count == 1 }
            // What catches up after a drop comes at once: 50 packets of PCM, and 200 control messages.
            for count in [Int](repeating: 649, count: 50) + [Int](repeating: 100, count: 200) {
                #expect(client.send([UInt8](repeating: 1, count: count)))
                bench.settle(rounds: 1)
            }
            bench.serve { bench.serverReceived.count == 250 }
            bench.settle()
            #expect(told.ids.isEmpty && client.failures.isEmpty)
        }

        private static func expectServed(_ bench: Bench, tls: Bool) throws {
            let before = bench.opened.count
            let other = try bench.client(tls: tls)
            other.link.open()
            bench.serve { other.openings == 1 && bench.opened.count == before + 1 }
        }
    }
}

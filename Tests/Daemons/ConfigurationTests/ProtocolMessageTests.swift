import Foundation
import PuckBase
import PuckWire
import Testing

/// docs/PROTOCOL.md and the code say the same of every message.
@Suite("docs/PROTOCOL.md: messages")
struct ProtocolMessageTests {
    private static func puck(_ bytes: [UInt8]) throws -> PuckControl {
        try bytes.withUnsafeBytes { try PuckControl.parse($0) }
    }

    private static func hub(_ bytes: [UInt8], _ type: MessageType) throws -> HubControl {
        try bytes.withUnsafeBytes { try HubControl.parse($0, type: type) }
    }

    private static func header(_ bytes: [UInt8]) throws -> MessageHeader {
        try bytes.withUnsafeBytes { try MessageHeader.parse($0) }
    }

    private static func operation(_ json: String) throws -> String {
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        return try #require(object?["op"] as? String)
    }

    /// The operations of the tables of §4 and §5, by the type that carries them.
    private static func operations(_ page: ProtocolPage) throws -> (
        puck: Set<String>, hub: Set<String>, stream: Set<String>
    ) {
        let puck = try page.section(4).filter { $0.hasPrefix("### ") }
            .flatMap { $0.dropFirst(4).prefix { $0 != ":" }.components(separatedBy: ", ") }
        let section = try page.section(5)
        let border = try #require(section.firstIndex { $0.hasPrefix("### `0xC2`") })
        func named(_ lines: ArraySlice<String>) -> [String] {
            // Rows of three cells, whose first is an operation or two.
            lines.filter { $0.hasPrefix("| `") && $0.split(separator: "|").count == 3 }
                .flatMap { $0.split(separator: "|")[0].split(separator: ",") }
                .map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " `")) }
        }
        return (Set(puck), Set(named(section[..<border])), Set(named(section[border...])))
    }

    @Test("each vector is read, and written again byte by byte")
    func vectors() throws {
        for vector in try ProtocolPage.vectors() {
            let header = try Self.header(vector.bytes)
            #expect(header.type.rawValue == vector.type, "\(vector.name)")
            #expect(header.sequence.value == vector.sequence, "\(vector.name)")
            #expect(header.timestampMilliseconds == vector.timestamp, "\(vector.name)")
            var head = [UInt8](repeating: 0, count: WireLimits.headerBytes)
            head.withUnsafeMutableBytes { header.write(to: $0) }
            let payload = Array(vector.bytes[WireLimits.headerBytes...])
            #expect(head + payload == vector.bytes, "\(vector.name)")
            switch header.type {
            case .control, .streamControl:
                #expect(String(decoding: payload, as: UTF8.self) == vector.meaning, "\(vector.name)")
                let again: [UInt8]
                if vector.isFromPuck {
                    let control = try Self.puck(payload)
                    if case .unknown = control { Issue.record("\(vector.name) is not known") }
                    again = control.payload()
                } else {
                    let control = try Self.hub(payload, header.type)
                    if case .unknown = control { Issue.record("\(vector.name) is not known") }
                    again = control.payload()
                }
                #expect(String(decoding: again, as: UTF8.self) == vector.meaning, "\(vector.name)")
            case .error:
                #expect(payload.withUnsafeBytes { WireError.parse(payload: $0) }.payload() == payload)
            case .uplinkPCM, .downlinkPCM: #expect(payload.count == 2 * WireLimits.samplesPerPacket)
            case .uplinkOpus, .downlinkOpus: #expect((1...1_275).contains(payload.count))
            }
        }
    }

    @Test("every type and every operation of the page has a vector, and every vector is on the page")
    func complete() throws {
        let page = try ProtocolPage()
        let vectors = try ProtocolPage.vectors()
        let types = try page.rows(2).filter { $0[0].hasPrefix("`0x") }.compactMap {
            UInt8($0[0].dropFirst(3).prefix(2), radix: 16)
        }
        #expect(types.count == 7 && Set(types) == Set(vectors.map(\.type)))
        for type in types { #expect(MessageType(rawValue: type) != nil) }
        let operations = try Self.operations(page)
        func said(_ fits: (ProtocolPage.Vector) -> Bool) throws -> Set<String> {
            Set(try vectors.filter(fits).map { try Self.operation($0.meaning) })
        }
        #expect(try said { $0.type == 0xC1 && $0.isFromPuck } == operations.puck)
        #expect(try said { $0.type == 0xC1 && $0.isFromHub } == operations.hub)
        #expect(try said { $0.type == 0xC2 } == operations.stream)
    }

    @Test("every example is read as what it is an example of")
    func examples() throws {
        let page = try ProtocolPage()
        let streamed = try Self.operations(page).stream
        var count = 0
        for example in try page.examples(4) {
            if case .unknown(let op) = try Self.puck(Array(example.utf8)) { Issue.record("\(op) is not known") }
            count += 1
        }
        for example in try page.examples(5) {
            let type: MessageType = streamed.contains(try Self.operation(example)) ? .streamControl : .control
            if case .unknown(let op, _) = try Self.hub(Array(example.utf8), type) { Issue.record("\(op) is not known") }
            count += 1
        }
        #expect(count >= 16)
        let pairing = try page.examples(13)
        for example in pairing {
            try Array(example.utf8).withUnsafeBytes { bytes in
                if example.contains("pair_secret") {
                    _ = try PairingRequest.parse(bytes)
                } else {
                    _ = try PairingReply.parse(bytes)
                }
            }
        }
        #expect(pairing.count == 3)
    }

    @Test("the dumps are messages: a ping, the beginning of a packet, an error")
    func dumps() throws {
        let page = try ProtocolPage()
        let dumps = try page.dumps(2) + page.dumps(3)
        #expect(dumps.count == 3)
        #expect(try Self.puck(Array(dumps[0][9...])) == .ping(Ping(t0: 1043.25)))
        #expect(try Self.header(dumps[0]).length == 26)
        // It is cut off: with what its header promises it is whole.
        let packet = dumps[1] + [UInt8](repeating: 0, count: 9 + 61 - dumps[1].count)
        #expect(try Self.header(packet).sequence.value == 258)
        let error = Array(dumps[2][9...]).withUnsafeBytes { WireError.parse(payload: $0) }
        #expect(error == WireError(.unexpected, "audio without a grant"))
    }

    @Test("errors, ends of an utterance, verdicts and refusals of pairing have the values of the tables, and no others")
    func values() throws {
        let page = try ProtocolPage()
        let errors = try page.rows(3).map { "\($0[0]) \($0[1])" }
        #expect(errors == (1...9 as ClosedRange<UInt16>).map { "\($0) \(WireError.Code(rawValue: $0)?.name ?? "")" })
        #expect(WireError.Code(rawValue: 10) == nil)
        func first(_ section: Int, _ head: String) throws -> [String] {
            let lines = try page.section(section)
            let start = try #require(lines.firstIndex { $0.hasPrefix(head) })
            return lines[(start + 2)...].prefix { $0.hasPrefix("|") }
                .map { $0.split(separator: "|")[0].trimmingCharacters(in: CharacterSet(charactersIn: " `")) }
        }
        let ends = try first(4, "| reason | meaning | the hub |")
        #expect(ends == ["endpoint", "timeout", "silence", "cancelled", "muted", "gap"])
        #expect(ends.allSatisfy { UplinkEnd.Reason(rawValue: $0) != nil })
        let verdicts = try first(5, "| `arb_cancel` reason | meaning |")
        #expect(verdicts == ["lost", "late", "busy", "degraded"])
        #expect(verdicts.allSatisfy { HubControl.CancelReason(rawValue: $0) != nil })
        let refusals = try first(13, "| `pair_refused` reason |")
        #expect(refusals == ["none", "wrong", "attempts", "invalid", "failed"])
        #expect(refusals.allSatisfy { PairingReply.Refusal(rawValue: $0) != nil })
        let status = try #require(try page.section(4).first { $0.hasPrefix("`phase` (") })
        #expect(status.hasPrefix("`phase` (" + PuckStatus.phases.map { "`\($0)`" }.joined(separator: " ") + ";"))
    }
}

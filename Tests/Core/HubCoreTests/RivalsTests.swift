import HubCore
import PuckBase
import PuckWire
import Testing

@Suite("Two pucks with one id and token")
struct RivalsTests {
    /// Connects a device under the name "kitchen".
    private func connect(_ bench: inout HubBench, _ number: UInt32, instance: UInt32?, from peer: String)
        -> ConnectionID
    {
        let id = ConnectionID(number)
        bench.step(.connectionOpened(id, tokenName: "kitchen", peer: peer))
        let hello = Hello(
            puckID: "kitchen", room: "kitchen", group: "home", software: "test", phrases: ["puck"], instance: instance)
        bench.step(.received(id, .hello(hello)))
        return id
    }

    private func isRefused(_ bench: HubBench) -> Bool { bench.last.failures == [.duplicate] }

    @Test("the second replaces the first, and the first is refused when it returns, with the address of the other")
    func refused() {
        var bench = HubBench()
        let first = connect(&bench, 1, instance: 1, from: "10.0.0.1")
        let second = connect(&bench, 2, instance: 2, from: "10.0.0.2")
        let reason = "replaced by a new connection of the same puck, from 10.0.0.2"
        #expect(bench.last.contains(.close(first, reason: reason)))
        for number in UInt32(3)...5 {
            _ = connect(&bench, number, instance: 1, from: "10.0.0.1")
            #expect(isRefused(bench))
            guard case .fail(_, let error)? = bench.last.first(where: { if case .fail = $0 { true } else { false } })
            else { return }
            #expect(error.detail.contains("connected from 10.0.0.2: pair this one again"))
            #expect(bench.hub.puck(of: second) == "kitchen", "who is there stays, with all that it has")
        }
        #expect(bench.all.filter { if case .log(let r) = $0 { r.event == "puck.duplicate" } else { false } }.count == 1)
        let told = bench.hub.duplicates(now: bench.now)
        #expect(told.count == 1 && told[0] == ("kitchen", "10.0.0.2", "10.0.0.1"))
    }

    @Test("the refused one gets the place as soon as the other is silent, and both may fall silent")
    func otherGone() {
        var bench = HubBench()
        _ = connect(&bench, 1, instance: 1, from: "10.0.0.1")
        _ = connect(&bench, 2, instance: 2, from: "10.0.0.2")
        bench.advance(.seconds(7))
        let back = connect(&bench, 3, instance: 1, from: "10.0.0.1")
        #expect(bench.last.failures.isEmpty && bench.hub.puck(of: back) == "kitchen")
        bench.advance(.seconds(1_000))
        #expect(bench.hub.duplicates(now: bench.now).isEmpty)
    }

    @Test("a puck that comes back, from its address or another one, replaces its own half-open connection")
    func roams() {
        var bench = HubBench()
        for number in UInt32(1)...20 {
            let id = connect(&bench, number, instance: 7, from: "10.0.0.\(number % 2)")
            #expect(bench.last.failures.isEmpty && bench.hub.puck(of: id) == "kitchen")
        }
    }

    @Test("a puck that is restarted again and again is refused never")
    func restarts() {
        var bench = HubBench()
        for number in UInt32(1)...20 {
            _ = connect(&bench, number, instance: number, from: "10.0.0.1")
            #expect(bench.last.failures.isEmpty)
        }
    }

    @Test("hellos without an instance are told apart by their address, after three replacements in a minute")
    func older() {
        var bench = HubBench()
        var refusals = 0
        for number in UInt32(1)...12 {
            _ = connect(&bench, number, instance: nil, from: "10.0.0.\(number % 2)")
            refusals += isRefused(bench) ? 1 : 0
            bench.advance(.seconds(1))
        }
        #expect(refusals >= 2)
        var slow = HubBench()
        for number in UInt32(1)...12 {
            _ = connect(&slow, number, instance: nil, from: "10.0.0.\(number % 2)")
            #expect(slow.last.failures.isEmpty, "one puck that roams now and then")
            slow.advance(.seconds(61))
        }
    }

    @Test("a probe of puckd --check is answered, whoever is connected")
    func probe() {
        var bench = HubBench()
        _ = connect(&bench, 1, instance: 1, from: "10.0.0.1")
        _ = connect(&bench, 2, instance: 2, from: "10.0.0.2")
        let id = ConnectionID(3)
        bench.step(.connectionOpened(id, tokenName: "kitchen", peer: "10.0.0.1"))
        let hello = Hello(
            puckID: "kitchen", room: "kitchen", group: "home", software: "test", phrases: ["puck"], isProbe: true)
        bench.step(.received(id, .hello(hello)))
        #expect(bench.last.failures.isEmpty)
    }
}

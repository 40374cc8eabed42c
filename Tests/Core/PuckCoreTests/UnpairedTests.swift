import PuckBase
import PuckWire
import Testing

@testable import PuckCore

@Suite struct UnpairedTests {
    @Test("a puck without a hub shows that, tries nothing, and goes to its hub when it has one")
    func unpaired() {
        var bench = Bench()
        let effects = bench.on(.startedUnpaired)
        #expect(effects.opens == 0 && effects.lights == [.pairing])
        #expect(bench.wait(.seconds(120)).opens == 0)
        #expect(bench.on(.networkChanged).opens == 0)
        bench.on(.pairingEnded(.cancelled))
        #expect(bench.on(.volumeRequested(10)).lights == [], "still nobody's")
        #expect(bench.on(.hubChanged).opens == 1)
        #expect(bench.puck.phase == .idle)
    }

    @Test("a puck that is given to another hub leaves the one that it has, and goes there at once")
    func anotherHub() {
        var bench = Bench()
        bench.connect()
        let effects = bench.on(.hubChanged)
        #expect(effects.contains(.closeSocket) && effects.opens == 1)
    }

    @Test("a new token is kept, in whatever the puck is doing, and only from a hub that has welcomed it")
    func newToken() {
        var bench = Bench()
        bench.connect()
        #expect(bench.control(.token("a-new-token")).contains(.keepToken("a-new-token")))
        var early = Bench()
        early.on(.started)
        early.on(.socketOpened)
        #expect(!early.control(.token("a-new-token")).contains(.keepToken("a-new-token")))
    }

    @Test("certificates to believe are kept, and what was kept is told to the hub, then and at the next hello")
    func trust() {
        var bench = Bench()
        bench.connect()
        let list = [String(repeating: "a", count: 64)]
        #expect(bench.control(.trust(list)).contains(.keepTrust(list)))
        #expect(bench.on(.trustKept(list)).contains(.send(.trusts(list))))
        bench.on(.socketClosed(reason: "reset"))
        bench.on(.hubChanged)
        let hello = bench.on(.socketOpened).contains {
            if case .send(.hello(let hello)) = $0 { hello.trusts == list } else { false }
        }
        #expect(hello)
    }
}

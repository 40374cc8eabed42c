import PuckBase
import PuckWire
import Testing

@testable import PuckCore

@Suite("A hub that moved")
struct HubSearchTests {
    private let there = HubAddress(host: "10.0.0.9", port: 7443)
    private let elsewhere = HubAddress(host: "10.0.0.10", port: 7443)

    private func candidate(_ address: HubAddress, _ isPinned: Bool = true) -> HubCandidate {
        HubCandidate(address: address, namesPinnedCertificate: isPinned)
    }

    /// A puck that has been started, and whose attempts failed until it searches.
    private func searching(_ mode: Puck.HubSearchMode = .replacesConfigured) -> Bench {
        var bench = Bench(hubSearch: mode)
        bench.on(.started)
        for attempt in 1...3 {
            let effects = bench.on(.socketClosed(reason: "refused"))
            #expect(effects.contains(.searchForHub) == (attempt == 3))
            if attempt < 3 { #expect(bench.wait(.milliseconds(4500)).targets == [nil]) }
        }
        return bench
    }

    private func welcome(_ bench: inout Bench) -> [PuckEffect] {
        bench.on(.socketOpened)
        return bench.control(
            .welcome(
                Welcome(
                    session: 1, epoch: 7, resume: .none, from: .zero, pingMilliseconds: 5000, replayMilliseconds: 0)))
    }

    @Test("after three failed attempts it searches, and goes where the pinned certificate is announced")
    func found() {
        var bench = searching()
        bench.on(.hubsFound([candidate(elsewhere, false), candidate(there)]))
        #expect(bench.wait(.milliseconds(1101)).targets == [there])
        #expect(welcome(&bench).contains(.keepHub(there)))
    }

    @Test("what was found replaces the paired address: the next link is not kept again")
    func keptOnce() {
        var bench = searching()
        bench.on(.hubsFound([candidate(there)]))
        _ = bench.wait(.milliseconds(1101))
        _ = welcome(&bench)
        bench.on(.socketClosed(reason: "reset"))
        #expect(bench.wait(.seconds(9)).targets == [nil])
        #expect(!welcome(&bench).contains { if case .keepHub = $0 { true } else { false } })
    }

    @Test("after a link that lasted for a moment it searches after one failed attempt, and not after three long pauses")
    func movedTwice() {
        var bench = searching()
        bench.on(.hubsFound([candidate(there)]))
        _ = bench.wait(.milliseconds(1101))
        _ = welcome(&bench)
        #expect(!bench.on(.socketClosed(reason: "reset")).contains(.searchForHub))
        #expect(bench.wait(.seconds(9)).targets == [nil])
        #expect(bench.on(.socketClosed(reason: "refused")).contains(.searchForHub))
    }

    @Test("a host that the configuration names is tried first, and in turn with what was found")
    func beside() {
        var bench = searching(.besideConfigured)
        bench.on(.hubsFound([candidate(there)]))
        _ = bench.wait(.milliseconds(1101))
        #expect(welcome(&bench).contains(.keepHub(there)))
        var targets: [HubAddress?] = []
        for _ in 0..<4 {
            bench.on(.socketClosed(reason: "refused"))
            targets += bench.wait(.seconds(33)).targets
        }
        #expect(targets == [nil, there, nil, there])
    }

    @Test("all candidates are tried, one a second, and then the configured address has its turn again")
    func several() {
        var bench = searching()
        bench.on(.hubsFound([candidate(there), candidate(elsewhere), candidate(there)]))
        #expect(bench.wait(.milliseconds(1101)).targets == [there])
        bench.on(.socketClosed(reason: "certificate-not-trusted"))
        #expect(bench.wait(.milliseconds(1101)).targets == [elsewhere])
        bench.on(.socketClosed(reason: "refused"))
        #expect(bench.wait(.milliseconds(7000)).targets.isEmpty, "the row goes on with 8 s")
        #expect(bench.wait(.milliseconds(1900)).targets == [nil])
    }

    @Test("of a flood of answers a bounded number is tried, the true one sooner or later among them")
    func flood() {
        var isTried = false
        var bench = searching()
        for _ in 0..<60 where !isTried {
            let wrong = (0..<100).map { candidate(HubAddress(host: "10.1.0.\($0)", port: 1)) }
            bench.on(.hubsFound(wrong + [candidate(there)]))
            var tried = 0
            var isSearching = false
            while !isSearching {
                let effects = bench.wait(.milliseconds(500))
                isSearching = effects.contains(.searchForHub)
                isTried = isTried || effects.targets.contains(there)
                tried += effects.targets.filter { $0 != nil }.count
                if !effects.targets.isEmpty { bench.on(.socketClosed(reason: "refused")) }
            }
            #expect(tried <= HubSearch.mostCandidates)
        }
        #expect(isTried)
    }

    @Test("while the hub stays away it searches again, at most twice a minute, also when a search never answers")
    func pace() {
        var bench = searching()
        var searches = 0
        let begin = bench.now
        while bench.now - begin < .seconds(600) {
            let effects = bench.wait(.seconds(1))
            if effects.contains(.searchForHub) {
                searches += 1
                if searches.isMultiple(of: 2) { bench.on(.hubsFound([])) }
            }
            if !effects.targets.isEmpty { bench.on(.socketClosed(reason: "refused")) }
        }
        #expect((13...20).contains(searches), "\(searches)")
    }

    @Test("a hub that answers is no hub that moved, whatever it answers")
    func reached() {
        var bench = Bench(hubSearch: .replacesConfigured)
        bench.on(.started)
        for _ in 0..<10 {
            let effects = bench.on(.socketClosed(reason: "unauthorized", reachedHub: true))
            #expect(!effects.contains(.searchForHub))
            _ = bench.wait(.seconds(33))
        }
    }

    @Test("a found hub that refuses the puck is kept: it is tried where it is, and nothing is searched for")
    func refusedByFound() {
        for mode in [Puck.HubSearchMode.replacesConfigured, .besideConfigured] {
            var bench = searching(mode)
            bench.on(.hubsFound([candidate(there), candidate(elsewhere)]))
            #expect(bench.wait(.milliseconds(1101)).targets == [there])
            let refused = PuckEvent.socketClosed(reason: "hub-full", reachedHub: true, isHub: true)
            #expect(bench.on(refused).contains(.keepHub(there)))
            // The configured address, which the runtime has replaced in one mode, and in turn with it in the other.
            let next = bench.wait(.milliseconds(8_801)).targets
            #expect(next == [nil])
            bench.on(.socketClosed(reason: "refused"))
            let after = bench.wait(.milliseconds(17_601)).targets
            #expect(after == [mode == .besideConfigured ? there : nil])
        }
    }

    @Test("what answers otherwise than a hub is not kept")
    func otherThanHub() {
        var bench = searching()
        bench.on(.hubsFound([candidate(there)]))
        #expect(bench.wait(.milliseconds(1101)).targets == [there])
        let effects = bench.on(.socketClosed(reason: "wrong-path", reachedHub: true))
        #expect(!effects.contains { if case .keepHub = $0 { true } else { false } })
    }

    @Test("without a pinned certificate nothing is searched for")
    func off() {
        var bench = Bench()
        bench.on(.started)
        for _ in 0..<10 {
            #expect(!bench.on(.socketClosed(reason: "refused")).contains(.searchForHub))
            _ = bench.wait(.seconds(33))
        }
    }

    @Test("answers that come after the link is up again change nothing")
    func late() {
        var bench = searching()
        _ = bench.wait(.milliseconds(4500))
        _ = welcome(&bench)
        #expect(bench.on(.hubsFound([candidate(there)])).targets.isEmpty)
        #expect(bench.wait(.seconds(3)).targets.isEmpty)
        bench.on(.socketClosed(reason: "reset"))
        #expect(bench.wait(.seconds(33)).targets.first == .some(nil), "the configured address first")
    }
}

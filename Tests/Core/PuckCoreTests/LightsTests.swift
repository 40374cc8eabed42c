import PuckBase
import Testing

@testable import PuckCore

@Suite("Lights")
struct LightsTests {
    /// Every status that there can be.
    static let all: [StatusView] = {
        var all: [StatusView] = []
        for phase in Phase.allCases {
            for link in LinkView.allCases {
                for bits in 0..<32 {
                    all.append(
                        StatusView(
                            phase: phase, link: link, muted: bits & 1 != 0, fault: bits & 2 != 0,
                            degraded: bits & 4 != 0, volumeChanged: bits & 8 != 0, pairing: bits & 16 != 0))
                }
            }
        }
        return all
    }()

    @Test("a fault is always shown, and error is shown for nothing else")
    func fault() {
        for view in Self.all { #expect((lights(for: view) == .error) == view.fault, "\(view)") }
    }

    @Test("nothing but a fault hides that the microphone is open, and nothing pretends it")
    func openMicrophone() {
        for view in Self.all where !view.fault {
            let shown = lights(for: view)
            let isOpen = !view.muted && (view.phase == .candidate || view.phase == .listening)
            #expect((shown == .candidate || shown == .listening) == isOpen, "\(view)")
            if isOpen { #expect(shown.rawValue == view.phase.rawValue) }
        }
    }

    @Test("pairing beats the volume, which beats everything that lasts")
    func momentary() {
        for view in Self.all where !view.fault && (view.muted || ![.candidate, .listening].contains(view.phase)) {
            if view.pairing {
                #expect(lights(for: view) == .pairing, "\(view)")
            } else if view.volumeChanged {
                #expect(lights(for: view) == .volume, "\(view)")
            } else {
                #expect(![.pairing, .volume].contains(lights(for: view)), "\(view)")
            }
        }
    }

    @Test("then the closed microphone, except while an answer sounds; then what goes on; then the link; then the rest")
    func lasting() {
        for view in Self.all where !view.fault && !view.pairing && !view.volumeChanged {
            let expected: Lights? =
                switch (view.muted, view.phase, view.link) {
                case (_, .speaking, _): .speaking
                case (true, _, _): .muted
                case (false, .thinking, _): .thinking
                case (false, .idle, .starting): .starting
                case (false, .idle, .offline): .offline
                case (false, .idle, _): view.degraded ? .degraded : .idle
                default: nil
                }
            if let expected { #expect(lights(for: view) == expected, "\(view)") }
        }
    }

    @Test("every light is shown for some status")
    func reachable() {
        #expect(Set(Self.all.map { lights(for: $0) }) == Set(Lights.allCases))
    }

    @Test("a changed volume is shown for 2 s from the last change, unless somebody is being heard")
    func volume() {
        var bench = Bench()
        bench.connect()
        let first = bench.on(.volumeRequested(40))
        #expect(first.lights == [.volume] && first.contains(.playEarcon(.volume)))
        #expect(bench.wait(.milliseconds(1500)).lights.isEmpty)
        #expect(bench.on(.volumeRequested(50)).lights.isEmpty, "it is still shown")
        #expect(bench.wait(.milliseconds(1999)).lights.isEmpty)
        #expect(bench.wait(.milliseconds(1)).lights == [.idle])
        _ = bench.wake()
        let restored = bench.on(.volumeRestored(40))
        #expect(restored == [.setVolume(40)], "what was set before a restart is no news")
        let louder = bench.on(.volumeRequested(60))
        #expect(louder.lights.isEmpty && !louder.contains(.playEarcon(.volume)))
    }

    @Test("pairing and a broken part are shown as long as they last")
    func events() {
        var bench = Bench()
        bench.connect()
        #expect(bench.on(.degradedChanged(true)).lights == [.degraded])
        #expect(bench.on(.pairingRequested).lights == [.pairing])
        #expect(bench.on(.degradedChanged(false)).lights.isEmpty)
        #expect(bench.on(.pairingEnded(.joined)).lights == [.idle])
    }
}

import PuckAudio
import PuckBase
import PuckWire
import Testing

@testable import PuckCore

@Suite("Lights")
struct LightsTests {
    @Test("a fault beats privacy, privacy beats activity, activity beats the link")
    func priority() {
        func view(_ phase: Phase, _ link: LinkView, muted: Bool = false, fault: Bool = false) -> Lights {
            lights(for: StatusView(phase: phase, link: link, muted: muted, fault: fault))
        }
        #expect(view(.listening, .up, muted: true, fault: true) == .error)
        #expect(view(.idle, .offline, muted: true) == .muted)
        #expect(view(.speaking, .up, muted: true) == .speaking)
        #expect(view(.thinking, .offline) == .thinking)
        #expect(view(.idle, .offline) == .offline)
        #expect(view(.idle, .reconnecting) == .idle)
        #expect(view(.idle, .starting) == .starting)
    }
}

import LinuxIO
import Testing

@Suite struct HubAnswersTests {
    private let hubs = [
        HubAnswers.Hub(address: "192.168.1.5", port: 7443, namesPinnedCertificate: true),
        HubAnswers.Hub(address: "fe80::1%eth0", port: 1, namesPinnedCertificate: false),
    ]

    @Test("what a search found, and what was wrong with it, are lines that read back")
    func roundTrip() {
        for answers in [
            HubAnswers(), HubAnswers(hubs), HubAnswers(problem: "no Avahi: install it"),
            HubAnswers(hubs, problem: "x y"),
        ] {
            #expect(HubAnswers(text: answers.text) == answers)
            #expect(HubAnswers(text: answers.text + "\n") == answers)
        }
        #expect(HubAnswers(hubs).text == "pinned 192.168.1.5 7443\nother fe80::1%eth0 1\ndone")
    }

    @Test("a text without its last line is none, whoever wrote it")
    func unfinished() {
        for text in ["", "\n", "pinned 192.168.1.5 7443\n", "puckctl: unknown command \"find-hub\"\n", "don", "failed"]
        {
            #expect(HubAnswers(text: text) == nil, "\(text)")
        }
    }

    @Test("lines that say no place are left out")
    func strange() {
        let text = "pinned a 0\npinned a 65536\npinned a\npinned a b 1\nhub a 1\n\n \npinned a 1\ndone\npinned b 1\n"
        let found = [HubAnswers.Hub(address: "a", port: 1, namesPinnedCertificate: true)]
        #expect(HubAnswers(text: text) == HubAnswers(found))
    }
}

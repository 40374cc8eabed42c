import HubCore
import PuckBase
import Testing

@Suite("Pairing desk")
struct PairingDeskTests {
    private typealias Refusal = PairingDesk.Refusal
    private let start = Instant(nanoseconds: 1_000_000_000)
    private func after(_ seconds: Int) -> Instant { start + .seconds(seconds) }

    @Test("without an offer nobody is listened to")
    func closed() {
        var desk = PairingDesk()
        #expect(throws: Refusal.nothingIsOpen) { try desk.admit(now: start) }
        #expect(throws: Refusal.nothingIsOpen) { try desk.begin(from: "a", now: start) }
    }

    @Test("an offer lives ten minutes, to the second")
    func lifetime() throws {
        var desk = PairingDesk()
        let offer = desk.open(puckID: "kitchen", room: nil, now: start).offer
        #expect(try desk.begin(from: "a", now: after(599)) == offer)
        #expect(desk.mayProve(offer.number, now: after(599)))
        #expect(!desk.mayProve(offer.number, now: after(600)))
        #expect(throws: Refusal.nothingIsOpen) { try desk.begin(from: "a", now: after(600)) }
        #expect(desk.expire(now: after(600)) == [offer.number] && !desk.isOpen)
    }

    @Test("an offer is used once, and a proof that was begun with it before counts no more")
    func usedOnce() throws {
        var desk = PairingDesk()
        let offer = desk.open(puckID: "kitchen", room: "kitchen", now: start).offer
        _ = try desk.begin(from: "a", now: start)
        _ = try desk.begin(from: "b", now: start)
        desk.close(offer.number)
        #expect(!desk.mayProve(offer.number, now: start))
        #expect(throws: Refusal.nothingIsOpen) { try desk.begin(from: "b", now: start) }
    }

    @Test("one address gets three wrong codes, all together five; then the code is dead, for those too who had begun")
    func wrongCodes() throws {
        var desk = PairingDesk()
        let offer = desk.open(puckID: "kitchen", room: nil, now: start).offer
        for _ in 0..<3 { desk.wrong(try desk.begin(from: "a", now: start).number, from: "a", now: start) }
        #expect(throws: Refusal.tooManyWrong) { try desk.begin(from: "a", now: start) }
        // The join line of that address is not barred.
        try desk.admit(now: start)
        // The owner, elsewhere, is not locked out by it.
        #expect(try desk.begin(from: "b", now: start) == desk.offer(offer.number))
        for _ in 0..<2 { desk.wrong(offer.number, from: "b", now: start) }
        #expect(!desk.mayProve(offer.number, now: start))
        #expect(throws: Refusal.nothingIsOpen) { try desk.begin(from: "c", now: start) }
        // The line's 128 bits are not guessed: it stays.
        #expect(desk.offer(offer.number) != nil)
        try desk.admit(now: start)
    }

    @Test("however many attempts are open at once, no more than five guesses are judged")
    func parallelGuesses() throws {
        var desk = PairingDesk()
        _ = desk.open(puckID: "kitchen", room: nil, now: start)
        var begun: [(String, UInt32)] = []
        for host in 0..<30 { begun.append(("h\(host)", try desk.begin(from: "h\(host)", now: start).number)) }
        var judged = 0
        for (address, number) in begun where desk.mayProve(number, now: start) {
            desk.wrong(number, from: address, now: start)
            judged += 1
        }
        #expect(judged == PairingDesk.Limits.wrongCodes)
    }

    @Test("a new offer forgives the wrong codes of the one before")
    func forgiven() throws {
        var desk = PairingDesk()
        let offer = desk.open(puckID: "kitchen", room: nil, now: start).offer
        for _ in 0..<3 { desk.wrong(offer.number, from: "a", now: start) }
        #expect(throws: Refusal.tooManyWrong) { try desk.begin(from: "a", now: start) }
        _ = desk.open(puckID: "hall", room: nil, now: after(1))
        #expect(try desk.begin(from: "a", now: after(1)).puckID == "hall")
    }

    @Test("attempts are limited to six a minute from one address and thirty in all, and a minute later there is room")
    func attempts() throws {
        var desk = PairingDesk()
        _ = desk.open(puckID: "kitchen", room: nil, now: start)
        for _ in 0..<6 { _ = try desk.begin(from: "a", now: start) }
        #expect(throws: Refusal.tooMany) { try desk.begin(from: "a", now: start) }
        for host in 0..<24 { _ = try desk.begin(from: "h\(host)", now: start) }
        #expect(throws: Refusal.tooMany) { try desk.begin(from: "b", now: start) }
        _ = try desk.begin(from: "a", now: after(61))
    }

    @Test("a new offer ends the code of the one before, whose line lives on; the same puck's ends altogether")
    func replaced() throws {
        var desk = PairingDesk()
        let kitchen = desk.open(puckID: "kitchen", room: nil, now: start).offer
        let hall = desk.open(puckID: "hall", room: nil, now: start)
        #expect(hall.gone == [] && desk.offer(kitchen.number) != nil)
        #expect(!desk.mayProve(kitchen.number, now: start))
        #expect(try desk.begin(from: "a", now: start).puckID == "hall")
        let again = desk.open(puckID: "kitchen", room: "cellar", now: start)
        #expect(again.gone == [kitchen.number])
        #expect(try desk.begin(from: "a", now: start).room == "cellar")
    }

    @Test("at most eight offers are open; the oldest gives way")
    func bounded() {
        var desk = PairingDesk()
        let first = desk.open(puckID: "p0", room: nil, now: start).offer
        for number in 1..<8 { #expect(desk.open(puckID: "p\(number)", room: nil, now: start).gone == []) }
        #expect(desk.open(puckID: "p8", room: nil, now: start).gone == [first.number])
    }
}

import Testing

@testable import LinkTransport

/// Who gets in, without a socket: every step and every time is the test's.
@Suite("The door's policy")
struct DoorTests {
    private struct House {
        var door = Door(connections: 64)
        var now: Int64 = 0
        var number: UInt32 = 0
        var gone: Set<UInt32> = []

        static func ipv4(_ n: Int) -> PeerAddress { PeerAddress(high: 0, low: 0xffff << 32 | 0x7f00_0000 + UInt64(n)) }
        static func ipv6(_ network: UInt64, _ host: UInt64) -> PeerAddress { PeerAddress(high: network, low: host) }

        mutating func arrive(_ address: PeerAddress, speaks: Bool = false) -> UInt32 {
            number += 1
            let newcomer = number
            if let giver = door.arrived(newcomer, from: address, now: now) { gone.insert(giver) }
            if speaks, !gone.contains(newcomer) { door.spoke(newcomer) }
            return newcomer
        }

        /// Begins all handshakes that may begin now.
        @discardableResult
        mutating func serve() -> [UInt32] {
            var begun: [UInt32] = []
            while let (number, giver) = door.next(now: now) {
                if let giver { gone.insert(giver) }
                begun.append(number)
            }
            return begun
        }

        mutating func show(token: String, from address: PeerAddress) {
            let number = arrive(address, speaks: true)
            #expect(serve().contains(number))
            door.proved(number, identity: token, isWelcome: true, now: now)
        }

        mutating func wait(milliseconds: Int64) { now += milliseconds * 1_000_000 }
    }

    @Test("IPv6 counts by /64, IPv4 by address, and a mapped IPv4 address is itself")
    func groups() {
        #expect(House.ipv6(0xfd00 << 48, 1).group == House.ipv6(0xfd00 << 48, 2).group)
        #expect(House.ipv6(0xfd00 << 48, 1).group != House.ipv6(0xfd00 << 48 | 1, 1).group)
        #expect(House.ipv4(1).group != House.ipv4(2).group)
        func parsed(_ text: String) -> PeerAddress {
            PeerAddress(lookUp(text, port: 1, numericOnly: true, limit: 1).addresses[0])
        }
        #expect(parsed("127.0.0.1") == House.ipv4(1))
        #expect(parsed("::ffff:127.0.0.1") == House.ipv4(1))
        #expect(parsed("fd00::2") == House.ipv6(0xfd00 << 48, 2))
    }

    @Test(
        "silent callers from any number of addresses: the oldest one gives way, and one that speaks is served at once")
    func silentFlood() {
        var house = House()
        let first = house.arrive(House.ipv4(1))
        for i in 2...Door.Limits.callers { _ = house.arrive(House.ipv4(i)) }
        #expect(house.gone == [])
        _ = house.arrive(House.ipv4(5_000))
        #expect(house.gone == [first])
        let puck = house.arrive(House.ipv4(9_999), speaks: true)
        for i in 0..<10_000 {
            house.wait(milliseconds: 1)
            _ = house.arrive(House.ipv4(10_000 + i % 1000))
        }
        let isGone = house.gone.contains(puck)
        #expect(!isGone, "who has spoken is not turned away for one who has not")
        #expect(house.serve() == [puck])
        #expect(house.door.callers.count == Door.Limits.callers - 1)
    }

    @Test("the addresses of one /64 are one peer: it gives way to itself")
    func onePrefix() {
        var house = House()
        let others = (1...10).map { house.arrive(House.ipv4($0)) }
        for i in 0..<1000 { _ = house.arrive(House.ipv6(0xfd00 << 48, UInt64(i))) }
        #expect(house.gone.isDisjoint(with: others))
    }

    @Test("handshakes that stand still: a newcomer from an address that wasted none gets the next place")
    func stalledHandshakes() {
        var house = House()
        for i in 0..<200 { _ = house.arrive(House.ipv4(i), speaks: true) }
        #expect(house.serve().count == Door.Limits.strangers)
        let puck = house.arrive(House.ipv4(9_999), speaks: true)
        #expect(house.serve() == [], "nobody is thrown out in the middle of a handshake that is younger than a second")
        house.wait(milliseconds: 1000)
        // All that waited are unknown and have wasted nothing yet: it is the turn of who came first.
        while house.door.callers.position(of: puck) != nil {
            let begun = house.serve()
            #expect(begun.count <= Door.Limits.strangers)
            if begun.contains(puck) { break }
            #expect(house.now < 4_000_000_000)
            house.wait(milliseconds: 1000)
        }
        // From now on the flood's addresses are known for what they are.
        for i in 0..<200 { _ = house.arrive(House.ipv4(i), speaks: true) }
        house.wait(milliseconds: 1000)
        let second = house.arrive(House.ipv4(9_998), speaks: true)
        #expect(house.serve().first == second)
    }

    @Test("one address that holds all places gives them up to others at once")
    func oneAddress() {
        var house = House()
        for _ in 0..<100 { _ = house.arrive(House.ipv4(1), speaks: true) }
        house.serve()
        let puck = house.arrive(House.ipv4(2), speaks: true)
        #expect(house.serve() == [puck])
    }

    @Test("an address that showed a token goes first at every step, whatever floods")
    func known() {
        var house = House()
        let kitchen = House.ipv4(7)
        house.show(token: "kitchen", from: kitchen)
        house.wait(milliseconds: 60_000)
        for i in 0..<1000 { _ = house.arrive(House.ipv4(1000 + i), speaks: true) }
        house.serve()
        let silent = house.arrive(kitchen)
        for i in 0..<1000 { _ = house.arrive(House.ipv4(3000 + i), speaks: true) }
        let isGone = house.gone.contains(silent)
        #expect(!isGone)
        house.door.spoke(silent)
        #expect(house.serve().contains(silent))
    }

    @Test("a known address that wastes handshakes is served like any other, until it has rested")
    func knownThatWastes() {
        var house = House()
        let kitchen = House.ipv4(7)
        house.show(token: "kitchen", from: kitchen)
        for _ in 0..<Door.Limits.wastedAtOnceOfKnown {
            let number = house.arrive(kitchen, speaks: true)
            #expect(house.serve() == [number])
            house.door.gone(number, now: house.now)
        }
        // 50 a second for all who showed none; the address waits behind one that wasted nothing.
        let kitchens = house.arrive(kitchen, speaks: true)
        let stranger = house.arrive(House.ipv4(8), speaks: true)
        #expect(house.serve() == [stranger, kitchens])
        house.door.gone(kitchens, now: house.now)
        house.wait(milliseconds: 1000 / Int64(Door.Limits.wastedPerSecondOfKnown))
        let again = house.arrive(kitchen, speaks: true)
        let other = house.arrive(House.ipv4(9), speaks: true)
        #expect(house.serve() == [again, other])
    }

    @Test("one token makes four addresses known, the last ones")
    func addressesOfOneToken() {
        var house = House()
        for i in 1...5 { house.show(token: "kitchen", from: House.ipv4(i)) }
        let numbers = (1...5).map { house.arrive(House.ipv4($0), speaks: true) }
        house.serve()
        #expect(numbers.count == 5)
        let isKnown = (1...5).map { i -> Bool in
            let number = house.arrive(House.ipv4(i))
            return house.door.callers[number]!.isKnown
        }
        #expect(isKnown == [false, true, true, true, true])
    }

    @Test("handshakes that end without a token are bounded by the second; those with one are not")
    func budget() {
        var house = House()
        var begun = 0
        for i in 0..<2000 {
            _ = house.arrive(House.ipv4(i % 500), speaks: true)
            for number in house.serve() {
                begun += 1
                house.door.gone(number, now: house.now)
            }
            house.wait(milliseconds: 1)
        }
        #expect(begun <= Door.Limits.wastedAtOnce + 2 * Door.Limits.wastedPerSecond + 1)
        #expect(begun >= 2 * Door.Limits.wastedPerSecond)
        var other = House()
        for i in 0..<1000 { other.show(token: "puck-\(i)", from: House.ipv4(i)) }
        #expect(other.now == 0)
    }

    @Test("a token that comes too often is charged as if none had been shown")
    func tooOften() {
        var house = House()
        for i in 0..<Door.Limits.wastedAtOnce {
            let number = house.arrive(House.ipv4(1), speaks: true)
            #expect(house.serve() == [number], "\(i)")
            house.door.proved(number, identity: "kitchen", isWelcome: false, now: house.now)
        }
        _ = house.arrive(House.ipv4(1), speaks: true)
        #expect(house.serve() == [])
        #expect(house.door.nextTurn(now: house.now) == 1_000_000_000 / Int64(Door.Limits.wastedPerSecond))
    }

    @Test("what is remembered of addresses is bounded, and forgotten in a minute")
    func wasted() {
        var wasted = WastedConnections()
        for i in 0..<100_000 { wasted.add(House.ipv4(i), now: 0) }
        #expect(wasted.addressCount <= 2 * WastedConnections.capacity)
        #expect(wasted.count(of: House.ipv4(99_999), now: 0) == 1)
        #expect(wasted.count(of: House.ipv4(99_999), now: 2 * WastedConnections.turnNanoseconds) == 0)
    }

    @Test("a paired puck gets in within two seconds under a thousand half-open connections a second")
    func flood() {
        for speaks in [false, true] {
            var house = House()
            for i in 0..<10_000 {
                _ = house.arrive(House.ipv4(i % 1000), speaks: speaks)
                house.serve()
                house.wait(milliseconds: 1)
            }
            // From a new address: nothing tells it from the flood but that nothing of it was wasted.
            var waits: [Int64] = []
            for i in 0..<100 {
                let puck = house.arrive(House.ipv4(20_000 + i), speaks: true)
                let since = house.now
                while house.door.callers.position(of: puck) != nil, house.now - since < 5_000_000_000 {
                    house.serve()
                    _ = house.arrive(House.ipv4(Int(house.now / 1_000_000) % 1000), speaks: speaks)
                    house.wait(milliseconds: 1)
                }
                let isGone = house.gone.contains(puck)
                #expect(!isGone, "speaks \(speaks), puck \(i), \(house.now)")
                waits.append(house.now - since)
                house.door.proved(puck, identity: "puck-\(i)", isWelcome: true, now: house.now)
            }
            #expect(waits.max()! < 2_000_000_000)
        }
    }
}

import PuckWire

/// What a hub plays on a puck while their link comes and goes: what is heard of a play is exact from its beginning, or
/// it starts again cleanly without a hole; and when all is well again, all comes to an end.
func fuzzPlayback(_ bytes: UnsafeRawBufferPointer) {
    let categories: [DownStart.Category] = [
        .assistantResponse, .filler, .timer, .reminder, .notification, .announcement, .music,
    ]
    var input = ByteReader(bytes)
    var house = House()
    // More would only take longer.
    var left = 200
    while !input.isAtEnd, left > 0, !house.wasTooFast {
        left -= 1
        switch input.below(16) {
        case 0, 1: house.request(categories[input.below(categories.count)])
        case 2, 3:
            let packets = input.byte()
            let play = input.byte()
            house.grow(latest(play >> 1, of: house), by: packets, isComplete: play & 1 == 1)
        case 4: house.cancel(latest(input.byte(), of: house))
        case 5: house.fail(latest(input.byte(), of: house))
        case 6: house.deliverToPuck(1 + input.byte())
        case 7: house.deliverToHub(1 + input.byte())
        case 8, 9: house.pass(milliseconds: 20 * input.byte(), isFlowing: true)
        case 10: house.pass(milliseconds: 20 * input.byte(), isFlowing: false)
        case 11: house.pass(milliseconds: 1000 * input.below(40), isFlowing: input.below(2) == 0)
        case 12:
            let how = input.byte()
            house.cut(hubNotices: how & 3 != 1, puckNotices: how & 3 != 2, arrives: how & 4 != 0)
        case 13: house.isNetworkUp.toggle()
        case 14: house.stop()
        default:
            switch input.below(8) {
            case 0: house.restartHub()
            case 1...3: house.setLoudspeaker(ok: false)
            default: house.setLoudspeaker(ok: true)
            }
        }
    }
    if house.wasTooFast { return }
    trace("all is well again")
    house.isNetworkUp = true
    house.setLoudspeaker(ok: true)
    for i in house.plays.indices { house.grow(i, by: 0, isComplete: true) }
    // An attempt every 30 s (and its tenth), a hub that gives up 5 s after the end of a play, and all there is to play.
    for _ in 0..<(100 + 60 + 60) where !house.isIdle { house.pass(milliseconds: 1000, isFlowing: true) }
    promise(house.isIdle || house.wasTooFast, "it does not come to an end: \(house.puck.phase)")
}

/// The play that began `n` before the last one.
private func latest(_ n: Int, of house: House) -> Int {
    house.plays.isEmpty ? -1 : house.plays.count - 1 - n % house.plays.count
}

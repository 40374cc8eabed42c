import PuckBase

@testable import PuckCore

/// The uplink window as a list of packets that are numbered without wrapping.
private struct NaiveWindow {
    var held: [(number: Int, isSent: Bool)] = []
    var made = 0
    var dropped = 0

    var first: Int { held.first?.number ?? made }
    var nextToSend: Int { held.first { !$0.isSent }?.number ?? made }

    mutating func append() -> Bool {
        var whole = true
        if held.count == 50 {
            whole = held.removeFirst().isSent
            dropped += 1
        }
        held.append((made, false))
        made += 1
        return whole
    }

    mutating func takeUnsent() -> Int? {
        guard let i = held.firstIndex(where: { !$0.isSent }) else { return nil }
        held[i].isSent = true
        return held[i].number
    }

    mutating func acknowledge(_ number: Int) -> Bool {
        if number > nextToSend { return false }
        held.removeAll { $0.number < number }
        return true
    }

    mutating func rewind(_ number: Int) -> Bool {
        guard (first...made).contains(number) else { return false }
        held.removeAll { $0.number < number }
        for i in held.indices { held[i].isSent = false }
        return true
    }

    /// The number that a serial number means: the nearest to `reference`, downwards when both ways are equally long.
    static func meaning(_ serial: SerialNumber, near reference: Int) -> Int {
        let offset = (Int(serial.value) - reference) & 0xFFFF
        return reference + (offset >= 32_768 ? offset - 65_536 : offset)
    }
}

func fuzzUplinkWindow(_ bytes: UnsafeRawBufferPointer) {
    var input = ByteReader(bytes)
    var window = UplinkWindow()
    var naive = NaiveWindow()
    /// The contents of the runtime's slots, by packet.
    var slots = [Int](repeating: -1, count: UplinkWindow.slotCount)

    func append() {
        slots[UplinkWindow.slot(of: window.next)] = naive.made
        let isWhole = window.append()
        promise(isWhole == naive.append(), "append says \(isWhole)")
    }
    // More would only take longer.
    var left = 80_000
    while !input.isAtEnd, left > 0 {
        left -= 50
        switch input.below(8) {
        case 0, 1:
            let count = 1 + input.below(64)
            trace("append \(count)")
            for _ in 0..<count { append() }
        case 2:
            // Minutes, all of it sent, so that the numbers wrap.
            let count = 64 * input.byte()
            trace("append and send \(count)")
            for _ in 0..<count {
                append()
                _ = naive.takeUnsent()
                _ = window.takeUnsent()
            }
            left -= count
        case 3:
            for _ in 0...input.below(64) {
                let taken = window.takeUnsent()
                trace("take: \(taken.map { "\($0.value)" } ?? "-")")
                let expected = naive.takeUnsent()
                promise(
                    taken == expected.map { SerialNumber(UInt16(truncatingIfNeeded: $0)) }, "not \(expected as Any)")
                if let taken, let expected {
                    promise(slots[UplinkWindow.slot(of: taken)] == expected, "another packet lies in the slot")
                }
            }
        case 4, 5:
            let serial = serialNumber(&input, near: window.first)
            let meant = NaiveWindow.meaning(serial, near: naive.nextToSend)
            trace("acknowledge \(serial.value) (\(meant))")
            let isRight = window.acknowledge(next: serial)
            promise(isRight == naive.acknowledge(meant), "acknowledge says \(isRight)")
        default:
            let serial = serialNumber(&input, near: window.first)
            let meant = NaiveWindow.meaning(serial, near: naive.first)
            trace("rewind to \(serial.value) (\(meant))")
            let isRight = window.rewind(to: serial)
            promise(isRight == naive.rewind(meant), "rewind says \(isRight)")
        }
        promise(window.count == naive.held.count && window.count <= UplinkWindow.capacity, "\(window.count) held")
        promise(window.first.value == UInt16(truncatingIfNeeded: naive.first), "first")
        promise(window.next.value == UInt16(truncatingIfNeeded: naive.made), "next")
        promise(window.nextToSend.value == UInt16(truncatingIfNeeded: naive.nextToSend), "next to send")
        promise(window.dropped == naive.dropped, "dropped")
    }
}

/// Mostly one that could come; else any, or one from where up and down are equally far.
private func serialNumber(_ input: inout ByteReader, near first: SerialNumber) -> SerialNumber {
    switch input.below(8) {
    case 0: SerialNumber(UInt16(input.word()))
    case 1: first.advanced(by: 32_768 + input.below(64) - 4)
    default: first.advanced(by: input.below(64) - 4)
    }
}

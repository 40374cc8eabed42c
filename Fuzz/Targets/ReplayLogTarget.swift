import PuckBase
import PuckWire

@testable import HubCore

/// The replay log as the list of everything that was ever sent, of which a part is still kept.
private struct NaiveLog {
    struct Message: Equatable {
        var content: DownlinkStream.Entry.Content
        var bytes: Int
        var at: Instant
    }
    var sent: [Message] = []
    /// Bytes of all before each.
    var totals = [0]
    /// The first message that is kept; those before it are gone for good.
    var kept = 0
    /// The first that has not gone out on this connection.
    var out = 0
    var isThere = true
    /// What control messages may still cost, of 24 times 16 ms; it comes back as time passes.
    var credit = Interval.milliseconds(24 * 16)
    var creditAt = Instant.zero
    /// What has gone out, by number, since this was emptied.
    var gone: [Int] = []

    var log: ArraySlice<Message> { sent[kept...] }
    var bytes = 0

    mutating func append(_ message: Message) {
        sent.append(message)
        totals.append(totals[totals.count - 1] + message.bytes)
        bytes += message.bytes
        flush(message.at)
        prune(message.at)
    }

    /// At most 48 KiB are under way, or one message; control messages go out at their pace.
    mutating func flush(_ now: Instant) {
        while isThere, out < sent.count {
            let underWay = totals[out] - totals[kept]
            guard underWay == 0 || underWay + sent[out].bytes <= 48 * 1024 else { return }
            credit = min(credit + (now - creditAt), .milliseconds(24 * 16))
            creditAt = now
            if case .control = sent[out].content, credit < .milliseconds(16) { return }
            goOut(now)
        }
    }

    private mutating func goOut(_ now: Instant) {
        credit = min(credit + (now - creditAt), .milliseconds(24 * 16))
        creditAt = now
        if case .control = sent[out].content { credit = credit - .milliseconds(16) }
        gone.append(out)
        out += 1
    }

    /// Whether it was sent to this puck, or to it before. −1 says that nothing has come yet.
    mutating func acknowledge(_ meant: Int) -> Bool {
        guard (-1..<out).contains(meant) else { return false }
        while kept <= meant { drop() }
        return true
    }

    mutating func prune(_ now: Instant) {
        while kept < sent.count,
            bytes > 512 * 1024 || sent.count - kept > 4_096 || now - sent[kept].at >= .seconds(30)
        {
            // The stream has no holes for a puck that is there.
            while isThere, out <= kept { goOut(now) }
            drop()
        }
    }

    mutating func drop() {
        bytes -= sent[kept].bytes
        kept += 1
        out = max(out, kept)
    }

    /// The puck is back, and lacks what begins here.
    mutating func replay(from first: Int, _ now: Instant) {
        while kept < first { drop() }
        out = first
        isThere = true
        flush(now)
    }

    /// The message that a number on the wire means: the newest that has it, unless it is as far away as one that comes.
    func meaning(_ serial: SerialNumber) -> Int {
        let behind = (sent.count - Int(serial.value)) & 0xFFFF
        return sent.count - (behind >= 32_768 ? behind - 65_536 : behind)
    }
}

func fuzzReplayLog(_ bytes: UnsafeRawBufferPointer) {
    var input = ByteReader(bytes)
    let connection = ConnectionID(1)
    var stream = DownlinkStream(epoch: 7, connection: connection)
    var naive = NaiveLog()
    var now = Instant.zero
    var effects: [HubEffect] = []
    // As often as it takes to wrap.
    var left = 70_000

    func expected(_ number: Int) -> HubEffect {
        let serial = SerialNumber(UInt16(truncatingIfNeeded: number))
        switch naive.sent[number].content {
        case .control(let control): return .send(connection, control, serial)
        case .audio(let playID, let packet): return .sendAudio(connection, playID: playID, packet: packet, serial)
        }
    }
    func sendAudio(_ size: Int) {
        let packet = stream.sent
        stream.sendAudio(playID: UInt32(packet / 100), packet: packet, byteCount: size, now: now, into: &effects)
        naive.append(
            .init(content: .audio(playID: UInt32(packet / 100), packet: packet), bytes: 9 + size, at: now))
        left -= 1
    }

    while !input.isAtEnd, left > 0 {
        left -= 1
        effects = []
        naive.gone = []
        switch input.below(10) {
        case 0:
            let control = HubControl.downPause(playID: UInt32(input.byte()))
            trace("control \(control)")
            stream.send(control, now: now, into: &effects)
            naive.append(.init(content: .control(control), bytes: HubLimits.streamControlBytes, at: now))
        case 1:
            let count = 1 + input.below(64)
            let size = 5 * input.byte()
            trace("\(count) packets of \(size) bytes")
            for _ in 0..<count { sendAudio(size) }
        case 2:
            let count = 32 * input.byte()
            trace("\(count) packets of 40 bytes, received at once")
            for _ in 0..<count {
                sendAudio(40)
                let isTaken = (try? stream.acknowledge(stream.next.advanced(by: -1))) != nil
                promise(isTaken == naive.acknowledge(naive.sent.count - 1), "the newest is taken, or was not sent yet")
            }
        case 3:
            now = now + .milliseconds(10 * input.byte())
            trace("at \(now.nanoseconds / 1_000_000) ms")
        case 4:
            now = now + .milliseconds(250 * input.byte())
            trace("at \(now.nanoseconds / 1_000_000) ms, pruned")
            stream.prune(now: now, into: &effects)
            naive.prune(now)
        case 5, 6:
            let serial = serialNumber(&input, near: stream.next)
            let meant = naive.meaning(serial)
            trace("acknowledge \(serial.value) (\(meant)) of \(stream.sent)")
            do throws(WireError) {
                let received = try stream.acknowledge(serial)
                promise(naive.acknowledge(meant), "\(serial.value) was never sent, and is accepted")
                promise(received == meant + 1, "received \(received), not \(meant + 1)")
                stream.flush(now: now, into: &effects)
                naive.flush(now)
            } catch {
                promise(!naive.acknowledge(meant), "\(serial.value) was sent, and is refused")
            }
        case 7:
            let serial = serialNumber(&input, near: stream.next)
            let meant = naive.meaning(serial)
            trace("missing from \(serial.value) (\(meant)) of \(stream.sent)")
            let missing = stream.missing(from: serial)
            let isThere = (naive.kept...naive.sent.count).contains(meant)
            promise(
                (missing != nil) == isThere, "missing from \(meant), kept from \(naive.kept) to \(naive.sent.count)")
            guard let missing else { break }
            promise(missing == naive.sent.count - meant, "\(missing) are missing")
            stream.connection = connection
            stream.replay(missing, now: now, into: &effects)
            naive.replay(from: meant, now)
        case 8:
            // Up to the bounds, which takes long.
            let count = 16 * input.byte()
            trace("\(count) packets of 5 bytes")
            for _ in 0..<count { sendAudio(5) }
            left -= 10 * count
        default:
            // It comes back by a replay.
            stream.connection = nil
            naive.isThere = false
            trace("away")
        }
        promise(effects == naive.gone.map(expected), "what is sent, again or not, is what was said, in order")
        promise(stream.sent == naive.sent.count, "\(stream.sent) were sent")
        promise(stream.next.value == UInt16(truncatingIfNeeded: naive.sent.count), "next")
        promise(stream.logBytes == naive.bytes && naive.bytes <= 512 * 1024, "\(stream.logBytes) bytes")
        promise(stream.log.count == naive.log.count && naive.log.count <= 4_096, "\(stream.log.count) messages")
        // All of a long log only now and then: it takes long.
        let compared = stream.log.count <= 64 || left % 16 == 0 ? stream.log.count : 1
        for (entry, message) in zip(stream.log.prefix(compared), naive.log) {
            promise(
                entry.content == message.content && entry.bytes == message.bytes && entry.loggedAt == message.at,
                "\(entry) is kept for \(message)")
        }
        promise(stream.expiry == naive.log.first.map { $0.at + .seconds(30) }, "expiry")
        for id in [0, stream.sent / 100, naive.kept / 100] {
            let isNeeded = naive.log.contains {
                if case .audio(let playID, _) = $0.content { return playID == UInt32(id) }
                return false
            }
            promise(stream.needs(UInt32(id)) == isNeeded, "whether play \(id) is needed")
        }
    }
}

/// Mostly one that could come; else any, or one from where up and down are equally far.
private func serialNumber(_ input: inout ByteReader, near next: SerialNumber) -> SerialNumber {
    switch input.below(8) {
    case 0: SerialNumber(UInt16(input.word()))
    case 1: next.advanced(by: 32_768 + input.below(16) - 8)
    case 2: next.advanced(by: -16 * input.byte())
    default: next.advanced(by: 4 - input.byte())
    }
}

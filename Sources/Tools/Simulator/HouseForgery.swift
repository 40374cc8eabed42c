import PuckBase
import PuckCore
import PuckWire

// A message that must not be there, and a look at what its receiver makes of it.

extension House {
    func forge(_ fault: Fault) {
        let all = Forgery.allCases
        let forgery = all[min(all.count - 1, Int(fault.choice * Double(all.count)))]
        guard let connection = network.living.last(where: { $0.puck == fault.puck && isTalking($0) }) else { return }
        let puck = pucks[fault.puck]
        if puck.isFrozen || hub.isFrozen { return }
        if forgery.replacesWelcome {
            tampers[puck.index] = forgery
            return network.reset(connection, keptUp: 0, keptDown: 0, tellPuck: true, tellHub: true)
        }
        guard let message = forged(forgery, connection, puck) else { return }
        note(.forged(fault.puck, connection.number))
        let refusals = observer.refusals
        if forgery.goesToHub {
            hub.received(message, connection, isForged: true)
        } else {
            puck.received(message, connection)
        }
        let isRefused = observer.refusals > refusals
        if forgery == .repeatedStreamMessage {
            if isRefused { observer.found(.conformance, puck.index, "a repeated message is refused, not dropped", now) }
        } else if !isRefused {
            observer.found(.conformance, puck.index, "\(forgery) is accepted", now)
        }
    }

    /// What the puck gets instead of a welcome, if it is to be deceived: a replay of something that it does not lack.
    func tampered(_ control: HubControl, _ connection: Connection) -> HubControl? {
        guard case .welcome(var welcome) = control, let forgery = tampers[connection.puck].take() else { return nil }
        let told = observer.puckSide(connection.puck)
        welcome.resume = .replayed
        welcome.epoch = told.epoch ?? 1
        welcome.from = told.nextHeard
        if forgery == .replayOfAnotherEpoch {
            welcome.epoch &+= 1
        } else {
            welcome.from = welcome.from.advanced(by: welcome.session % 2 == 0 ? 1 : -1)
        }
        note(.forged(connection.puck, connection.number))
        return .welcome(welcome)
    }

    private func isTalking(_ connection: Connection) -> Bool {
        connection.puckEnd == .open && connection.hubEnd == .open && pucks[connection.puck].isConnected && hub.isRunning
    }

    /// Nil where such a message would be in order, or nothing like it fits.
    private func forged(_ forgery: Forgery, _ connection: Connection, _ puck: SimulatedPuck) -> Message? {
        let seen = observer.dialogue(connection.number)
        let told = observer.puckSide(puck.index)
        let heard = observer.hubSide(puck.index)
        let now = forgery.goesToHub ? puck.localNow : hub.localNow
        switch forgery {
        case .secondWelcome:
            let welcome = Welcome(
                session: 1, epoch: 1, resume: .none, from: .zero, pingMilliseconds: 5000, replayMilliseconds: 0)
            return .from(hub: .welcome(welcome), .zero, sentAt: now)
        case .streamGap:
            return .from(hub: .phase(conversationID: "forged", phase: .idle), told.nextHeard.next, sentAt: now)
        case .acknowledgementAhead:
            guard let id = told.granted, puck.core.phase == .listening || puck.core.phase == .thinking else {
                return nil
            }
            return .from(
                hub: .uplinkAck(conversationID: id, next: SerialNumber.zero.advanced(by: told.sentPackets + 1)), .zero,
                sentAt: now)
        case .repeatedStreamMessage:
            guard let (last, sequence) = told.lastHeard else { return nil }
            return .answer(last, sequence, sentAt: now)
        case .replayOfAnotherEpoch, .replayFromAnotherPlace: return nil
        case .secondHello:
            return .from(
                puck: .hello(
                    Hello(
                        puckID: puck.setup.name, room: "", group: puck.setup.group, software: "forged",
                        phrases: ["puck"])), sentAt: now)
        case .playedAhead:
            return .from(
                puck: .played(
                    Played(sequence: seen.nextSent, playID: 0, positionMilliseconds: 0, bufferedMilliseconds: 0)),
                sentAt: now)
        case .foreignPhrase:
            return .from(
                puck: .wakeCandidate(
                    WakeCandidate(
                        wakeID: .max, phrase: "forged", onsetMilliseconds: 0, snrDecibels: 20, levelDecibels: -30,
                        noiseDecibels: -50, confidence: 1)), sentAt: now)
        case .audioWithoutGrant:
            return seen.wasEverGranted ? nil : .sound(Sound(recording: -1, index: 0), .zero, sentAt: now)
        case .audioGap:
            guard heard.listenedTo != nil, heard.heardPackets > 0 else { return nil }
            return .sound(
                Sound(recording: -1, index: 0), SerialNumber.zero.advanced(by: heard.heardPackets + 3),
                sentAt: now)
        }
    }
}

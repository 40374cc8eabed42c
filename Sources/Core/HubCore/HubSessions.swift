import PuckBase
import PuckWire

// Sessions: who is connected, what arrives from them, and how they end.

extension Hub {
    /// Runs `body` for a connection that is still known, with its session's position; what it throws is told to the puck
    /// and ends the session.
    mutating func attempt(
        _ id: ConnectionID, now: Instant, into effects: inout [HubEffect],
        _ body: (inout Hub, _ position: Int, inout [HubEffect]) throws(WireError) -> Void
    ) {
        guard let i = sessions.position(of: id) else { return }
        sessions.values[i].heard(now: now)
        do {
            try body(&self, i, &effects)
        } catch {
            return fail(id, error, now: now, into: &effects)
        }
        if let i = sessions.position(of: id) { consider(sessions.values[i].deadlines.next) }
    }

    mutating func received(
        _ id: ConnectionID, at i: Int, _ control: PuckControl, now: Instant, into effects: inout [HubEffect]
    ) throws(WireError) {
        try sessions.values[i].countControl(now: now)
        switch control {
        case .hello(let hello):
            try greet(id, at: i, hello, now: now, into: &effects)
        case .wakeCandidate(let wake):
            try sessions.values[i].requireLive("wake_candidate")
            try receivedCandidate(id, sessions.values[i].live!, wake, now: now, into: &effects)
        case .uplinkEnd(let end):
            try sessions.values[i].requireLive("up_end")
            try uplinkEnded(id, sessions.values[i].live!.puckID, end, now: now, into: &effects)
        case .played(let played):
            try sessions.values[i].requireLive("played")
            let puckID = sessions.values[i].live!.puckID
            let received = try pucks[known: puckID].stream.acknowledge(played.sequence)
            try pucks[known: puckID].playout.checkPace(played, now: now)
            withPuck(puckID, now: now, into: &effects) { puck, ahead, effects in
                puck.stream.flush(now: now, into: &effects)
                puck.playout.report(
                    played, received: received, stream: &puck.stream, ahead: ahead, now: now, into: &effects)
            }
        case .status(let status):
            try sessions.values[i].requireLive("status")
            sessions.values[i].live!.status = status
        case .ping(let ping):
            try sessions.values[i].requireLive("ping")
            let milliseconds = now.clockMilliseconds
            effects.append(.send(id, .pong(Pong(t0: ping.t0, t1: milliseconds, t2: milliseconds)), .zero))
        case .pong(let pong):
            try sessions.values[i].requireLive("pong")
            receivedPong(id, at: i, pong, now: now, into: &effects)
        case .trusts(let certificates):
            try sessions.values[i].requireLive("trusts")
            sessions.values[i].live!.trusts = certificates
        case .unknown(let op):
            try sessions.values[i].requireLive(op)
            effects.append(.log(LogRecord(.debug, "session.unknown_op", about(id) + [LogField("op", op)])))
        }
    }

    private mutating func greet(
        _ id: ConnectionID, at i: Int, _ hello: Hello, now: Instant, into effects: inout [HubEffect]
    ) throws(WireError) {
        try refuseDuplicate(at: i, hello, now: now, into: &effects)
        try sessions.values[i].greet(hello, now: now)
        members[hello.group, default: []].append(id)
        if hello.isProbe {
            var welcome = self.welcome(id)
            welcome.epoch = 0
            effects.append(.send(id, .welcome(welcome), .zero))
            return close(id, reason: "probe answered", now: now, into: &effects)
        }
        // The new connection wins: a half-open socket must not lock a puck out.
        if let other = pucks[hello.puckID]?.connection {
            noteReplaced(other, by: i, hello, now: now)
            let peer = sessions.values[i].peer
            close(
                other,
                reason: "replaced by a new connection of the same puck" + (peer.isEmpty ? "" : ", from \(peer)"),
                now: now, into: &effects)
        }
        let welcome = resume(id, hello, now: now, into: &effects)
        effects.append(
            .log(
                LogRecord(
                    .info, "session.open",
                    about(id) + [
                        LogField("room", hello.room), LogField("group", hello.group),
                        LogField("version", hello.software), LogField("resume", welcome.resume.rawValue),
                    ])))
        sendPing(id, now: now, into: &effects)
    }

    private mutating func receivedPong(
        _ id: ConnectionID, at i: Int, _ pong: Pong, now: Instant, into effects: inout [HubEffect]
    ) {
        guard sessions.values[i].live!.clock.received(pong, now: now), let best = sessions.values[i].live!.clock.best
        else { return }
        effects.append(
            .log(
                LogRecord(
                    .debug, "session.clock",
                    about(id) + [
                        LogField("offset_ms", fixed(best.offsetMilliseconds, 3)),
                        LogField("error_ms", fixed(best.errorMilliseconds(at: now), 3)),
                    ])))
    }

    private mutating func sendPing(_ id: ConnectionID, now: Instant, into effects: inout [HubEffect]) {
        guard let i = sessions.position(of: id) else { preconditionFailure("a ping goes to an open session") }
        sessions.values[i].deadlines[.ping] = now + HubLimits.pingEvery
        effects.append(.send(id, .ping(sessions.values[i].live!.clock.ping(now: now)), .zero))
    }

    mutating func expireSession(_ id: ConnectionID, now: Instant, into effects: inout [HubEffect]) {
        // Each deadline is re-armed beyond `now` or gone, so this ends after at most three rounds.
        while let i = sessions.position(of: id), let deadline = sessions.values[i].deadlines.takeExpired(at: now) {
            switch deadline {
            case .hello:
                let seconds = HubLimits.helloWithin.wholeMilliseconds / 1000
                fail(id, WireError(.unexpected, "no hello within \(seconds) s"), now: now, into: &effects)
            case .ping:
                sendPing(id, now: now, into: &effects)
            case .silence:
                let seconds = HubLimits.silentFor.wholeMilliseconds / 1000
                close(id, reason: "nothing received for \(seconds) s", now: now, into: &effects)
            }
        }
    }

    // MARK: Ends of a session

    mutating func fail(_ id: ConnectionID, _ error: WireError, now: Instant, into effects: inout [HubEffect]) {
        guard sessions[id] != nil else { return }
        effects.append(
            .log(
                LogRecord(
                    error.code == .duplicate ? .info : .warning, "session.error",
                    about(id) + [LogField("code", error.code.name), LogField("detail", error.detail)])))
        effects.append(.fail(id, error))
        let puckID = sessions[id]!.live?.puckID
        forgetSession(id, reason: error.code.name, now: now, into: &effects)
        // What is kept for a puck that broke the protocol cannot be trusted to fit: it begins anew.
        if let puckID {
            forgetPuck(
                puckID, error.code == .auth ? error.detail : "the puck broke the protocol (\(error.code.name))",
                now: now, into: &effects)
        }
    }

    mutating func peerFailed(_ id: ConnectionID, _ error: WireError, now: Instant, into effects: inout [HubEffect]) {
        guard sessions[id] != nil else { return }
        effects.append(
            .log(
                LogRecord(
                    .warning, "session.peer_error",
                    about(id) + [LogField("code", error.code.name), LogField("detail", error.detail)])))
        let puckID = sessions[id]!.live?.puckID
        close(id, reason: "the puck reported \(error.code.name)", now: now, into: &effects)
        // Whatever it refused would come again with a replay.
        if let puckID { forgetPuck(puckID, "the puck reported \(error.code.name)", now: now, into: &effects) }
    }

    mutating func close(_ id: ConnectionID, reason: String, now: Instant, into effects: inout [HubEffect]) {
        guard sessions[id] != nil else { return }
        effects.append(.close(id, reason: reason))
        forgetSession(id, reason: reason, now: now, into: &effects)
    }

    /// Takes the session out, with its candidate; what the puck may come back for stays. Logged once, whatever the cause.
    mutating func forgetSession(_ id: ConnectionID, reason: String, now: Instant, into effects: inout [HubEffect]) {
        guard let i = sessions.position(of: id) else { return }
        let live = sessions.values[i].live
        arbitration.remove(id)
        effects.append(.log(LogRecord(.info, "session.close", about(id) + [LogField("reason", reason)])))
        if let live {
            anyWindowTouched = true
            members[live.group]?.removeAll { $0 == id }
            if members[live.group]?.isEmpty ?? false { members[live.group] = nil }
        }
        sessions[id] = nil
        if let puckID = live?.puckID, pucks[puckID]?.connection == id {
            puckLeft(puckID, now: now, into: &effects)
        }
    }

    /// Who a log line is about.
    func about(_ id: ConnectionID) -> [LogField] {
        let name = sessions[id].map { $0.live?.puckID ?? $0.tokenName } ?? "?"
        return [LogField("puck", name), LogField("connection", "\(id.number)")]
    }
}

import PuckAudio
import PuckBase
import PuckWire

// The link: one WebSocket, its greeting, its keep-alive, and the pauses between attempts.

extension Puck {
    mutating func start(_ now: Instant, _ effects: inout [PuckEffect]) {
        startedAt = now
        deadlines[.offline] = now + Self.offlineAfter
        effects.append(.setVolume(volume))
        connect(now, &effects)
    }

    /// There is no hub to go to: nothing is tried until `.hubChanged`.
    mutating func startAlone(_ now: Instant, _ effects: inout [PuckEffect]) {
        startedAt = now
        isUnpaired = true
        effects.append(.setVolume(volume))
    }

    /// A puck that was paired begins anew with the hub that it has now.
    mutating func hubChanged(_ now: Instant, _ effects: inout [PuckEffect]) {
        isUnpaired = false
        endPairing(.joined, &effects)
        dropLink("paired", now, &effects)
        backoff.reset()
        hubSearch = HubSearch()
        deadlines.clear(.hubSearch)
        deadlines.clear(.reconnect)
        deadlines[.offline] = now + Self.offlineAfter
        connect(now, &effects)
    }

    mutating func connect(_ now: Instant, _ effects: inout [PuckEffect]) {
        link = .connecting
        networkIsNew = false
        let isResuming = mayResumeUtterance(now)
        deadlines[.connecting] = now + (isResuming ? Self.resumeConnectTimeout : Self.connectTimeout)
        hubSearch.aim(again: isResuming)
        effects.append(.openSocket(to: hubSearch.target))
    }

    mutating func socketOpened(_ now: Instant, _ effects: inout [PuckEffect]) {
        guard link == .connecting else { return }  // it was given up in the meantime
        link = .greeting
        deadlines.clear(.connecting)
        deadlines[.greeting] = now + Self.greetingTimeout
        effects.append(
            .send(
                .hello(
                    Hello(
                        puckID: identity.puckID, room: identity.room, group: identity.group,
                        software: identity.software, phrases: [identity.phrase],
                        resume: downlink.epoch.map { Hello.Resume(epoch: $0, sequence: downlink.expected) },
                        uplink: uplinkToResume, plays: playsToResume, keepsToken: identity.keepsToken,
                        trusts: identity.trusts, instance: identity.instance))))
    }

    /// While an utterance can still be resumed, every tenth of a second counts.
    private func mayResumeUtterance(_ now: Instant) -> Bool {
        guard uplinkToResume != nil, window.count > 0, let lostAt else { return false }
        return now - lostAt < Self.resumeWithin
    }

    mutating func socketClosed(
        _ reason: String, _ reachedHub: Bool, _ isHub: Bool, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        guard link != .down else { return }
        linkLost(reason, reachedHub: reachedHub, isHub: isHub, now, &effects)
    }

    /// Closes the socket from this side; the transport need not report it.
    mutating func dropLink(
        _ reason: String, isDuplicate: Bool = false, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        guard link != .down else { return }
        effects.append(.closeSocket)
        linkLost(reason, isDuplicate: isDuplicate, now, &effects)
    }

    /// The hub broke the protocol: say so, then close.
    mutating func refuse(_ error: WireError, _ now: Instant, _ effects: inout [PuckEffect]) {
        guard link == .greeting || link == .up else { return }
        effects.append(.sendError(error))
        effects.append(
            .log(
                LogRecord(
                    .error, "link.protocol_error",
                    [.init("code", error.code.name), .init("detail", error.detail)])))
        dropLink("protocol-error", now, &effects)
    }

    private mutating func linkLost(
        _ reason: String, reachedHub: Bool = false, isHub: Bool = false, isDuplicate: Bool = false, _ now: Instant,
        _ effects: inout [PuckEffect]
    ) {
        let wasUp = link == .up
        let wasOpen = link != .connecting
        link = .down
        for deadline in [Deadline.connecting, .greeting, .ping, .silence, .stable, .statusReport, .playedReport] {
            deadlines.clear(deadline)
        }
        if wasUp {
            deadlines[.offline] = now + Self.offlineAfter
            lostAt = now
        }
        var pause: Interval
        if mayResumeUtterance(now) {
            pause = Self.resumePause
        } else {
            // Who was reached makes the other candidates needless.
            let isNextCandidate = hubSearch.hasCandidates && !wasOpen && !reachedHub
            pause = isNextCandidate ? candidatePause() : backoff.nextPause(using: &random)
        }
        if networkIsNew { pause = min(pause, networkPause()) }
        if isDuplicate { pause = max(pause, duplicatePause()) }
        deadlines[.reconnect] = now + pause
        effects.append(
            .log(
                LogRecord(
                    wasUp ? .warning : .notice, wasUp ? "link.disconnected" : "link.failed",
                    [
                        .init("reason", reason), .init("attempt", backoff.attempt),
                        .init("retry_in_ms", pause.wholeMilliseconds),
                    ])))
        if wasUp {
            turnLostLink(now, &effects)
            playbackLostLink(now)
        } else {
            attemptFailed(reachedHub: reachedHub || wasOpen, isHub: isHub || wasOpen, now, &effects)
        }
    }

    /// Cuts a long pause short; the row of pauses goes on where it was.
    mutating func networkChanged(_ now: Instant, _ effects: inout [PuckEffect]) {
        // An attempt that is under way was begun on the old network: if it fails, the next one comes soon.
        if link == .connecting || link == .greeting { networkIsNew = true }
        guard link == .down, let planned = deadlines[.reconnect] else { return }
        let soon = now + networkPause()
        guard soon < planned else { return }
        deadlines[.reconnect] = soon
        effects.append(
            .log(
                LogRecord(.info, "link.network_changed", [.init("retry_in_ms", (soon - now).wholeMilliseconds)])))
    }

    private mutating func duplicatePause() -> Interval {
        let doublings = min(max(0, duplicateRefusals - 1), 4)
        let nominal = min(Self.duplicatePause * (1 << doublings), Self.longestDuplicatePause)
        return Interval(
            nanoseconds: nominal.nanoseconds + Int64(random.nextSigned() * Double(nominal.nanoseconds) / 10))
    }

    private mutating func networkPause() -> Interval {
        Interval(nanoseconds: Int64(Double(Self.networkSettles.nanoseconds) * (1 + random.nextSigned())))
    }

    mutating func controlReceived(
        _ control: HubControl, _ sequence: SerialNumber, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        guard link == .greeting || link == .up else { return }
        heardFromHub(now)
        // A replay brings in a moment what a minute has collected; it is bounded by the hub's log.
        let isAdmitted = control.isStreamed ? streamRate.admit(now: now) : controlRate.admit(now: now)
        guard isAdmitted else {
            let limit = control.isStreamed ? Self.streamControlsPerSecond : Self.controlsPerSecond
            return refuse(WireError(.rateLimit, "more than \(limit) control messages in a second"), now, &effects)
        }
        if case .welcome(let welcome) = control { return welcomed(welcome, now, &effects) }
        guard link == .up else {
            return refuse(WireError(.unexpected, "the first message to a puck is welcome"), now, &effects)
        }
        if control.isStreamed { return streamControlReceived(control, sequence, now, &effects) }
        switch control {
        case .grant(let wakeID, let conversationID): granted(wakeID, conversationID, now, &effects)
        case .cancel(let wakeID, let reason): cancelled(wakeID, reason, now, &effects)
        case .uplinkAck(let conversationID, let next): acknowledged(conversationID, next, now, &effects)
        case .listenStop(let conversationID, _): listenStopped(conversationID, now, &effects)
        case .set(let volume, let muted):
            if let volume { changeVolume(volume, now, &effects) }
            if let muted { mutedByTheHub(muted, now, &effects) }
        case .token(let token): effects.append(.keepToken(token))
        case .trust(let certificates): effects.append(.keepTrust(certificates))
        case .ping(let ping):
            let t = now.clockMilliseconds
            effects.append(.send(.pong(Pong(t0: ping.t0, t1: t, t2: t))))
        case .pong(let pong):
            let roundTrip = Double(now.nanoseconds) / 1e6 - pong.t0 - (pong.t2 - pong.t1)
            if roundTrip.isFinite { roundTrips.add(max(0, roundTrip), at: now) }
        case .unknown(let op, _): logUnknown(op, &effects)
        case .welcome, .phase, .downStart, .downStop, .downPause, .downResume, .earcon: break  // handled above
        }
    }

    func logUnknown(_ op: String, _ effects: inout [PuckEffect]) {
        effects.append(.log(LogRecord(.debug, "link.unknown_operation", [.init("op", op)])))
    }

    private mutating func welcomed(_ welcome: Welcome, _ now: Instant, _ effects: inout [PuckEffect]) {
        guard link == .greeting else {
            return refuse(WireError(.unexpected, "a second welcome"), now, &effects)
        }
        let isReplay = welcome.resume == .replayed
        let isElsewhere = welcome.epoch != downlink.epoch || welcome.from != downlink.expected
        if isReplay, isElsewhere {
            return refuse(
                WireError(.unexpected, "the hub replays from another place than was asked for"), now, &effects)
        }
        link = .up
        roundTrips.removeAll()
        networkIsNew = false
        lostAt = nil
        everConnected = true
        deadlines.clear(.greeting)
        deadlines.clear(.offline)
        deadlines[.stable] = now + Backoff.stableAfter
        // Never so seldom that the hub would take silence for death.
        pingEvery = min(.milliseconds(welcome.pingMilliseconds), Self.pingEvery)
        deadlines[.ping] = now + pingEvery
        if !isReplay { downlink.begin(epoch: welcome.epoch, from: welcome.from) }
        keepHub(&effects)
        effects.append(
            .log(
                LogRecord(
                    .notice, "link.up",
                    [
                        .init("session", welcome.session), .init("resume", welcome.resume.rawValue),
                        .init("after_ms", (now - startedAt).wholeMilliseconds),
                    ])))
        if isOffline {
            isOffline = false
            playEarcon(.online, &effects)
        }
        reportStatus(now, &effects)
        if isReplay {
            playbackGoesOn(now, &effects)
        } else {
            playbackIsOrphaned(silenced: welcome.floor != nil, now, &effects)
        }
        turnGotLink(welcome, now, &effects)
    }

    mutating func trustKept(_ certificates: [String], _ effects: inout [PuckEffect]) {
        identity.trusts = certificates
        if link == .up { effects.append(.send(.trusts(certificates))) }
    }

    /// Anything at all from the hub proves it alive; half-open sockets die within 10 s.
    mutating func heardFromHub(_ now: Instant) { deadlines[.silence] = now + Self.silenceLimit }

    mutating func sendPing(_ now: Instant, _ effects: inout [PuckEffect]) {
        deadlines[.ping] = now + pingEvery
        effects.append(.send(.ping(Ping(t0: now.clockMilliseconds))))
    }

    mutating func wentOffline(_ effects: inout [PuckEffect]) {
        isOffline = true
        effects.append(.log(LogRecord(.warning, "link.offline", [.init("attempts", backoff.attempt)])))
        playEarcon(.offline, &effects)
    }

    mutating func reportStatus(_ now: Instant, _ effects: inout [PuckEffect]) {
        guard link == .up else { return }
        deadlines[.statusReport] = now + Self.statusEvery
        let status = PuckStatus(
            phase: phase.rawValue, muted: muted, volume: volume, xruns: min(xruns, Int(Int32.max)),
            gapMilliseconds: WireLimits.milliseconds(ofSamples: gapSamples), captureOK: captureOK,
            playbackOK: playbackOK,
            uptimeSeconds: Int(clamping: max(0, (now - startedAt).wholeMilliseconds / 1000)))
        effects.append(.send(.status(status)))
    }
}

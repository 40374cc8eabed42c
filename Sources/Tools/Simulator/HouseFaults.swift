import PuckBase

// What the faults do.

extension House {
    /// How long after its end a fault may still be felt: a half-open socket is noticed after 10 s of silence, and what
    /// was held back arrives up to 3 s late.
    static let aftermath = Interval.seconds(13)

    /// A fault's time has come: it strikes, or begins to wait for what it is aimed at.
    func faultCame(_ place: Int, _ event: ScheduledEvent) {
        let fault = scenario.faults[place]
        if fault.aim != .blind, fault.kind != .copiedCard, event.number == 0 { return aimed[fault.puck].append(place) }
        strike(fault, event)
    }

    /// What faults may be waiting for.
    func release(_ aim: Aim, _ puck: Int) {
        if aimed[puck].isEmpty { return }
        aimed[puck].removeAll { place in
            let fault = scenario.faults[place]
            guard fault.aim == aim else { return false }
            let at = now + fault.offset
            if at < scenario.healAt { queue.schedule(.fault, at: at, subject: place, number: 1) }
            return true
        }
    }

    private func strike(_ drawn: Fault, _ event: ScheduledEvent) {
        var fault = drawn
        fault.at = now
        fault.duration = min(drawn.duration, scenario.healAt - now)
        if isDropped(fault) { return }
        let puck = pucks[fault.puck]
        switch fault.kind {
        case .captureGap, .captureLoss, .playbackLoss, .speakerStall:
            if puck.isFrozen { return postpone(event, to: puck.frozenUntil) }
        default: break
        }
        faultsStruck += 1
        let end = fault.end + Self.aftermath
        if fault.kind.concernsHub {
            for i in pucks.indices { observer.disturbances.disturb(i, until: end) }
        } else if fault.kind != .hubDiskFull {
            observer.disturbances.disturb(fault.puck, until: end)
        }
        note(.faultStruck(fault))
        switch fault.kind {
        case .stall, .partition, .partitionUp, .partitionDown, .slowReader, .refusal: strikePath(fault)
        case .halfOpen, .reset: strikeConnection(fault)
        case .networkChange: changeNetwork(fault)
        case .puckRestart, .puckPowerLoss:
            puck.end(powerLost: fault.kind == .puckPowerLoss)
            queue.schedule(.puckStarts, at: fault.end, subject: fault.puck)
        case .puckFreeze, .loopStall, .puckSuspend: freeze(puck, fault)
        case .hubRestart, .hubPowerLoss:
            hub.end(powerLost: fault.kind == .hubPowerLoss)
            queue.schedule(.hubStarts, at: fault.end)
        case .hubMove:
            hub.end(powerLost: true)
            hub.move()
            queue.schedule(.hubStarts, at: fault.end)
        case .hubFreeze:
            hub.freeze(until: fault.end)
            queue.schedule(.hubThaws, at: fault.end)
        case .clockDrift:
            setDrift(puck, ppm: 2000 * fault.choice - 1000)
            queue.schedule(.driftEnds, at: fault.end, subject: fault.puck)
        case .captureGap, .captureLoss, .playbackLoss, .speakerStall: strikeDevice(puck, fault)
        case .forgery: forge(fault)
        case .copiedCard: switchCopyOn(fault)
        case .hubDiskFull: fillDisk(fault)
        }
    }

    private func strikePath(_ fault: Fault) {
        let puck = fault.puck
        // After a short stall the first retransmission is near; after a long one, up to 3 s away.
        let recovery = min(fault.duration, .seconds(3))
        let late = Interval.seconds(exactly: recovery.inSeconds * fault.secondChoice)
        let isUp: Bool
        let isDown: Bool
        switch fault.kind {
        case .partitionUp: (isUp, isDown) = (true, false)
        case .partitionDown: (isUp, isDown) = (false, true)
        case .stall: (isUp, isDown) = (fault.choice < 0.7, fault.choice > 0.4)
        case .slowReader:
            // A few packets a second to ten times what speech needs.
            let rate = Int(500 + 40_000 * fault.secondChoice * fault.secondChoice)
            if fault.choice < 0.4 { network.up[puck].slow(rate, until: fault.end) }
            if fault.choice > 0.3 { network.down[puck].slow(rate, until: fault.end) }
            return
        case .refusal:
            network.refusedUntil[puck] = fault.end
            for connection in network.living where connection.puck == puck && connection.puckEnd == .open {
                network.reset(connection, keptUp: 1_000, keptDown: 1_000, tellPuck: true, tellHub: true)
            }
            return
        default: (isUp, isDown) = (true, true)
        }
        if isUp { network.up[puck].block(until: fault.end, recovery: late) }
        if isDown { network.down[puck].block(until: fault.end, recovery: late) }
    }

    private func strikeConnection(_ fault: Fault) {
        for connection in network.living where connection.puck == fault.puck && connection.puckEnd == .open {
            let keptUp = Int(fault.choice * Double(connection.up.messages.count + 1))
            let keptDown = Int(fault.choice * Double(connection.down.messages.count + 1))
            let isHalfOpen = fault.kind == .halfOpen
            let told = fault.secondChoice
            network.reset(
                connection, keptUp: keptUp, keptDown: keptDown, tellPuck: !isHalfOpen && told < 0.75,
                tellHub: !isHalfOpen && (told < 0.5 || told >= 0.75))
        }
    }

    /// Now and then the system only says so, and nothing else happens.
    private func changeNetwork(_ fault: Fault) {
        if fault.secondChoice > 0.2 {
            for connection in network.living where connection.puck == fault.puck && connection.puckEnd == .open {
                network.reset(connection, keptUp: 0, keptDown: 0, tellPuck: fault.choice < 0.7, tellHub: false)
            }
            network.up[fault.puck].block(until: fault.end, recovery: .zero)
        }
        queue.schedule(.networkChanged, at: fault.end, subject: fault.puck)
    }

    // MARK: Standing still

    private func freeze(_ puck: SimulatedPuck, _ fault: Fault) {
        guard puck.isRunning, !puck.isFrozen else { return }
        puck.hearWhatWasPlayed(puck.localNow)
        puck.freeze(until: fault.end, as: fault.kind)
        if fault.kind == .puckSuspend { puck.clock.stand(at: now) }
        queue.schedule(.puckThaws, at: fault.end, subject: fault.puck)
    }

    func puckThaws(_ puck: SimulatedPuck) {
        guard let freeze = puck.takeFreeze() else { return }
        if freeze.kind == .puckSuspend { puck.clock.goOn(at: now) }
        puck.thaw(after: now - freeze.since, as: freeze.kind)
        puck.rearm()
    }

    func hubThaws() {
        guard hub.isRunning, !hub.isFrozen else { return }
        hub.note(.hubThawed)
        hub.rearm()
    }

    func setDrift(_ puck: SimulatedPuck, ppm: Double) {
        // A clock that stands has no rate; it keeps the one it had.
        if puck.isFrozen { return }
        puck.clock.setDrift(ppm: ppm, at: now)
        puck.rearm()
    }

    // MARK: Devices

    private func strikeDevice(_ puck: SimulatedPuck, _ fault: Fault) {
        guard puck.isRunning else { return }
        switch fault.kind {
        case .captureGap: puck.captureGap(fault.duration)
        case .captureLoss:
            guard puck.captureWorks else { return }
            puck.captureBreaks()
            queue.schedule(.captureReturns, at: fault.end, subject: fault.puck)
        case .playbackLoss:
            guard puck.playbackWorks else { return }
            puck.playbackBreaks()
            queue.schedule(.playbackReturns, at: fault.end, subject: fault.puck)
        default: puck.speakerHolds(for: fault.duration)
        }
    }
}

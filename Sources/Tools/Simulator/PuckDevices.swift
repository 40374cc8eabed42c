import PuckAudio
import PuckBase
import PuckCore

/// What a puck's microphone hears of somebody.
struct HeardSpeech {
    var speech: Speech
    /// Of the house.
    var onset: Instant
    var snrDecibels: Double
    /// Where in the speech the last question was; it only moves on.
    var cursor = 0

    /// Whether somebody is speaking at that moment.
    mutating func sounds(at time: Instant) -> Bool {
        let offset = time - onset
        while cursor < speech.sounds.count, speech.sounds[cursor].upperBound <= offset { cursor += 1 }
        return cursor < speech.sounds.count && speech.sounds[cursor].lowerBound <= offset
    }
}

// The microphone and the loudspeaker at work, and what breaks on them.

extension SimulatedPuck {
    static let noiseDecibels: Float = -62

    /// A packet is whole, or the encoder's next turn has come.
    func microphoneTurn(_ recording: Int) {
        guard isRunning, microphone.isRunning, Int(microphone.recording) == recording else { return }
        let lost = microphone.skipLost(localNow)
        if lost > 0 {
            note(.captureGap(index, lost))
            perform(.captureGap(samples: lost))
        }
        var budget = Microphone.packetsPerTurn
        while budget > 0, microphone.isRunning, Int(microphone.recording) == recording, microphone.waiting(localNow) > 0
        {
            budget -= 1
            encodeOne()
        }
        guard microphone.isRunning, Int(microphone.recording) == recording else { return }
        let next = microphone.waiting(localNow) > 0 ? house.now + .milliseconds(2) : clock.house(microphone.nextIsWhole)
        house.queue.schedule(.microphone, at: max(next, house.now), subject: index, number: recording)
    }

    private func encodeOne() {
        let began = clock.house(microphone.began(microphone.next))
        var level = Self.noiseDecibels
        if speech?.sounds(at: began) ?? false { level = Self.noiseDecibels + Float(speech!.snrDecibels) }
        if background?.sounds(at: began) ?? false {
            level = max(level, Self.noiseDecibels + Float(background!.snrDecibels))
        }
        let sound = microphone.encode(into: UplinkWindow.slot(of: core.nextPacket))
        note(.encoded(index, sound))
        perform(.packetEncoded(levelDecibels: level))
    }

    /// As the level detector has it: 0.5 at its threshold of 10 dB, and a tenth more for each 4 dB.
    static func confidence(snrDecibels: Double) -> Float {
        min(1, max(0, 0.5 + (Float(snrDecibels) - 10) / 40))
    }

    /// A wake word was found: somebody's, or a television's.
    func wakeFound(onset: Instant, snrDecibels: Double, isPerson: Bool) {
        guard isRunning, captureWorks, !core.isMuted else { return }
        let local = clock.local(onset)
        let confidence = Self.confidence(snrDecibels: snrDecibels)
        note(.wakeFound(index, confidence: confidence, isPerson: isPerson))
        let finding = WakeFinding(
            onset: Self.position(of: local), levelDecibels: Self.noiseDecibels + Float(snrDecibels),
            noiseDecibels: Self.noiseDecibels, confidence: confidence)
        // Every fourth is of a make that sends no envelope.
        let quiet = Int8(Self.noiseDecibels)
        let loud = Int8(max(-120, min(0, finding.levelDecibels)))
        let envelope = index % 4 == 3 ? [] : (0..<28).map { $0 < 12 ? quiet : loud }
        perform(.wakeHeard(finding, onset: local, envelope: envelope))
    }

    func buttonPressed() {
        perform(.talkRequested(position: Self.position(of: localNow)))
    }

    func networkChanged() {
        guard isRunning else { return }
        note(.networkChanged(index))
        perform(.networkChanged)
    }

    // MARK: Capture faults

    func captureGap(_ length: Interval) {
        guard isRunning, captureWorks else { return }
        let samples = length.nanoseconds / 62_500
        perform(.captureOverrun(missingSamples: samples))
        guard microphone.isRunning else { return }
        microphone.lose(packets: Int(samples / 320) + 1)
        note(.captureGap(index, samples))
        perform(.captureGap(samples: samples))
    }

    func captureBreaks() {
        captureWorks = false
        note(.captureWorks(index, false))
        microphone.stop()
        perform(.captureLost)
    }

    func captureReturns() {
        captureWorks = true
        note(.captureWorks(index, true))
        perform(.captureRestored)
    }

    /// The process goes on after it stood for `length`.
    func thaw(after length: Interval, as kind: FaultKind) {
        guard isRunning else { return }
        note(.puckThawed(index))
        // The hardware holds 100 ms for a program that does not come; a machine that slept lost its place.
        let held = Interval.milliseconds(100)
        switch kind {
        case .puckFreeze:
            loudspeaker.delay(by: length)
            if length > held { captureGap(length - held) }
        case .puckSuspend: captureGap(held)
        default: break  // the loop stood, the devices did not
        }
    }

    // MARK: Loudspeaker

    func hearWhatWasPlayed(_ now: Instant) {
        if !playbackWorks { return }
        while let packet = loudspeaker.takeHeard(now) { note(.played(index, packet)) }
    }

    func scheduleReport(_ now: Instant) {
        guard playbackWorks, let at = loudspeaker.nextReport(now) else { return }
        if let reportAt = loudspeaker.reportAt, reportAt <= at, reportAt > now { return }
        loudspeaker.reportAt = at
        house.queue.schedule(
            .loudspeaker, at: max(clock.house(at), house.now), subject: index, number: loudspeaker.active.play)
    }

    /// A report is due.
    func loudspeakerTurn(_ play: Int) {
        func isCurrent() -> Bool { loudspeaker.isPlaying && loudspeaker.active.play == play }
        guard isRunning, isCurrent(), playbackWorks else { return }
        let now = localNow
        guard let reportAt = loudspeaker.reportAt else { return }
        // The clock runs at another rate since this was planned.
        if reportAt > now {
            return house.queue.schedule(
                .loudspeaker, at: max(clock.house(reportAt), house.now), subject: index, number: play)
        }
        loudspeaker.reportAt = nil
        hearWhatWasPlayed(now)
        perform(.playbackAdvanced(samples: loudspeaker.active.heardSamples(now)))
        guard isCurrent() else { return }
        if loudspeaker.active.isDrained {
            loudspeaker.stop()
            note(.playDrained(index))
            return perform(.playbackDrained)
        }
        if loudspeaker.takeStarved() {
            note(.playStarved(index))
            perform(.playbackStarved)
        }
        if isCurrent() { scheduleReport(now) }
    }

    func playbackBreaks() {
        playbackWorks = false
        note(.playbackWorks(index, false))
        loudspeaker.stopAll()
        perform(.playbackLost)
    }

    func playbackReturns() {
        playbackWorks = true
        note(.playbackWorks(index, true))
        perform(.playbackRestored)
    }

    func speakerHolds(for length: Interval) {
        let now = localNow
        hearWhatWasPlayed(now)
        loudspeaker.delay(by: length)
    }
}

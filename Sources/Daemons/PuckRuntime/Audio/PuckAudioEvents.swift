import ALSADevice
import AudioRing
import LinuxIO
import PuckAudio
import PuckBase
import PuckCore

// What the audio threads have to say.

extension PuckDaemon {
    func captureSaid(_ event: AudioEvent) {
        switch event.kind {
        case .wake:
            let finding = WakeFinding(
                onset: event.position, levelDecibels: event.levelDecibels, noiseDecibels: event.noiseDecibels,
                confidence: event.confidence)
            let onset = capture.clock.time(of: event.position).map { Instant(nanoseconds: $0) }
            // In a running turn each pause for breath ends in an event, and this thread allocates nothing then.
            let envelope = puck.takesWakes ? OnsetEnvelope.decibels(around: event.position, in: capture.ring) : []
            perform(.wakeHeard(finding, onset: onset ?? MonotonicClock.now(), envelope: envelope))
        case .xrun, .suspended:
            let isSuspension = event.kind == .suspended
            if isSuspension { suspensions += 1 }
            log.warning(
                isSuspension ? "capture.suspended" : "capture.overrun",
                [Field("missing_samples", event.count), Field("position", event.position)])
            perform(.captureOverrun(missingSamples: event.count))
            if microphone.isRunning { perform(.captureGap(samples: event.count)) }
        case .deviceOpened:
            if let format = capture.format.take() {
                visitors.captureFormat = format
                logOpened(
                    "capture.open", format, "capture", settings.captureRequest.device, settings.capture.usbPath,
                    &captureFaults.twins)
            }
            soundCameBack()
        case .deviceWorks:
            if captureFaults.works() { log.notice("capture.recovered") }
            perform(.captureRestored)
        case .microphoneJudged:
            let report = MicrophoneReport(capture.controls)
            log.notice(
                "capture.judged",
                [
                    Field("microphone", report.names), Field("offset_db", report.offsetDecibels),
                    Field("advice", report.advice),
                ])
        case .deviceLost:
            captureFaults.failed(event.count)
            if let error = capture.errors.take() {
                if let left = captureFaults.complain(error, now: MonotonicClock.now()) {
                    log.error("capture.failed", Self.fields(error, left))
                }
            }
            mixer.soundLost()
            perform(.captureLost)
        case .played, .skipped, .dry, .delayUnknown, .nearMiss, .earBehind: break
        }
    }

    func playbackSaid(_ event: AudioEvent) {
        switch event.kind {
        case .played:
            perform(.playbackAdvanced(samples: speaker.heardSamples))
            if speaker.played(upTo: event.position) { perform(.playbackDrained) }
        case .xrun: log.warning("playback.underrun", [Field("position", event.position)])
        case .deviceOpened:
            if let format = playback.format.take() {
                visitors.playbackFormat = format
                logOpened(
                    "playback.open", format, "playback", settings.playbackRequest.device, settings.playback.usbPath,
                    &playbackFaults.twins)
            }
            if playbackFaults.works() { log.notice("playback.recovered") }
            soundCameBack()
            perform(.playbackRestored)
        case .deviceLost:
            playbackFaults.failed(event.count)
            if let error = playback.errors.take() {
                if let left = playbackFaults.complain(error, now: MonotonicClock.now()) {
                    log.error("playback.failed", Self.fields(error, left))
                }
            }
            mixer.soundLost()
            perform(.playbackLost)
        case .skipped:
            speaker.stopped(at: event.position, skippedTo: event.count)
            feedSpeaker()
        case .dry:
            if speaker.ranDry() { playback.wakeUp() }
            if speaker.takeStarved() { perform(.playbackStarved) }
        case .delayUnknown:
            let (detail, advice) = DeviceError.delayUnknown(settings.playbackRequest.device, errno: Int32(event.count))
            log.warning("playback.delay_unknown", [Field("detail", detail), Field("advice", advice)])
        case .wake, .suspended, .deviceWorks, .microphoneJudged, .nearMiss, .earBehind: break
        }
    }

    /// With the port of a card at USB, and whether another card could have been taken for it.
    private func logOpened(
        _ event: StaticString, _ format: String, _ section: String, _ device: String, _ usbPath: String,
        _ twins: inout Complaint
    ) {
        let place = CardPlace(of: device, root: settings.systemRoot)
        var fields = [Field("format", format)]
        if !place.port.isEmpty { fields.append(Field("usb_path", place.port)) }
        log.notice(event, fields)
        if let (detail, advice) = place.ambiguity(section, usbPath: usbPath) {
            if twins.take(detail, now: MonotonicClock.now()) != nil {
                log.warning("card.ambiguous", [Field("detail", detail), Field("advice", advice)])
            }
        } else {
            twins.end()
        }
    }

    /// - Parameter left: equal lines that were left out before this one.
    private static func fields(_ error: DeviceError, _ left: Int) -> [Field] {
        var fields = [Field("detail", error.context), Field("advice", error.advice)]
        if left > 0 { fields.append(Field("left_out", left)) }
        return fields
    }

    /// A card that came back has forgotten its mixer.
    private func soundCameBack() {
        if let percent = mixer.soundCameBack() { playback.setVolume(percent: percent) }
    }
}

import ALSADevice
import AudioRing
import LinkTransport
import LinuxIO
import PuckAudio
import PuckBase
import PuckCore
import PuckWire
import Synchronization

// What the core wants done, carried out on the loop's thread.

extension PuckDaemon {
    func carryOut(_ effect: PuckEffect) {
        switch effect {
        case .openSocket(let place):
            wantedHub = place
            openSocket()
        case .searchForHub: searchForHub()
        case .keepHub(let address): keepHub(address)
        case .closeSocket:
            openWanted = false
            if socketInUse {
                closedByUs = true
                link.close()
            }
        case .send(let control): send(.control, .zero, control.payload())
        case .sendError(let error): send(.error, .zero, error.payload())
        case .sendPacket(let sequence):
            sendMessage(.uplinkOpus, sequence, microphone.slots.bytes(UplinkWindow.slot(of: sequence)))
        case .startEncoding(let onset, let preroll):
            microphone.start(
                onset: onset, prerollSamples: preroll ? Int64(settings.wake.prerollMilliseconds * 16) : 0,
                periodSamples: Int64(settings.capture.periodMilliseconds * 16))
            audioEvent.signal()  // encode in the next turn, not inside this step
        case .stopEncoding: microphone.stop()
        case .startPlayback(let codec, let delay):
            endPlaying("error: the hub plays something")
            speaker.start(codec: codec, delayMilliseconds: delay)
            playback.wakeUp()
        case .setPlayoutDelay(let milliseconds): speaker.setDelay(milliseconds: milliseconds)
        case .playPacket:
            guard let arrived else { preconditionFailure("a packet is played as it arrives") }
            if !speaker.enqueue(arrived) { log.error("play.queue_full") }
        case .pausePlayback:
            speaker.pause()
            playback.wakeUp()
        case .resumePlayback:
            speaker.resume()
            playback.wakeUp()
            feedSpeaker()
        case .dropPausedPlayback: speaker.dropPaused()
        case .finishPlayback:
            speaker.finish()
            feedSpeaker()
            playback.wakeUp()
        case .stopPlayback:
            speaker.stop()
            playback.wakeUp()
        case .playEarcon(let earcon):
            playEarcon(earcon)
        case .setVolume(let percent):
            playback.setVolume(percent: mixer.setVolume(percent: percent))
            kept.noteVolume(percent)
            lights?.setVolume(percent: percent)
        case .keepTrust(let certificates): keepTrust(certificates)
        case .keepToken(let token): keepToken(token)
        case .setMuted(let on):
            let words = capture.controls.words
            if !on { words.pointee.unmutedAt.store(MonotonicClock.now().nanoseconds, ordering: .relaxed) }
            words.pointee.muted.store(on, ordering: .releasing)
        case .beginPairing: beginPairing()
        case .endPairing: search?.end()
        case .showLights(let lights):
            visitors.coreLights = lights
            refreshLights()
        case .log(let record):
            if let record = linkLines.take(record, now: MonotonicClock.now()) { log.write(record) }
        }
    }

    /// How long a room goes on sounding, beyond what devices hold back.
    static let earconEchoMilliseconds = 150

    /// Plays it, and tells those who listen: what is sent has it taken out, and it wakes nobody.
    private func playEarcon(_ earcon: Earcon) {
        let recording = settings.earcons.recording(of: earcon)
        speaker.play(earcon: recording ?? earcon.samples(levelDecibels: Float(settings.earcons.levelDecibels)))
        let late =
            settings.playback.bufferMilliseconds + settings.playback.leadInMilliseconds
            + 2 * settings.capture.periodMilliseconds + Self.earconEchoMilliseconds
        let samples = speaker.earconSamples + Int64(late * 16)
        microphone.cancelEarcon(recording == nil ? earcon.frequencies : nil, samples: samples)
        perform(.earconStarted(until: MonotonicClock.now() + .milliseconds(Int(samples / 16))))
        feedSpeaker()
    }

    func openSocket() {
        if socketInUse {
            openWanted = true  // the old socket is still closing; open as soon as it has
            return
        }
        socketInUse = true
        closedByUs = false
        isOverflowing = false
        link.open(to: wantedHub.map { ($0.host, $0.port) })
    }

    func send(_ type: MessageType, _ sequence: SerialNumber, _ payload: [UInt8]) {
        payload.withUnsafeBytes { sendMessage(type, sequence, $0) }
    }

    func sendMessage(_ type: MessageType, _ sequence: SerialNumber, _ payload: UnsafeRawBufferPointer) {
        let head = MessageHeader(
            type: type, sequence: sequence, timestampMilliseconds: MonotonicClock.now().wireMilliseconds,
            length: payload.count)
        let sent = header.withUnsafeMutableBytes { bytes in
            head.write(to: bytes)
            return link.send(head: UnsafeRawBufferPointer(bytes), body: payload)
        }
        if !sent && link.isOpen && !isOverflowing {
            isOverflowing = true  // one event, however many messages of this step do not fit
            perform(.sendQueueOverflowed)
        }
    }
}

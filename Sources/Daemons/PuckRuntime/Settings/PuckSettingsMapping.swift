import ALSADevice
import CLinux
import LinkTransport
import LinuxIO
import OpusCodec
import PuckAudio
import PuckBase
import PuckCore
import Settings

// From what the configuration says to what each module takes.

extension PuckSettings {
    var coreIdentity: Puck.Identity {
        Puck.Identity(
            puckID: identity.id, room: identity.room, group: identity.group, phrase: wake.phrase,
            software: "puckd \(PuckVersion.text)", keepsToken: pairingFile != nil && stateProblem == nil,
            trusts: keepsTrust ? hub.trusted : nil,
            hubSearch: hubSearch, instance: Self.instance, wakePhrases: wakePhrases)
    }

    /// Of this process: a copied card has everything else in common with its original.
    private static let instance: UInt32 = {
        var number: UInt32 = 0
        let failed = withUnsafeMutableBytes(of: &number) { getentropy($0.baseAddress!, $0.count) }
        precondition(failed == 0, "the kernel has no random numbers")
        return number
    }()

    /// Whether another address may take the place of the one that pairing left. Where an authority is trusted, a certificate
    /// is known by its name; and where none is configured, the host is that name.
    var keepsHubAddress: Bool {
        pairingFile != nil && (hub.authorityFile == pairingFile || hub.isCertificateNamed)
    }

    /// A hub that moved is known by the certificate that is trusted, or by one that this has signed for the hub's name.
    private var hubSearch: Puck.HubSearchMode {
        if hub.isInsecure || hub.authorityFile.isEmpty { return .off }
        return !hub.isFixed && keepsHubAddress ? .replacesConfigured : .besideConfigured
    }

    /// Why what is written into `state_dir` does not outlast a reboot; nil when it does, or is not known not to.
    var stateProblem: String? {
        identity.stateFolder.isEmpty ? nil : LastingFolder.problem(identity.stateFolder, root: systemRoot)
    }

    /// What to do about it.
    static let stateAdvice =
        "Name a folder that outlasts a reboot as [puck] state_dir (one that is mounted from the disk, say). Until then "
        + "the token that the puck was paired with stays, and what is changed here is lost with the next boot."

    /// The hub may say which certificates are to be believed: those that pairing has left, in a file that lasts.
    var keepsTrust: Bool { pairingFile != nil && hub.authorityFile == pairingFile && stateProblem == nil }

    var coreParameters: Puck.Parameters {
        Puck.Parameters(
            endpoint: Endpointer.Parameters(
                hangoverMilliseconds: endpoint.hangoverMilliseconds,
                noSpeechMilliseconds: endpoint.noSpeechMilliseconds,
                utteranceLimitMilliseconds: endpoint.utteranceLimitMilliseconds),
            volume: playback.volumePercent, earconsEnabled: earcons.isEnabled,
            listeningIsRecorded: earcons.recording(of: .listening) != nil,
            playoutDelayMilliseconds: playback.playoutDelayMilliseconds, pairingSeconds: pairing.timeoutSeconds)
    }

    var linkConfiguration: ClientLink.Configuration {
        var security = ClientLink.Security.plain
        if !hub.isInsecure && hub.isComplete {
            let trust: Trust = hub.authorityFile.isEmpty ? .systemStore : .certificateFile(hub.authorityFile)
            security = .verified(trust, certificateName: hub.isCertificateNamed ? hub.certificateName : nil)
        }
        // A puck without a hub never opens its link; the name is reserved for what does not exist (RFC 2606).
        var configuration = ClientLink.Configuration(
            host: hub.isComplete ? hub.host : "unpaired.invalid", port: UInt16(clamping: hub.port),
            token: hub.token.value, security: security)
        configuration.path = hub.path
        configuration.believed = hub.trusted
        return configuration
    }

    /// What differs from `fresh` and cannot change while the daemon runs; nil when nothing does.
    func needsRestart(for fresh: PuckSettings) -> String? {
        var sections: [String] = []
        var paired = fresh.identity
        (paired.id, paired.room, paired.group) = (identity.id, identity.room, identity.group)
        if identity != paired { sections.append("[puck]") }
        if capture != fresh.capture { sections.append("[capture]") }
        var playbackOnly = fresh.playback
        playbackOnly.volumePercent = playback.volumePercent
        if playback != playbackOnly { sections.append("[playback]") }
        if !wake.isReloadable(as: fresh.wake) { sections.append("[wake]") }
        if opus != fresh.opus { sections.append("[opus]") }
        if earcons.levelDecibels != fresh.earcons.levelDecibels || earcons.recordings != fresh.earcons.recordings {
            sections.append("[earcons]")
        }
        if lights != fresh.lights { sections.append("[lights]") }
        if gpio != fresh.gpio { sections.append("[gpio]") }
        // Its own section: cards, by which the devices are named.
        if board != fresh.board { sections.append("[board]") }
        if network != fresh.network { sections.append("[network]") }
        if mixer != fresh.mixer { sections.append("[mixer]") }
        if logLevel != fresh.logLevel { sections.append("[log]") }
        if controlSocketPath != fresh.controlSocketPath { sections.append("[control]") }
        if sections.isEmpty { return nil }
        return sections.joined(separator: " ") + " changed: restart puckd for it to take effect"
    }
}

extension HubLinkSettings {
    func isSame(as other: HubLinkSettings) -> Bool {
        host == other.host && port == other.port && path == other.path && authorityFile == other.authorityFile
            && certificateName == other.certificateName && trusted == other.trusted && token == other.token
            && isInsecure == other.isInsecure
    }
}

extension PuckSettings {
    /// To be asked for at each opening: the card may have come meanwhile.
    var captureRequest: PCMRequest {
        var request = capture.request
        request.device = board.device(request.device, root: systemRoot, port: capture.usbPath)
        return request
    }

    /// As `captureRequest`.
    var playbackRequest: PCMRequest {
        var request = playback.request
        request.device = board.device(request.device, root: systemRoot, port: playback.usbPath)
        return request
    }

    /// ALSA's name of the card whose controls are set.
    var controlDevice: String {
        let port = playback.usbPath
        if !playback.controlDevice.isEmpty { return board.device(playback.controlDevice, root: systemRoot, port: port) }
        if board.cards.isEmpty && board.usb.isEmpty && port.isEmpty { return "default" }
        return board.device("hw:CARD=$CARD", root: systemRoot, port: port)
    }
}

extension CaptureSettings {
    fileprivate var request: PCMRequest {
        PCMRequest(
            device: device, rate: rateHertz, channels: channels, format: format,
            periodMilliseconds: periodMilliseconds, bufferMilliseconds: bufferMilliseconds)
    }

    /// The configured channel, or the first one of a device that has fewer.
    func channelChoice(of channels: Int) -> ChannelChoice {
        switch channel {
        case .mix: return .mix
        case .index(let index): return .channel(index < channels ? index : 0)
        }
    }

    /// As a factor of 65,536.
    var gainFactor: Int32 { Int32(clamping: Int((Level.factor(decibels: gainDecibels) * 65_536).rounded())) }
}

extension PlaybackSettings {
    fileprivate var request: PCMRequest {
        PCMRequest(
            device: device, rate: rateHertz, channels: channels, format: format,
            periodMilliseconds: periodMilliseconds, bufferMilliseconds: bufferMilliseconds)
    }
}

extension WakeSettings {
    /// - Parameter zerosAreSilence: `[capture] zeros_ms` is 0, so zeros are no fault of this device.
    func detectorParameters(zerosAreSilence: Bool) -> LevelWakeDetector.Parameters {
        LevelWakeDetector.Parameters(
            thresholdDecibels: Float(thresholdDecibels), minimumLevelDecibels: Float(minimumLevelDecibels),
            onsetMilliseconds: onsetMilliseconds, hangoverMilliseconds: hangoverMilliseconds,
            refractoryMilliseconds: refractoryMilliseconds, zerosAreSilence: zerosAreSilence,
            gateDecibels: Float(gateDecibels))
    }
}

extension OpusSettings {
    var encoderParameters: OpusEncoder.Parameters {
        OpusEncoder.Parameters(
            bitsPerSecond: bitsPerSecond, complexity: complexity,
            hasForwardErrorCorrection: hasForwardErrorCorrection, expectedLossPercent: expectedLossPercent,
            hasDiscontinuousTransmission: hasDiscontinuousTransmission)
    }
}

extension Log {
    /// A line of the transport's own.
    func transport(_ level: TransportLogLevel, _ text: String) {
        switch level {
        case .error: error("transport", [Field("detail", text)])
        case .warning: warning("transport", [Field("detail", text)])
        case .info: info("transport", [Field("detail", text)])
        case .debug: debug("transport", [Field("detail", text)])
        }
    }
}

extension LinkFailure {
    /// One word for the log's `reason=`; `advice` is the sentence.
    var name: String {
        switch self {
        case .nameNotFound: "name-not-found"
        case .nameServiceSilent: "name-service-silent"
        case .nameWithoutAddress: "name-without-address"
        case .nameLookupFailed: "name-lookup-failed"
        case .noNetwork: "no-network"
        case .addressWithoutZone: "address-without-zone"
        case .familyMissing: "family-missing"
        case .refused: "refused"
        case .unreachable: "unreachable"
        case .timedOut: "timed-out"
        case .notTLS: "not-tls"
        case .hungUpDuringHandshake: "hung-up"
        case .tlsFailed: "tls-failed"
        case .certificateNotTrusted: "certificate-not-trusted"
        case .certificateExpired: "certificate-expired"
        case .certificateNotYetValid: "certificate-not-yet-valid"
        case .certificateWrongName: "certificate-wrong-name"
        case .certificateInvalid: "certificate-invalid"
        case .unauthorized: "unauthorized"
        case .wrongSubprotocol: "wrong-subprotocol"
        case .wrongPath: "wrong-path"
        case .hubFull: "hub-full"
        case .needsTLS: "needs-tls"
        case .httpStatus: "http-status"
        case .notWebSocket: "not-websocket"
        case .closedByPeer: "closed-by-hub"
        case .messageTooLarge: "message-too-large"
        case .textMessage: "text-message"
        case .flooded: "flooded"
        case .reset: "reset"
        case .closedHere: "closed-here"
        case .outOfResources: "out-of-resources"
        }
    }
}

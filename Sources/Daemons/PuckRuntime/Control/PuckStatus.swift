import ALSADevice
import AudioRing
import CLinux
import LinkTransport
import LinuxIO
import OpusCodec
import PuckBase
import PuckCore
import PuckWire
import Synchronization

// What `puckctl status` gets: raw values, one JSON object without nesting. What the keys mean stands in puckctl(1), and
// a test holds the two together.

extension PuckDaemon {
    func status() -> String {
        let now = MonotonicClock.now()
        let words = capture.controls.words
        var json = JSONWriter()
        json.set("pid", Int(getpid()))
        json.set("puck", settings.identity.id)
        json.set("room", settings.identity.room)
        json.set("board", settings.identity.board)
        json.set("state_lasts", settings.stateProblem == nil)
        json.set("uptime_s", (now - visitors.startedAt).wholeMilliseconds / 1000)
        json.set("phase", puck.phase.rawValue)
        json.set("connected", puck.isConnected)
        json.set("muted", puck.isMuted)
        json.set("muted_by", puck.muteCauses)
        json.set("pairing", puck.isPairing)
        json.set("volume", puck.currentVolume)
        json.set("recording", visitors.recorder != nil)
        json.set("playing_file", visitors.player != nil)
        json.set("showing", (visitors.shownLights ?? visitors.coreLights).rawValue)
        json.set("level_db", rounded(Double(words.pointee.level.load(ordering: .relaxed)) / 100, 10))
        json.set("noise_db", rounded(Double(words.pointee.noise.load(ordering: .relaxed)) / 100, 10))
        let microphone = MicrophoneReport(capture.controls)
        json.set("microphone", microphone.names)
        json.set("microphone_advice", microphone.advice)
        json.set("offset_db", rounded(microphone.offsetDecibels, 10))
        json.set("wake_doubt", puck.wakeDoubt)
        describeEar(&json)
        json.set("overruns", puck.overruns)
        json.set("missed_ms", Int(puck.missedSamples / 16))
        json.set("periods", words.pointee.periods.load(ordering: .relaxed))
        json.set("underruns", playback.controls.words.pointee.underruns.load(ordering: .relaxed))
        json.set("broken_packets", speaker.brokenPackets)
        json.set("suspends", suspensions)
        json.set("capture", captureFaults.word)
        json.set("capture_faults", captureFaults.kinds)
        json.set("capture_error", captureFaults.complaint)
        json.set("capture_format", visitors.captureFormat)
        json.set("playback", playbackFaults.word)
        json.set("playback_faults", playbackFaults.kinds)
        json.set("playback_error", playbackFaults.complaint)
        json.set("playback_format", visitors.playbackFormat)
        mixer.describe(&json)
        describeLink(&json, now)
        inputs?.describe(&json)
        outputs?.describe(&json)
        if let lights { json.set("lights", lights.isOpen ? "ok" : "failed") }
        care?.describe(&json)
        if let wifi = Wireless.read(settings.network.interface) {
            json.set("wifi", wifi.interface)
            json.set("signal_dbm", wifi.signalDecibels)
            if let saving = wifi.isSavingPower { json.set("power_save", saving ? "on" : "off") }
        }
        json.set("version", PuckVersion.text)
        json.set("alsa", alsaVersion())
        json.set("opus", opusVersion())
        json.set("libwebsockets", webSocketsVersion())
        json.set("openssl", openSSLVersion())
        return String(decoding: json.serialized(), as: UTF8.self)
    }

    private func describeLink(_ json: inout JSONWriter, _ now: Instant) {
        if settings.hub.isComplete {
            let place = link.destination
            json.set("hub", "\(settings.hub.isInsecure ? "ws" : "wss")://\(place.host):\(place.port)")
        }
        json.set("link", puck.linkState.rawValue)
        json.set("link_s", (now - visitors.linkSince).wholeMilliseconds / 1000)
        if !puck.isConnected, !visitors.linkError.isEmpty { json.set("link_error", visitors.linkError) }
        if let next = puck.nextAttemptAt { json.set("retry_ms", max(0, (next - now).wholeMilliseconds)) }
        guard puck.isConnected, let last = puck.lastRoundTrip, let least = puck.leastRoundTrip,
            let error = puck.clockErrorMilliseconds(now: now)
        else { return }
        json.set("rtt_ms", rounded(last, 100))
        json.set("rtt_min_ms", rounded(least, 100))
        json.set("clock_error_ms", rounded(error, 100))
    }

    private func rounded(_ value: Double, _ scale: Double) -> Double { (value * scale).rounded() / scale }
}

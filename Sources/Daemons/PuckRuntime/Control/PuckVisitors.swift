import AudioRing
import LinuxIO
import PuckBase
import PuckCore
import PuckWire
import Synchronization

/// What clients of the control socket have going on, and what is only kept for them to be told.
struct Visitors {
    /// `puckctl lights` shows a state for so long.
    static let lightsShownFor = Interval.seconds(10)

    var recorder: FileRecorder?
    var player: FilePlayer?
    /// When they are looked after next.
    var pumpAt: Instant?
    /// What the core wants shown, what somebody wants to see, until when, and what is shown.
    var coreLights = Lights.starting
    var wantedLights: (lights: Lights, until: Instant)?
    var shownLights: Lights?

    let startedAt: Instant
    /// Since when the link has been up, or down.
    var linkSince: Instant
    var wasConnected = false
    /// Why the last attempt failed, or the last link ended: one sentence; empty while the link is up.
    var linkError = ""
    /// What was opened last.
    var captureFormat = ""
    var playbackFormat = ""

    init(now: Instant) {
        startedAt = now
        linkSince = now
    }

    var nextDeadline: Instant? { earliest(pumpAt, wantedLights?.until) }
}

extension PuckDaemon {
    // MARK: Sound

    /// `record SECONDS`. Only for root and the daemon's own user: whoever may set the volume may not listen to the room.
    func beginRecording(_ words: [Substring], _ caller: ControlCaller) -> String {
        guard words.count == 2, let seconds = Int(words[1]), (1...FileRecorder.longestSeconds).contains(seconds),
            let session = caller.session
        else { return "error: record takes a whole number of seconds, 1 to \(FileRecorder.longestSeconds)" }
        if !caller.isOwner {
            return "error: only root and the daemon's own user may listen to the room: try it with sudo"
        }
        if puck.isMuted { return "error: " + mutedText }
        if !puck.hears { return "error: " + brokenMicrophone }
        if visitors.recorder != nil { return "error: another recording is running" }
        visitors.recorder = FileRecorder(session, ring: capture.ring, seconds: seconds)
        log.notice("record.start", [Field("seconds", seconds), Field("user", Int(caller.user))])
        refreshLights()
        pumpVisitors()
        return "ok"
    }

    private var mutedText: String { "the puck is muted by \(puck.muteCauses): no sample leaves its microphone" }
    private var brokenMicrophone: String { "the microphone does not work: 'puckctl doctor' says why" }
    private var brokenSpeaker: String { "the loudspeaker does not work: 'puckctl doctor' says why" }

    /// `play`.
    func beginPlaying(_ caller: ControlCaller) -> String {
        guard let session = caller.session else { return "error: nothing to play came along" }
        if playbackFaults.isDown { return "error: " + brokenSpeaker }
        if visitors.player != nil { return "error: another file is being played" }
        if puck.phase != .idle { return "error: the puck is busy (\(puck.phase.rawValue)); 'puckctl stop' ends that" }
        visitors.player = FilePlayer(session, speaker: speaker)
        log.notice("file.start", [Field("user", Int(caller.user))])
        pumpVisitors()
        return "ok"
    }

    func endPlaying(_ verdict: String) {
        guard let player = visitors.player else { return }
        visitors.player = nil
        let echo = settings.playback.bufferMilliseconds + Self.earconEchoMilliseconds
        ear.filePlayedUntil = MonotonicClock.now() + .milliseconds(echo)
        player.end(verdict)
        playback.wakeUp()
        log.notice("file.end", [Field("reason", verdict)])
    }

    func endRecording(_ verdict: String) {
        guard let recorder = visitors.recorder else { return }
        recorder.end(verdict)
        recordingEnded()
    }

    private func recordingEnded() {
        visitors.recorder = nil
        log.notice("record.end")
        refreshLights()
    }

    /// Everything that goes on ends.
    func dismissVisitors(_ verdict: String) {
        endPlaying(verdict)
        endRecording(verdict)
    }

    private func pumpVisitors() {
        let now = MonotonicClock.now()
        if let recorder = visitors.recorder, !recorder.pump() { recordingEnded() }
        if let player = visitors.player {
            if player.pump() {
                feedSpeaker()
                // It wakes nobody.
                let echo = settings.playback.bufferMilliseconds + Self.earconEchoMilliseconds
                let left = (Int(speaker.earconSamples) + speaker.fileBacklog) / 16 + echo
                ear.filePlayedUntil = now + .milliseconds(left)
                perform(.earconStarted(until: ear.filePlayedUntil))
            } else {
                visitors.player = nil
                playback.wakeUp()
                log.notice("file.end")
            }
        }
        noteForEar()
        let goesOn = visitors.recorder != nil || visitors.player != nil
        visitors.pumpAt = goesOn ? now + FileRecorder.every : nil
        rearm()
    }

    // MARK: What the core says

    func visitorsTimePassed() {
        let now = MonotonicClock.now()
        if let due = visitors.pumpAt, due <= now { pumpVisitors() }
        if let wanted = visitors.wantedLights, wanted.until <= now {
            visitors.wantedLights = nil
            refreshLights()
        }
    }

    /// After each step of the core.
    func noteForVisitors() {
        noteForEar()
        if puck.isConnected != visitors.wasConnected {
            visitors.wasConnected = puck.isConnected
            visitors.linkSince = MonotonicClock.now()
            if puck.isConnected { visitors.linkError = "" }
        }
        if visitors.player != nil {
            if puck.phase != .idle { endPlaying("error: the puck has something else to do: \(puck.phase.rawValue)") }
            if playbackFaults.isDown { endPlaying("error: " + brokenSpeaker) }
        }
        if visitors.recorder != nil {
            if puck.isMuted { endRecording("error: " + mutedText) }
            if !puck.hears { endRecording("error: " + brokenMicrophone) }
        }
    }

    // MARK: Lights

    /// `lights STATE|auto`.
    func showLights(_ words: [Substring]) -> String {
        guard words.count == 2 else { return "error: lights takes one word" }
        if lights == nil, terminalLights == nil { return "error: this puck has no lights: see [lights] output" }
        visitors.wantedLights = nil
        if words[1] != "auto" {
            guard let wanted = Lights(rawValue: String(words[1])) else { return "error: there are no such lights" }
            visitors.wantedLights = (wanted, MonotonicClock.now() + Visitors.lightsShownFor)
        }
        refreshLights()
        rearm()
        return "ok"
    }

    /// An open microphone is always shown: what somebody wants to see ends when the room is being heard.
    func refreshLights() {
        var lights = visitors.coreLights
        if visitors.recorder != nil { lights = .listening }
        if lights == .listening || lights == .candidate {
            visitors.wantedLights = nil
        } else if let wanted = visitors.wantedLights {
            lights = wanted.lights
        }
        if lights == visitors.shownLights { return }
        visitors.shownLights = lights
        log.info("lights", [Field("state", lights.rawValue)])
        terminalLights?.show(lights)
        self.lights?.show(lights)
    }
}

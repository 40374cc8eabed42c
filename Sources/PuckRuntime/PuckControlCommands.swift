import AudioRing
import LinuxIO
import PuckBase
import PuckCore
import PuckWire
import Synchronization

// What `puckctl` asks for.

extension PuckDaemon {
    /// The control socket's commands, one line each.
    func answer(_ request: String) -> String {
        let words = request.split(separator: " ")
        switch words.first {
        case "wake": perform(.talkRequested(position: capture.ring.producer.position))
        case "stop": perform(.stopRequested)
        case "mute": perform(.muteRequested(true))
        case "unmute":
            if let refusal = inputs?.unmuteRefusal { return "error: " + refusal }
            perform(.muteRequested(false))
        case "volume":
            guard words.count == 2, let volume = Int(words[1]), (0...100).contains(volume) else {
                return "error: volume takes a whole number from 0 to 100"
            }
            perform(.volumeRequested(volume))
        case "night":
            guard words.count == 2, let night = LightShow.Night(rawValue: String(words[1])) else {
                return "error: night takes on, off or auto"
            }
            guard let lights else { return "error: this puck has no lights that it could dim" }
            lights.setNight(night)
            rearm()
        case "pairing":
            switch words.dropFirst() {
            case ["on"]: perform(.pairingRequested)
            case ["off"]: perform(.pairingEnded(.cancelled))
            default: return "error: pairing takes on or off"
            }
        case "status": return status()
        case "joining": return pairingSummary
        case "joined": rereadConfiguration()
        default:
            return "error: unknown command \"\(request)\"; known are wake, stop, mute, unmute, volume N, "
                + "night on|off|auto, pairing on|off, status"
        }
        return "ok"
    }

    func status() -> String {
        let words = capture.controls.words
        return "phase=\(puck.phase.rawValue) connected=\(puck.isConnected ? "yes" : "no")"
            + " muted=\(puck.isMuted ? "yes" : "no") pairing=\(puck.isPairing ? "yes" : "no") volume=\(puck.currentVolume)"
            + " level_db=\(fixed(Double(words.pointee.level.load(ordering: .relaxed)) / 100, 1))"
            + " noise_db=\(fixed(Double(words.pointee.noise.load(ordering: .relaxed)) / 100, 1))"
            + " overruns=\(puck.overruns) missed_ms=\(puck.missedSamples / 16)"
            + " periods=\(words.pointee.periods.load(ordering: .relaxed))"
            + " underruns=\(playback.controls.words.pointee.underruns.load(ordering: .relaxed))"
            + " broken_packets=\(speaker.brokenPackets) suspends=\(suspensions)"
            + captureFaults.summary("capture") + playbackFaults.summary("playback")
            + boardSummary
    }

    private var boardSummary: String {
        var text = (inputs?.summary ?? "") + (outputs?.summary ?? "")
        text += (lights?.summary ?? "") + (care?.summary ?? "") + settings.network.wirelessSummary
        return text
    }
}

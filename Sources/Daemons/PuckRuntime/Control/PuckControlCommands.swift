import AudioRing
import LinuxIO
import PuckBase
import PuckCore
import PuckWire
import Synchronization

// What `puckctl` asks for.

extension PuckDaemon {
    /// The control socket's commands, one line each.
    func answer(_ request: String, _ caller: ControlCaller) -> String {
        let words = request.split(separator: " ")
        switch words.first {
        case "wake": perform(.talkRequested(position: capture.ring.producer.position))
        case "stop":
            dismissVisitors("error: it was stopped")
            perform(.stopRequested)
        case "record": return beginRecording(words, caller)
        case "play": return beginPlaying(caller)
        case "lights": return showLights(words)
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
        case "reload-wake":
            guard settings.wake.detector == .model else { return "ok" }
            if let problem = reloadWakeWords() { return "error: " + problem }
        default:
            return "error: unknown command \"\(request)\"; 'puckctl --help' lists those there are"
        }
        return "ok"
    }
}

import ALSADevice
import LinuxIO
import PuckAudio

/// The card's mixer in the daemon: sets the controls that the board wants at every start and whenever the card comes
/// back, and turns the volume where the board has a control for it. What fails is said and does not stop anything.
/// Loop thread only.
final class SoundMixer {
    private let settings: PuckSettings
    private let log: Log
    /// The controls are as they should be, as far as they can be.
    private var isApplied = false
    /// The last volume that was asked for, 0…100.
    private var volumePercent: Int?
    private var hasSaidVolume = false

    init(settings: PuckSettings, log: Log) {
        self.settings = settings
        self.log = log
    }

    private var isNeeded: Bool { !settings.mixer.settings.isEmpty || !settings.playback.volumeControl.isEmpty }

    /// Sets every control of `[mixer]`, in its order; the volume's only the first time, since it would be at its loudest
    /// until `setVolume`.
    func apply() {
        if settings.mixer.settings.isEmpty { return isApplied = true }
        let device = settings.controlDevice
        do throws(DeviceError) {
            let mixer = try Mixer.open(device)
            isApplied = true
            var count = 0
            for setting in settings.mixer.settings {
                if volumePercent != nil, setting.control == settings.playback.volumeControl { continue }
                do throws(DeviceError) {
                    try mixer.set(setting.control, to: setting.value)
                    count += 1
                } catch {
                    warn("mixer.refused", error)
                }
            }
            log.notice("mixer.set", [Field("device", device), Field("controls", count)])
        } catch {
            warn("mixer.unavailable", error)
        }
    }

    /// - Returns: the percentage that is left for software to do: 100 when a control does it all.
    func setVolume(percent: Int) -> Int {
        volumePercent = percent
        let name = settings.playback.volumeControl
        if name.isEmpty { return percent }
        do throws(DeviceError) {
            let mixer = try Mixer.open(settings.controlDevice)
            // The same law as in software (see PlaybackThread): half is 12 dB less, with or without a control.
            let part = Double(max(percent, 1)) / 100
            try mixer.setVolume(
                name, percent: percent, attenuationDecibels: -Level.decibels(factor: part * part),
                top: settings.mixer.value(of: name))
            hasSaidVolume = false
            // A control's least value may be far from silent.
            return percent == 0 ? 0 : 100
        } catch {
            if !hasSaidVolume { warn("volume.in_software", error) }
            hasSaidVolume = true
            return percent
        }
    }

    /// A card that goes forgets.
    func soundLost() { isApplied = false }

    /// - Returns: what `setVolume` returns, when there was anything to do.
    func soundCameBack() -> Int? {
        if isApplied || !isNeeded { return nil }
        apply()
        return volumePercent.map { setVolume(percent: $0) }
    }

    private func warn(_ event: StaticString, _ error: DeviceError) {
        log.warning(event, [Field("detail", error.context), Field("advice", error.advice)])
    }
}

import ALSADevice
import LinkTransport
import LinuxIO
import PuckAudio
import PuckBase
import PuckWire

/// The card's mixer in the daemon: sets the controls that the board wants at every start and whenever the card comes
/// back, and turns the volume where the board has a control for it. What fails is said and does not stop anything.
///
/// Other programs change the same controls, and the card tells. What the board's file sets is set again; what somebody
/// turned, the volume control, is the volume from then on. Loop thread only.
final class SoundMixer {
    /// A program that restores a mixer, or a person at a slider, changes much in a moment: looked at once, when this much
    /// time has passed since the first change.
    static let settling = Interval.milliseconds(250)
    /// So often a control is set again after another program has changed it. One that changes it back each time is then
    /// left alone, which is said.
    static let mostRepairs = 3
    /// A change that comes so long after the last one is a new story.
    static let repairPeriod = Interval.seconds(600)

    private struct Repairs {
        var count = 0
        var lastAt = Instant(nanoseconds: 0)
        var isGivenUp = false
    }

    private let settings: PuckSettings
    private let log: Log
    private let clock: () -> Instant
    /// The controls are as they should be, as far as they can be.
    private var isApplied = false
    /// The last volume that was asked for, or that somebody turned, 0…100.
    private var volumePercent: Int?
    private var hasSaidVolume = false
    /// What was said and stands: of the card, of its watch, of each control of `[mixer]`, and of reading it again.
    private var unavailable = Complaint.once
    private var unwatched = Complaint.once
    private var refused: [Complaint]
    private var unread: [Complaint]
    /// Where the volume control stood when it was last turned here, or taken over.
    private var volumeStands: [Int] = []
    /// The volume that somebody turned: the core asks for it, and the control is there already.
    private var takenPercent: Int?
    /// One for each of `[mixer]`.
    private var repairs: [Repairs]

    private var watch: MixerWatch?
    private var adopted: AdoptedDescriptor?
    private var loop: EventLoop?
    private var onVolumeTurned: (Int) -> Void = { _ in }
    private var onDeadlineMoved: () -> Void = {}
    /// When a change is looked at.
    private(set) var nextDeadline: Instant?

    init(settings: PuckSettings, log: Log, clock: @escaping () -> Instant = MonotonicClock.now) {
        self.settings = settings
        self.log = log
        self.clock = clock
        let count = settings.mixer.settings.count
        repairs = [Repairs](repeating: Repairs(), count: count)
        refused = [Complaint](repeating: .once, count: count)
        unread = [Complaint](repeating: .once, count: count + 1)
    }

    private var isNeeded: Bool { !settings.mixer.settings.isEmpty || !settings.playback.volumeControl.isEmpty }

    /// Sets every control of `[mixer]`, in its order; the volume's only the first time, since it would be at its loudest
    /// until `setVolume`.
    func apply() {
        if !isNeeded { return isApplied = true }
        startWatching()
        if settings.mixer.settings.isEmpty { return isApplied = true }
        let device = settings.controlDevice
        do throws(DeviceError) {
            let mixer = try Mixer.open(device)
            isApplied = true
            unavailable.end()
            var count = 0
            for (index, setting) in settings.mixer.settings.enumerated() {
                if volumePercent != nil, setting.control == settings.playback.volumeControl { continue }
                do throws(DeviceError) {
                    try mixer.set(setting.control, to: setting.value)
                    count += 1
                    refused[index].end()
                } catch {
                    if isNews(&refused[index], error) { warn("mixer.refused", error) }
                }
            }
            log.notice("mixer.set", [Field("device", device), Field("controls", count)])
        } catch {
            if isNews(&unavailable, error) { warn("mixer.unavailable", error) }
        }
    }

    /// - Returns: the percentage that is left for software to do: 100 when a control does it all.
    func setVolume(percent: Int) -> Int {
        volumePercent = percent
        let name = settings.playback.volumeControl
        if name.isEmpty { return percent }
        do throws(DeviceError) {
            let mixer = try Mixer.open(settings.controlDevice)
            if takenPercent != percent {
                // The same law as in software (see PlaybackThread): half is 12 dB less, with or without a control.
                let part = Double(max(percent, 1)) / 100
                try mixer.setVolume(
                    name, percent: percent, attenuationDecibels: -Level.decibels(factor: part * part),
                    top: settings.mixer.value(of: name))
            }
            takenPercent = nil
            volumeStands = try mixer.volume(name, top: settings.mixer.value(of: name)).values
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
        takenPercent = nil
        return volumePercent.map { setVolume(percent: $0) }
    }

    private func isNews(_ complaint: inout Complaint, _ error: DeviceError) -> Bool {
        complaint.take(error.context, now: clock()) != nil
    }

    private func warn(_ event: StaticString, _ error: DeviceError) {
        log.warning(event, [Field("detail", error.context), Field("advice", error.advice)])
    }
}

// MARK: - What others change

extension SoundMixer {
    /// From now on the loop is told of changes; whoever attaches calls `timePassed` at `nextDeadline`.
    /// - Parameter onVolumeTurned: somebody turned the volume control to this percentage.
    func attach(to loop: EventLoop, onDeadlineMoved: @escaping () -> Void, onVolumeTurned: @escaping (Int) -> Void) {
        self.loop = loop
        self.onDeadlineMoved = onDeadlineMoved
        self.onVolumeTurned = onVolumeTurned
        adopt()
        // What changed since `apply` did so before anybody listened.
        if watch != nil { nextDeadline = clock() + Self.settling }
    }

    /// The card that comes back is another one for its watch.
    private func startWatching() {
        stopWatching()
        do throws(DeviceError) {
            watch = try MixerWatch(settings.controlDevice)
            unwatched.end()
            adopt()
        } catch {
            // Missing cards are said by whoever sets their controls.
            if error.code != .lost, isNews(&unwatched, error) { warn("mixer.unwatched", error) }
        }
    }

    private func stopWatching() {
        adopted?.remove()
        adopted = nil
        watch = nil
    }

    private func adopt() {
        guard let loop, let watch, adopted == nil else { return }
        do throws(TransportError) {
            // Sound: the handle is removed before this object goes.
            adopted = try loop.adopt(fileDescriptor: watch.descriptor) { [unowned(unsafe) self] _ in eventsCame() }
        } catch {
            if unwatched.take(error.message, now: clock()) != nil {
                log.warning("mixer.unwatched", [Field("detail", error.message)])
            }
            self.watch = nil
        }
    }

    private func eventsCame() {
        guard let watch else { return }
        var names = settings.mixer.settings.map { $0.control }
        names.append(settings.playback.volumeControl)
        switch watch.drain(names) {
        case .nothing: return
        case .lost: stopWatching()
        case .changed:
            if nextDeadline != nil { return }
            nextDeadline = clock() + Self.settling
            onDeadlineMoved()
        }
    }

    func timePassed() {
        guard let due = nextDeadline, due <= clock() else { return }
        nextDeadline = nil
        do throws(DeviceError) {
            let mixer = try Mixer.open(settings.controlDevice)
            unread[unread.count - 1].end()
            repair(mixer)
            takeVolume(mixer)
        } catch {
            // The card is gone or going, and whoever plays or captures says so.
            noteUnread(unread.count - 1, error)
        }
    }

    /// - Parameter index: the place in `[mixer]`; after the last one, that of the card itself.
    private func noteUnread(_ index: Int, _ error: DeviceError) {
        if isNews(&unread[index], error) { log.debug("mixer.unread", [Field("detail", error.context)]) }
    }

    /// Sets again what another program has changed. A control that cannot be read was refused already.
    private func repair(_ mixer: borrowing Mixer) {
        var restored = ""
        for (index, setting) in settings.mixer.settings.enumerated()
        where setting.control != settings.playback.volumeControl {
            do throws(DeviceError) {
                let found = try mixer.difference(setting.control, from: setting.value)
                unread[index].end()
                guard let difference = found else { continue }
                let now = clock()
                if now - repairs[index].lastAt > Self.repairPeriod { repairs[index] = Repairs() }
                if repairs[index].count == Self.mostRepairs {
                    giveUp(index, "\(setting.control) is \(difference)")
                    continue
                }
                repairs[index].count += 1
                repairs[index].lastAt = now
                try mixer.set(setting.control, to: setting.value)
                restored += (restored.isEmpty ? "" : "; ") + "\(setting.control) was \(difference)"
            } catch {
                noteUnread(index, error)
            }
        }
        if !restored.isEmpty { log.notice("mixer.restored", [Field("detail", restored)]) }
    }

    private func giveUp(_ index: Int, _ detail: String) {
        if repairs[index].isGivenUp { return }
        repairs[index].isGivenUp = true
        log.warning(
            "mixer.contested",
            [
                Field("detail", detail),
                Field(
                    "advice",
                    "Another program sets it back each time; it is left so. Stop that program ('fuser -v /dev/snd/*' "
                        + "names those that have the card), or take the control out of [mixer]."),
            ])
    }

    private func takeVolume(_ mixer: borrowing Mixer) {
        let name = settings.playback.volumeControl
        guard !name.isEmpty, volumePercent != nil, let reading = volumeReading(mixer),
            reading.values != volumeStands
        else { return }
        volumeStands = reading.values
        let percent = Self.percent(of: reading)
        if percent == volumePercent { return }
        log.notice("volume.turned", [Field("control", name), Field("percent", percent)])
        takenPercent = percent
        onVolumeTurned(percent)
    }

    private func volumeReading(_ mixer: borrowing Mixer) -> Mixer.VolumeReading? {
        let name = settings.playback.volumeControl
        do throws(DeviceError) { return try mixer.volume(name, top: settings.mixer.value(of: name)) } catch {
            return nil
        }
    }

    /// The inverse of what `setVolume` does.
    static func percent(of reading: Mixer.VolumeReading) -> Int {
        guard reading.percent > 0, let attenuation = reading.attenuationDecibels else { return reading.percent }
        let part = Level.factor(decibels: -attenuation).squareRoot()
        return max(1, min(100, Int((part * 100).rounded())))
    }

    /// For the status: what the card shows now, not what it was told.
    func describe(_ json: inout JSONWriter) {
        if !isNeeded { return }
        do throws(DeviceError) {
            let mixer = try Mixer.open(settings.controlDevice)
            var differences = ""
            func note(_ text: String) {
                differences += (differences.isEmpty ? "" : "; ") + text
            }
            for setting in settings.mixer.settings where setting.control != settings.playback.volumeControl {
                do throws(DeviceError) {
                    if let found = try mixer.difference(setting.control, from: setting.value) {
                        note("\(setting.control) is \(found)")
                    }
                } catch {
                    note(error.code == .noSuchControl ? "there is no \(setting.control)" : error.context)
                }
            }
            json.set("mixer", differences.isEmpty ? "ok" : "differs")
            json.set(
                "mixer_differs",
                String(decoding: differences.utf8.prefix(Self.longestDifferencesBytes), as: UTF8.self))
            if let reading = volumeReading(mixer) { json.set("volume_control", Self.percent(of: reading)) }
        } catch {
            json.set("mixer", "missing")
            json.set(
                "mixer_differs",
                String(decoding: error.context.utf8.prefix(Self.longestDifferencesBytes), as: UTF8.self))
        }
    }

    /// So that the status stays one datagram.
    private static let longestDifferencesBytes = 400
}

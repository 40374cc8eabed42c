import LinuxIO

/// The two audio threads, what the ear shares with them, the event by which they wake the loop, and the thread that watches
/// all of them. They end with this object, so that a start that
/// fails half-way (a certificate that cannot be read, say) leaves no thread behind.
final class AudioThreads {
    let event: EventDescriptor
    let capture: CaptureThread
    let playback: PlaybackThread
    let watch: ThreadWatch
    /// Of the ear, whichever wake words it has; by `earBell` the capture thread wakes it.
    let ear = EarControls()
    let earBell: EventDescriptor

    /// Starts them at once.
    init(settings: PuckSettings, manager: ServiceManager?, log: Log) throws(SystemError) {
        event = try EventDescriptor()
        earBell = try EventDescriptor()
        ear.pulse.rest()
        let capture = try CaptureThread(
            settings: settings, wake: event.signaller,
            bell: EarBell(controls: ear, signaller: earBell.signaller))
        let playback: PlaybackThread
        do throws(SystemError) {
            playback = try PlaybackThread(settings: settings, wake: event.signaller)
        } catch {
            capture.stop()
            throw error
        }
        do throws(SystemError) {
            let watched: [(name: String, pulse: Pulse)] = [
                (name: "capture", pulse: capture.controls.pulse), (name: "playback", pulse: playback.controls.pulse),
                (name: "ear", pulse: ear.pulse),
            ]
            watch = try ThreadWatch(watched, manager: manager, log: log)
        } catch {
            capture.stop()
            playback.stop()
            throw error
        }
        self.capture = capture
        self.playback = playback
    }

    deinit {
        stop()
        ear.destroy()
    }

    /// Asks both to end, and does not wait.
    func askToStop() {
        capture.askToStop()
        playback.askToStop()
    }

    /// Asks both to end and waits for them. A second call does nothing.
    func stop() {
        watch.stop()
        askToStop()
        capture.stop()
        playback.stop()
    }
}

import LinuxIO

/// The two audio threads, and the event by which they wake the loop. They end with this object, so that a start that
/// fails half-way (a certificate that cannot be read, say) leaves no thread behind.
final class AudioThreads {
    let event: EventDescriptor
    let capture: CaptureThread
    let playback: PlaybackThread

    /// Starts both at once.
    init(settings: PuckSettings) throws(SystemError) {
        event = try EventDescriptor()
        let capture = try CaptureThread(settings: settings, wake: event.signaller)
        do throws(SystemError) {
            playback = try PlaybackThread(settings: settings, wake: event.signaller)
        } catch {
            capture.stop()
            throw error
        }
        self.capture = capture
    }

    deinit { stop() }

    /// Asks both to end, and does not wait.
    func askToStop() {
        capture.askToStop()
        playback.askToStop()
    }

    /// Asks both to end and waits for them. A second call does nothing.
    func stop() {
        askToStop()
        capture.stop()
        playback.stop()
    }
}

import CALSA
import CALSAShim
import CLinux

/// Tells when somebody changes a card's controls: this program, `alsamixer`, `alsactl restore`. The descriptor becomes
/// readable, and `drain` says whether it concerns anybody here. One thread.
public final class MixerWatch {
    public enum News: Equatable, Sendable {
        case nothing
        /// One of the controls that were asked for has another value.
        case changed
        /// The card is gone.
        case lost
    }

    /// What a `drain` reads at most: the queue of a card whose controls all change at once. The rest comes with the next.
    static let mostEvents = 256

    /// To be polled for reading. The watch closes it.
    public let descriptor: Int32
    private let controls: OpaquePointer
    private let event: OpaquePointer

    /// - Parameter device: ALSA's name of the card's controls, as for `Mixer.open`.
    public init(_ device: String) throws(DeviceError) {
        puck_alsa_catch_messages()
        puck_alsa_forget_message()
        var handle: OpaquePointer?
        var result = snd_ctl_open(&handle, device, Int32(SND_CTL_NONBLOCK | SND_CTL_READONLY))
        guard result == 0, let handle else { throw .mixing(device, "its controls cannot be watched", result) }
        result = snd_ctl_subscribe_events(handle, 1)
        var entry = pollfd()
        if result >= 0, snd_ctl_poll_descriptors(handle, &entry, 1) != 1 || entry.fd < 0 { result = -ENOSYS }
        var event: OpaquePointer?
        if result >= 0, snd_ctl_event_malloc(&event) < 0 { result = -ENOMEM }
        guard result >= 0, let event else {
            snd_ctl_close(handle)
            throw .mixing(device, "its controls cannot be watched", result)
        }
        controls = handle
        descriptor = entry.fd
        self.event = event
    }

    deinit {
        snd_ctl_event_free(event)
        snd_ctl_close(controls)
    }

    /// Reads what has happened since the last call; does not wait.
    /// - Parameter names: the controls that matter.
    public func drain(_ names: [String]) -> News {
        var news = News.nothing
        for _ in 0..<Self.mostEvents {
            let result = snd_ctl_read(controls, event)
            if result == 0 || result == -EAGAIN || result == -EINTR { break }
            if result < 0 { return .lost }
            if news == .changed || snd_ctl_event_get_type(event) != SND_CTL_EVENT_ELEM { continue }
            // A control that goes away or comes counts as well: all bits set are a removal.
            let name = String(cString: snd_ctl_event_elem_get_name(event))
            if names.contains(name) { news = .changed }
        }
        return news
    }
}

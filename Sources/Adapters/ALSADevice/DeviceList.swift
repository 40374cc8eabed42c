import CALSA
import CALSAShim
import CLinux
import PuckBase

/// One name that can be given as a device.
public struct ListedDevice: Equatable, Sendable {
    /// For the configuration. Cards go by their id, never by a number that depends on the order of plugging in.
    public let name: String
    /// What the card calls itself.
    public let details: String
    /// The USB port that the card is at, such as `1-1.2`; empty for others. See `usbPort`.
    public internal(set) var port = ""
    public var canCapture: Bool
    public var canPlay: Bool

    public init(name: String, details: String, port: String = "", canCapture: Bool, canPlay: Bool) {
        self.name = name
        self.details = details
        self.port = port
        self.canCapture = canCapture
        self.canPlay = canPlay
    }

    /// A line for a terminal: name, directions, details.
    public var line: String {
        let directions = canCapture ? (canPlay ? "capture, playback" : "capture") : "playback"
        return leftAligned(name, 36) + " " + leftAligned(directions, 18) + " " + details
            + (port.isEmpty ? "" : ", usb_path \(port)")
    }
}

/// The PCM devices of this machine: the hardware first, then the names that ALSA's configuration offers.
/// Allocates and may open control devices; not for real-time threads.
public func listDevices() -> [ListedDevice] {
    puck_alsa_catch_messages()
    var devices: [ListedDevice] = []
    var card: Int32 = -1
    while snd_card_next(&card) == 0, card >= 0 { appendHardware(of: card, to: &devices) }
    appendHints(to: &devices)
    return devices
}

/// The lines of `puckd --list-devices`; says so when there is nothing to list.
public func deviceListLines() -> [String] {
    let devices = listDevices()
    if devices.isEmpty {
        return [
            "No sound device: the kernel knows no card and ALSA's configuration names none.",
            "Check that the card is plugged in or its overlay is loaded, and that you may read /dev/snd (group 'audio').",
        ]
    }
    return devices.map { $0.line }
}

private func appendHardware(of card: Int32, to devices: inout [ListedDevice]) {
    var control: OpaquePointer?
    guard snd_ctl_open(&control, "hw:\(card)", Int32(SND_CTL_NONBLOCK)) == 0, let control else { return }
    defer { snd_ctl_close(control) }
    var information: OpaquePointer?
    var stream: OpaquePointer?
    guard snd_ctl_card_info_malloc(&information) == 0, snd_pcm_info_malloc(&stream) == 0 else { return }
    defer {
        snd_ctl_card_info_free(information)
        snd_pcm_info_free(stream)
    }
    guard snd_ctl_card_info(control, information) == 0 else { return }
    let id = String(cString: snd_ctl_card_info_get_id(information))
    let cardName = String(cString: snd_ctl_card_info_get_name(information))
    let port = usbPort(ofCard: Int(card), root: "")
    var number: Int32 = -1
    while snd_ctl_pcm_next_device(control, &number) == 0, number >= 0 {
        var device = ListedDevice(
            name: "hw:CARD=\(id),DEV=\(number)", details: cardName, port: port, canCapture: false, canPlay: false)
        snd_pcm_info_set_device(stream, UInt32(number))
        snd_pcm_info_set_subdevice(stream, 0)
        snd_pcm_info_set_stream(stream, SND_PCM_STREAM_CAPTURE)
        device.canCapture = snd_ctl_pcm_info(control, stream) == 0
        snd_pcm_info_set_stream(stream, SND_PCM_STREAM_PLAYBACK)
        device.canPlay = snd_ctl_pcm_info(control, stream) == 0
        if device.canCapture || device.canPlay { devices.append(device) }
    }
}

private func appendHints(to devices: inout [ListedDevice]) {
    var hints: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    guard snd_device_name_hint(-1, "pcm", &hints) == 0, let hints else { return }
    defer { snd_device_name_free_hint(hints) }
    var next = hints
    while let hint = next.pointee {
        next += 1
        let name = text("NAME", of: hint)
        let isKnown = devices.contains { $0.name == name }
        if name.isEmpty || name == "null" || isKnown { continue }
        let direction = text("IOID", of: hint)  // "Input", "Output", or nothing for both
        let firstLine = text("DESC", of: hint).split(separator: "\n").first
        devices.append(
            ListedDevice(
                name: name, details: firstLine.map { String($0) } ?? "", canCapture: direction != "Output",
                canPlay: direction != "Input"))
    }
}

private func text(_ key: String, of hint: UnsafeMutableRawPointer) -> String {
    guard let value = snd_device_name_get_hint(hint, key) else { return "" }
    defer { free(value) }
    return String(cString: value)
}

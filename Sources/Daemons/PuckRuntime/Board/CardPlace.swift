import ALSADevice
import LinuxIO

/// Where the card behind a device is plugged in, and which others cannot be told from it by their id.
struct CardPlace: Equatable {
    /// As in /proc/asound/cards; empty when the device names no card that is there.
    let id: String
    /// Its USB port; empty for a card that is not at USB.
    let port: String
    /// The other cards of the same make, in the order in which the kernel found them.
    let twins: [Hardware.Card]

    /// - Parameters:
    ///   - device: ALSA's name, such as `hw:CARD=Device,DEV=0`.
    ///   - root: "" for this machine.
    init(of device: String, root: String) {
        let wanted = Self.card(in: device)
        let cards = wanted.isEmpty ? [] : Hardware.cards(root)
        let card = cards.first { $0.id == wanted }
        id = card?.id ?? ""
        port = card?.port ?? ""
        twins = card.map { own in cards.filter { $0.id != own.id && !own.usb.isEmpty && $0.usb == own.usb } } ?? []
    }

    /// The id in `hw:CARD=Device,DEV=0` or `plughw:Device,0`; empty for other names.
    static func card(in device: String) -> String {
        let parts = device.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { return "" }
        let argument = parts[1].prefix { $0 != "," }
        if argument.hasPrefix("CARD=") { return String(argument.dropFirst(5)) }
        return parts[0].hasSuffix("hw") ? String(argument) : ""
    }

    /// What is wrong with choosing this card by its id, and what to do; nil where nothing is.
    /// - Parameters:
    ///   - section: "capture" or "playback".
    ///   - usbPath: the configured one.
    func ambiguity(_ section: String, usbPath: String) -> (detail: String, advice: String)? {
        if twins.isEmpty || !usbPath.isEmpty { return nil }
        var list = "\(id) at USB port \(port)"
        for twin in twins { list += ", \(twin.id) at \(twin.port)" }
        return (
            "[\(section)] device: \(twins.count + 1) cards of one make are there: \(list); which of them has which id "
                + "may change with the next start",
            "Choose by the port: [\(section)] usb_path = \(port), and 'hw:CARD=$CARD' in device."
        )
    }
}

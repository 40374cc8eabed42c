import LinuxIO

/// What tells boards from each other on this machine, as the kernel and the firmware show it.
struct Hardware: Equatable, Sendable {
    struct Card: Equatable, Sendable {
        var id: String
        /// `VENDOR:PRODUCT`; empty for a card that is not at a USB port.
        var usb: String
    }

    var cards: [Card] = []
    /// `NAME@ADDRESS`.
    var chips: [String] = []
    /// `VENDOR:PRODUCT`.
    var usb: [String] = []
    /// Of the HAT's EEPROM; empty when there is none.
    var hat = ""
    /// What config.txt asks for. The device tree that results does not say which overlays it was made of.
    var overlays: [String] = []

    init() {}

    /// Reads the machine that lies under `root`: "" for this one. What cannot be read is not there.
    init(root: String) {
        cards = Self.cards(root)
        for device in folderEntries(root + "/sys/bus/i2c/devices") {
            // "1-001a": bus and address. The buses themselves are "i2c-1".
            let name = text(root + "/sys/bus/i2c/devices/" + device + "/name")
            if let dash = device.utf8.firstIndex(of: UInt8(ascii: "-")), !device.hasPrefix("i2c"), !name.isEmpty {
                chips.append(name + "@" + device[dash...].dropFirst().suffix(2))
            }
        }
        for device in folderEntries(root + "/sys/bus/usb/devices") {
            let vendor = text(root + "/sys/bus/usb/devices/" + device + "/idVendor")
            // A device's interfaces lie beside it and have none.
            if !vendor.isEmpty {
                usb.append(vendor + ":" + text(root + "/sys/bus/usb/devices/" + device + "/idProduct"))
            }
        }
        hat = text(root + "/proc/device-tree/hat/product")
        for path in ["/boot/firmware/config.txt", "/boot/config.txt"] where overlays.isEmpty {
            for line in text(root + path).split(separator: "\n") where line.hasPrefix("dtoverlay=") {
                overlays.append(String(line.dropFirst(10).prefix { $0 != "," && $0 != " " && $0 != "\r" }))
            }
        }
    }

    /// The sound cards alone.
    static func cards(_ root: String) -> [Card] {
        var found: [Card] = []
        for entry in folderEntries(root + "/proc/asound") where entry.hasPrefix("card") {
            // "card0"; "cards" is a file, and no card's id.
            let id = text(root + "/proc/asound/" + entry + "/id")
            if !id.isEmpty { found.append(Card(id: id, usb: text(root + "/proc/asound/" + entry + "/usbid"))) }
        }
        return found
    }
}

extension BoardDescription {
    /// The id of this board's card among those that there are; nil when it is not there.
    func card(among cards: [Hardware.Card]) -> String? {
        for id in self.cards where cards.contains(where: { $0.id == id }) { return id }
        return cards.first { usb.contains($0.usb) }?.id
    }

    /// ALSA's name of a device with the card's id for `$CARD`. Looked up anew for each use, since cards come late, and
    /// a USB card's id depends on what else is plugged in.
    func device(_ name: String, root: String) -> String {
        let parts = name.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.dropFirst().contains(where: { $0.hasPrefix("CARD") }) else { return name }
        // A card that is not there goes by the name that it would have; the error then says it.
        let id = card(among: Hardware.cards(root)) ?? cards.first ?? "usb-" + (usb.first ?? "unknown").dashed
        var result = String(parts[0])
        for part in parts.dropFirst() {
            result += part.hasPrefix("CARD") ? id + part.dropFirst(4) : "$" + part
        }
        return result
    }
}

extension String {
    /// A colon would end the name of a device's argument.
    fileprivate var dashed: String { String(map { $0 == ":" ? "-" : $0 }) }
}

/// A small file's text without the line's end, or the zero, that the kernel closes it with; empty when it cannot be read.
private func text(_ path: String) -> String {
    do throws(SystemError) {
        var bytes = try readSmallFile(path)
        while let last = bytes.last, last == 0 || last == 0x0a { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    } catch { return "" }
}

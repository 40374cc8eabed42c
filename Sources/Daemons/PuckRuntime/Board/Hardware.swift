import ALSADevice
import LinuxIO

/// What tells boards from each other on this machine, as the kernel and the firmware show it.
struct Hardware: Equatable, Sendable {
    struct Card: Equatable, Sendable {
        var id: String
        /// `VENDOR:PRODUCT`; empty for a card that is not at a USB port.
        var usb: String
        /// Its USB port, such as `1-1.2`; empty likewise.
        var port = ""
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
        for (device, folder) in entries(root + "/sys/bus/i2c/devices") {
            // "1-001a": bus and address. The buses themselves are "i2c-1".
            let name = text(folder + "/name")
            if !name.isEmpty, !device.hasPrefix("i2c") { chips.append(name + "@" + device.suffix(2)) }
        }
        for (_, folder) in entries(root + "/sys/bus/usb/devices") {
            let vendor = text(folder + "/idVendor")
            // A device's interfaces lie beside it and have none.
            if !vendor.isEmpty { usb.append(vendor + ":" + text(folder + "/idProduct")) }
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
        for (name, folder) in entries(root + "/proc/asound") where name.hasPrefix("card") {
            // "card0"; "cards" is a file, and no card's id.
            let id = text(folder + "/id")
            if id.isEmpty { continue }
            let port = Int(name.dropFirst(4)).map { usbPort(ofCard: $0, root: root) } ?? ""
            found.append(Card(id: id, usb: text(folder + "/usbid"), port: port))
        }
        return found
    }
}

extension Hardware {
    /// What `--list-devices` shows of the cards of a machine that lies under `root`: /proc/asound has a folder for each
    /// direction of a device, such as `card1/pcm0c`.
    static func devices(_ root: String) -> [ListedDevice] {
        var found: [ListedDevice] = []
        for (name, folder) in entries(root + "/proc/asound") where name.hasPrefix("card") {
            let id = text(folder + "/id")
            guard !id.isEmpty, let number = Int(name.dropFirst(4)) else { continue }
            for (stream, _) in entries(folder) where stream.hasPrefix("pcm") {
                let device = "hw:CARD=\(id),DEV=\(stream.dropFirst(3).dropLast())"
                let canCapture = stream.hasSuffix("c")
                if let i = found.firstIndex(where: { $0.name == device }) {
                    found[i].canCapture = found[i].canCapture || canCapture
                    found[i].canPlay = found[i].canPlay || !canCapture
                } else {
                    found.append(
                        ListedDevice(
                            name: device, details: id, port: usbPort(ofCard: number, root: root),
                            canCapture: canCapture, canPlay: !canCapture))
                }
            }
        }
        return found
    }
}

extension BoardDescription {
    /// The id of this board's card among those that there are; nil when it is not there.
    /// - Parameter port: the USB port that the card is at, whatever it is called; empty for any.
    func card(among cards: [Hardware.Card], port: String = "") -> String? {
        if !port.isEmpty { return cards.first { $0.port == port }?.id }
        for id in self.cards where cards.contains(where: { $0.id == id }) { return id }
        return cards.first { usb.contains($0.usb) }?.id
    }

    /// Whether a device's name has `$CARD` in it.
    static func namesCard(_ name: String) -> Bool {
        name.split(separator: "$", omittingEmptySubsequences: false).dropFirst().contains { $0.hasPrefix("CARD") }
    }

    /// ALSA's name of a device with the card's id for `$CARD`. Looked up anew for each use, since cards come late, and
    /// a USB card's id depends on what else is plugged in.
    func device(_ name: String, root: String, port: String = "") -> String {
        let parts = name.split(separator: "$", omittingEmptySubsequences: false)
        if !Self.namesCard(name) { return name }
        // A card that is not there goes by the name that it would have; the error then says it.
        let expected = port.isEmpty ? cards.first ?? "usb-" + (usb.first ?? "unknown").dashed : "port-" + port
        let id = card(among: Hardware.cards(root), port: port) ?? expected
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

/// What a folder holds: names, and paths.
@inline(never)
private func entries(_ folder: String) -> [(name: String, path: String)] {
    folderEntries(folder).map { ($0, folder + "/" + $0) }
}

/// A small file's text without the line's end, or the zero, that the kernel closes it with; empty when it cannot be read.
@inline(never)
private func text(_ path: String) -> String {
    do throws(SystemError) {
        var bytes = try readSmallFile(path)
        while let last = bytes.last, last == 0 || last == 0x0a { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    } catch { return "" }
}

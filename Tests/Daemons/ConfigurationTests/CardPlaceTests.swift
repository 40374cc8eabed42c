import ALSADevice
import Foundation
import Settings
import Testing

@testable import PuckRuntime

/// Two cards of one make, as the kernel shows them.
@Suite struct CardPlaceTests {
    /// A folder with these cards, for as long as `body` runs.
    private func machine<Result>(
        _ cards: [(id: String, usb: String, port: String)], _ body: (String) throws -> Result
    ) throws -> Result {
        let root = NSTemporaryDirectory() + "/puck-cards-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        for (number, card) in cards.enumerated() {
            for folder in ["proc/asound/card\(number)", "sys/class/sound/card\(number)"] {
                try FileManager.default.createDirectory(atPath: root + "/" + folder, withIntermediateDirectories: true)
            }
            try Data((card.id + "\n").utf8).write(to: URL(filePath: root + "/proc/asound/card\(number)/id"))
            if card.usb.isEmpty { continue }
            try Data((card.usb + "\n").utf8).write(to: URL(filePath: root + "/proc/asound/card\(number)/usbid"))
            try FileManager.default.createSymbolicLink(
                atPath: root + "/sys/class/sound/card\(number)/device",
                withDestinationPath: "../../../devices/usb1/1-1/\(card.port)/\(card.port):1.0")
        }
        return try body(root)
    }

    private static let twins = [
        ("vc4hdmi", "", ""), ("Device", "0d8c:0014", "1-1.2"), ("Device_1", "0d8c:0014", "1-1.3"),
    ]
    /// The same after a start at which the other one was found first.
    private static let swapped = [
        ("vc4hdmi", "", ""), ("Device", "0d8c:0014", "1-1.3"), ("Device_1", "0d8c:0014", "1-1.2"),
    ]

    @Test("a port is the kernel's name of it", arguments: ["1-1", "1-1.2", "3-1.4.10"])
    func port(_ text: String) { #expect(isUSBPort(text)) }

    @Test("anything else is none", arguments: ["", "1", "1-", "-1", "1-1.", "1-1:1.0", "usb1", "1-1-1", "1-a"])
    func noPort(_ text: String) { #expect(!isUSBPort(text)) }

    @Test("the port of a card is where its link in /sys leads")
    func read() throws {
        try machine(Self.twins) { root in
            #expect(usbPort(ofCard: 1, root: root) == "1-1.2" && usbPort(ofCard: 2, root: root) == "1-1.3")
            #expect(usbPort(ofCard: 0, root: root) == "" && usbPort(ofCard: 7, root: root) == "")
        }
    }

    @Test("usb_path chooses the same card in whatever order they are found, and no other when it is gone")
    func chosen() throws {
        let board = BoardDescription(name: "generic")
        for (cards, id) in [(Self.twins, "Device_1"), (Self.swapped, "Device")] {
            try machine(cards) { root in
                #expect(board.device("plughw:CARD=$CARD,DEV=0", root: root, port: "1-1.3") == "plughw:CARD=\(id),DEV=0")
            }
        }
        try machine([Self.twins[0], Self.twins[1]]) { root in
            #expect(board.device("hw:CARD=$CARD", root: root, port: "1-1.3") == "hw:CARD=port-1-1.3")
        }
    }

    @Test("cards of one make are named with their ports, unless the port is chosen")
    func ambiguity() throws {
        try machine(Self.twins) { root in
            let place = CardPlace(of: "hw:CARD=Device,DEV=0", root: root)
            let said = try #require(place.ambiguity("capture", usbPath: ""))
            #expect(said.detail.contains("2 cards of one make are there: Device at USB port 1-1.2, Device_1 at 1-1.3"))
            #expect(said.advice.contains("[capture] usb_path = 1-1.2"))
            #expect(place.ambiguity("capture", usbPath: "1-1.2") == nil)
            #expect(CardPlace(of: "plughw:Device_1,0", root: root).port == "1-1.3")
            for device in ["hw:CARD=vc4hdmi", "default", "hw:7", "kitchen"] {
                let other = CardPlace(of: device, root: root)
                #expect(other.port.isEmpty && other.ambiguity("capture", usbPath: "") == nil)
            }
        }
    }

    private func settings(_ overrides: String...) throws(SettingsErrors) -> HardwareSettings {
        var reader = SettingsReader(layers: [SettingsDocument(overrides: overrides)], mainName: "test")
        let settings = HardwareSettings(&reader)
        settings.check(board: BoardDescription(name: "generic"), &reader)
        try reader.finish()
        return settings
    }

    @Test("usb_path makes $CARD known, is the loudspeaker's too, and is refused where it chooses nothing")
    func keys() throws {
        let both = try settings(
            "capture.usb_path=1-1.3", "capture.device=hw:CARD=$CARD", "playback.device=hw:CARD=$CARD")
        #expect(both.playback.usbPath == "1-1.3")
        let own = try settings(
            "capture.usb_path=1-1.3", "capture.device=hw:CARD=$CARD", "playback.usb_path=1-1.2",
            "playback.device=hw:CARD=$CARD")
        #expect(own.playback.usbPath == "1-1.2")
        for (overrides, words) in [
            (["capture.usb_path=1-1.3"], "chooses nothing, since device names no $CARD"),
            (["capture.usb_path=port 3", "capture.device=hw:CARD=$CARD"], "a USB port such as 1-1.2"),
            (["capture.device=hw:CARD=$CARD"], "or its port in usb_path"),
        ] {
            var reader = SettingsReader(layers: [SettingsDocument(overrides: overrides)], mainName: "test")
            HardwareSettings(&reader).check(board: BoardDescription(name: "generic"), &reader)
            let error = #expect(throws: SettingsErrors.self) { try reader.finish() }
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        }
    }
}

import Foundation
import Settings
import Testing

@testable import PuckRuntime

/// Machines made of files: what /proc and /sys show of a board.
@Suite struct DetectionTests {
    private static let boards: [BoardDescription] = BoardFileTests.names.compactMap {
        try? BoardDescription.read(Repository.path("boards/\($0).conf"), name: $0).board
    }

    /// A folder with these files, for as long as `body` runs.
    private func machine<Result>(_ files: [String: String], _ body: (String) throws -> Result) throws -> Result {
        let root = NSTemporaryDirectory() + "/puck-machine-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        for (path, text) in files {
            let file = URL(fileURLWithPath: root + "/" + path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        return try body(root)
    }

    private func card(_ number: Int, _ id: String, usb: String? = nil) -> [String: String] {
        var files = ["proc/asound/card\(number)/id": id + "\n", "proc/asound/cards": ""]
        if let usb { files["proc/asound/card\(number)/usbid"] = usb + "\n" }
        return files
    }

    private func chip(_ name: String, _ device: String) -> [String: String] {
        [
            "sys/bus/i2c/devices/\(device)/name": name + "\n",
            "sys/bus/i2c/devices/i2c-1/name": "bcm2835 (i2c@7e804000)\n",
        ]
    }

    private func usb(_ vendor: String, _ product: String) -> [String: String] {
        [
            "sys/bus/usb/devices/1-1.3/idVendor": vendor + "\n", "sys/bus/usb/devices/1-1.3/idProduct": product + "\n",
            "sys/bus/usb/devices/1-1.3:1.0/bInterfaceClass": "01\n",
        ]
    }

    private func detect(_ parts: [String: String]...) throws -> Detection {
        try machine(parts.reduce(into: [:]) { $0.merge($1) { $1 } }) { Detection(Self.boards, on: Hardware(root: $0)) }
    }

    @Test("the machine is read as the kernel shows it")
    func hardware() throws {
        let files = [
            card(0, "Headphones"), card(1, "Device", usb: "2886:001a"), chip("wm8960", "1-001a"), usb("2886", "001a"),
            [
                "proc/device-tree/hat/product": "Voice Bonnet\0",
                "boot/firmware/config.txt": "# x\ndtoverlay=satellite1-i2s\n#dtoverlay=no\ndtoverlay=w,a=b\n",
            ],
        ].reduce(into: [:]) { $0.merge($1) { $1 } }
        let hardware = try machine(files) { Hardware(root: $0) }
        #expect(hardware.cards == [.init(id: "Headphones", usb: ""), .init(id: "Device", usb: "2886:001a")])
        #expect(hardware.chips == ["wm8960@1a"] && hardware.usb == ["2886:001a"])
        #expect(hardware.hat == "Voice Bonnet" && hardware.overlays == ["satellite1-i2s", "w"])
        #expect(Hardware(root: "/nonexistent") == Hardware())
    }

    @Test("the two 2-Mics HATs have one card id, and are told from each other by their codecs")
    func codecs() throws {
        let v2 = try detect(card(0, "vc4hdmi"), card(1, "seeed2micvoicec"), chip("tlv320aic3104", "1-0018"))
        #expect(v2.verdict == .found("respeaker-2mic-v2"))
        #expect(v2.candidates[0].found == ["sound card seeed2micvoicec", "I2C chip tlv320aic3104@18"])
        // Another bus, as on other boards.
        let v1 = try detect(card(1, "wm8960soundcard"), chip("wm8960", "11-001a"))
        #expect(v1.verdict == .ambiguous(["adafruit-voice-bonnet", "respeaker-2mic-v1"]))
    }

    @Test("boards at USB go by their ids, whatever their card is called")
    func usbBoards() throws {
        let array = try detect(card(1, "ArrayUAC10", usb: "2886:0018"), usb("2886", "0018"))
        #expect(array.verdict == .found("respeaker-usb-4mic"))
        let xvf = try detect(card(3, "Array_1", usb: "2886:001a"), usb("2886", "001a"))
        #expect(xvf.verdict == .found("respeaker-xvf3800"))
        #expect(xvf.candidates[0].found == ["USB device 2886:001a"])
    }

    @Test("a board of which a part is missing is named with what is missing, and not taken for found")
    func partly() throws {
        let some = try detect(card(0, "seeed2micvoicec"))
        #expect(some.verdict == .unknown)
        #expect(some.candidates.map(\.board.name).contains("respeaker-2mic-v2"))
        #expect(some.candidates.allSatisfy { $0.missing.count == 1 && $0.missing[0].hasPrefix("I2C chip ") })
        let device = try detect(usb("2886", "0019"))
        #expect(device.verdict == .unknown && device.candidates[0].missing == ["sound card Lite"])
    }

    @Test("an overlay that config.txt asks for is a clue too")
    func overlay() throws {
        #expect(try detect(["boot/config.txt": "dtoverlay=satellite1-i2s\n"]).verdict == .found("satellite1"))
    }

    @Test("a machine without any board is unknown")
    func unknown() throws {
        let empty = try detect(card(0, "PCH"))
        #expect(empty.verdict == .unknown && empty.candidates.isEmpty)
    }

    @Test("more kinds of evidence win")
    func particular() {
        var plain = BoardDescription(name: "plain")
        plain.cards = ["x"]
        var rich = plain
        rich.name = "rich"
        rich.hat = "Rich HAT"
        var hardware = Hardware()
        hardware.cards = [.init(id: "x", usb: "")]
        #expect(Detection([plain, rich], on: hardware).verdict == .found("plain"))
        hardware.hat = "Rich HAT"
        #expect(Detection([plain, rich], on: hardware).verdict == .found("rich"))
    }

    @Test("$CARD is the id of the board's card, looked up anew each time")
    func cardName() throws {
        var board = BoardDescription(name: "b")
        #expect(board.device("default", root: "/nonexistent") == "default")
        #expect(board.device("a$b", root: "/nonexistent") == "a$b")
        board.usb = ["2886:001a"]
        #expect(board.device("hw:CARD=$CARD,DEV=0", root: "/nonexistent") == "hw:CARD=usb-2886-001a,DEV=0")
        try machine(card(1, "Array_1", usb: "2886:001a").merging(card(0, "PCH")) { $1 }) {
            #expect(board.device("hw:CARD=$CARD,DEV=0", root: $0) == "hw:CARD=Array_1,DEV=0")
        }
        board.cards = ["first", "second"]
        #expect(board.device("hw:$CARD", root: "/nonexistent") == "hw:first")
        try machine(card(0, "second")) { #expect(board.device("hw:$CARD", root: $0) == "hw:second") }
    }
}

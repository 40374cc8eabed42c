import Settings

/// `[board]` of a board's file: what the board is called, and by what this machine shows that it is there.
public struct BoardDescription: Equatable, Sendable {
    /// The file's name without ".conf".
    public var name: String
    public var title: String
    /// ALSA's ids of its sound card, as in /proc/asound/cards; drivers differ in them.
    public var cards: [String]
    /// Its chips on an I2C bus, `NAME@ADDRESS`: the driver's name for the chip, and two hexadecimal digits.
    public var chips: [String]
    /// `VENDOR:PRODUCT`, four hexadecimal digits each.
    public var usb: [String]
    /// The product that its EEPROM tells the firmware; empty when it has none.
    public var hat: String
    /// Device tree overlays that only this board needs.
    public var overlays: [String]

    /// A board of which nothing is known.
    init(name: String) {
        self.name = name
        title = ""
        cards = []
        chips = []
        usb = []
        hat = ""
        overlays = []
    }

    init(name: String, _ reader: inout SettingsReader) {
        self.name = name
        title = reader.text("board", "title", default: "")
        // The kernel's own limit is 15 bytes.
        cards = reader.list("board", "card", most: 8, of: "card ids of 1…15 bytes, as in /proc/asound/cards,") {
            (1...15).contains($0.utf8.count)
        }
        chips = reader.list("board", "i2c", most: 8, of: "chips such as wm8960@1a", where: Self.isChip)
        usb = reader.list("board", "usb", most: 8, of: "USB ids such as 2886:0018, as lsusb shows them,") {
            let halves = $0.split(separator: ":", omittingEmptySubsequences: false)
            return halves.count == 2 && halves.allSatisfy { isHexadecimal($0, digits: 4) }
        }
        hat = reader.text("board", "hat", default: "")
        overlays = reader.list("board", "overlay", most: 4, of: "names of overlays, as in config.txt,") { !$0.isEmpty }
    }

    /// Reads the file of a board: its description, and the layer that its settings are.
    static func read(
        _ path: String, name: String
    ) throws(SettingsErrors) -> (board: BoardDescription, settings: SettingsDocument) {
        var document = try SettingsDocument.read(path, advice: "'puckd --detect' lists the boards that are known")
        let own = document.removeSection("board")
        var reader = SettingsReader(layers: [own], mainName: path)
        let board = BoardDescription(name: name, &reader)
        try reader.finish()
        return (board, document)
    }

    /// Whether anything tells this board from others.
    var isRecognisable: Bool {
        !cards.isEmpty || !chips.isEmpty || !usb.isEmpty || !hat.isEmpty || !overlays.isEmpty
    }

    private static func isChip(_ word: String) -> Bool {
        let halves = word.split(separator: "@", omittingEmptySubsequences: false)
        return halves.count == 2 && !halves[0].isEmpty && isHexadecimal(halves[1], digits: 2)
    }
}

/// As the kernel writes them: small letters.
func isHexadecimal(_ text: Substring, digits: Int) -> Bool {
    text.utf8.count == digits
        && text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
}

/// Where the boards' files are. Folders that come first win.
struct BoardFolders {
    static let usual = "/etc/puckd/boards, /usr/share/puckd/boards"

    let folders: [String]

    /// The file of a board; nil when no folder has it.
    func path(of name: String) -> String? {
        for folder in folders {
            let path = folder + "/" + name + ".conf"
            if SettingsDocument.exists(path) { return path }
        }
        return nil
    }
}

import Foundation

/// The GPIO chips of a house: folders and files that the fake libgpiod takes for hardware (Tests/Fixtures/FakeGPIO/README.md).
struct Board {
    let folder: URL

    /// Programs that the house starts from now on, with devices, see this board.
    init(in house: House) throws {
        folder = house.file("board")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        let inherited = ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"].map { ":" + $0 } ?? ""
        house.environment["LD_LIBRARY_PATH"] = try Build.gpioLibrary.get() + inherited
        house.environment["PUCK_FAKE_GPIO"] = folder.path
    }

    /// Adds a chip.
    func chip(_ label: String = "pinctrl-test", number: Int = 0) throws {
        try FileManager.default.createDirectory(at: chipFolder(number), withIntermediateDirectories: false)
        try write(label, to: "label", chip: number)
    }

    func write(_ text: String, to file: String, chip: Int = 0) throws {
        try Data((text + "\n").utf8).write(to: chipFolder(chip).appending(path: file))
    }

    func remove(_ file: String, chip: Int = 0) throws {
        try FileManager.default.removeItem(at: chipFolder(chip).appending(path: file))
    }

    func text(_ file: String, chip: Int = 0) -> String {
        (try? String(contentsOf: chipFolder(chip).appending(path: file), encoding: .utf8)) ?? ""
    }

    /// Takes a chip away.
    func unplug(_ number: Int = 0) throws {
        try FileManager.default.moveItem(at: chipFolder(number), to: folder.appending(path: "unplugged"))
    }

    /// Brings it back, under another number.
    func plug(_ number: Int) throws {
        try FileManager.default.moveItem(at: folder.appending(path: "unplugged"), to: chipFolder(number))
    }

    private func chipFolder(_ number: Int) -> URL { folder.appending(path: "gpiochip\(number)") }
}

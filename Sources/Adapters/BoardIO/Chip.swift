import CGPIOD
import CLinux

/// An open GPIO chip. A plain value; whoever has it closes it, or hands it to the line that is requested of it.
struct Chip {
    /// Numbers that are looked at for chips. The kernel gives out the lowest free one; a Raspberry Pi 5 has 14.
    static let maximumCount = 64

    let pointer: OpaquePointer
    let label: String
    let lineCount: Int

    func close() { puck_gpio_close(pointer) }

    /// Opens the first of `labels` that exists.
    static func find(_ labels: [String]) throws(LineError) -> Chip {
        var best: (rank: Int, chip: Chip)?
        var others: [String] = []
        var refusal: (number: Int, result: Int32)?
        for number in 0..<maximumCount {
            var pointer: OpaquePointer?
            var result = puck_gpio_open(UInt32(number), &pointer)
            guard result == 0, let pointer else {
                if result == -ELIBACC { throw .noLibrary() }
                // A number that is not there is nothing special: numbers have gaps.
                if result != -ENOENT, refusal == nil { refusal = (number, result) }
                continue
            }
            var facts = puck_gpio_chip_facts()
            result = puck_gpio_chip_facts(pointer, &facts)
            let label = text(&facts.label)
            let rank = result == 0 ? labels.firstIndex(of: label) : nil
            guard let rank, rank < best?.rank ?? labels.count else {
                puck_gpio_close(pointer)
                // One chip may have two names: Raspberry Pi OS links gpiochip4 to gpiochip0.
                if result == 0, !others.contains(label) { others.append(label) }
                continue
            }
            best?.chip.close()
            best = (rank, Chip(pointer: pointer, label: label, lineCount: Int(facts.line_count)))
        }
        if let best { return best.chip }
        throw .noSuchChip(labels, existing: others, refusal: refusal)
    }

    /// What the kernel says of a line; nothing when it says nothing.
    func facts(line offset: UInt32) -> (name: String, consumer: String) {
        var facts = puck_gpio_line_facts()
        guard puck_gpio_line_facts(pointer, offset, &facts) == 0 else { return ("", "") }
        return (text(&facts.name), facts.is_used ? text(&facts.consumer) : "")
    }
}

/// A C array of 32 characters, closed by a zero, as text.
private func text<Characters>(_ characters: inout Characters) -> String {
    withUnsafePointer(to: &characters) {
        $0.withMemoryRebound(to: CChar.self, capacity: 32) { String(cString: $0) }
    }
}

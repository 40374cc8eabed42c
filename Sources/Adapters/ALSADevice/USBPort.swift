import CLinux

/// The USB port that a sound card is plugged into, as the kernel counts it: bus, then the port of each hub, such as
/// `1-1.2`. Unlike the card's number and, with two cards of one make, its id, it does not depend on the order in which
/// cards are found. Empty for a card that is not at USB.
/// - Parameters:
///   - number: the card's, as in /proc/asound/cards.
///   - root: "" for this machine; the folder that imitates one in tests.
public func usbPort(ofCard number: Int, root: String) -> String {
    let link = root + "/sys/class/sound/card\(number)/device"
    var buffer = [CChar](repeating: 0, count: 512)
    let count = readlink(link, &buffer, buffer.count)
    guard count > 0 else { return "" }
    let target = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // The USB interface, such as "../../../1-1.2:1.0".
    guard let name = target.split(separator: "/").last, let colon = name.utf8.firstIndex(of: UInt8(ascii: ":")) else {
        return ""
    }
    let port = name[..<colon]
    return isUSBPort(String(port)) ? String(port) : ""
}

/// Whether a text is written as the kernel names a USB port: numbers with one "-" after the first and "." between the
/// others.
public func isUSBPort(_ text: String) -> Bool {
    let halves = text.split(separator: "-", omittingEmptySubsequences: false)
    guard halves.count == 2, text.utf8.count <= 31 else { return false }
    let numbers = [halves[0]] + halves[1].split(separator: ".", omittingEmptySubsequences: false)
    return numbers.allSatisfy { number in
        !number.isEmpty
            && number.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}

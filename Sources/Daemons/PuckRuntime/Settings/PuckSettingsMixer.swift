import ALSADevice
import PuckBase
import Settings

/// `[mixer]`: the card's controls and what they are set to at every start, since drivers begin with whatever they like
/// and forget it with the card. The keys are the controls' own names, as `amixer controls` shows them.
public struct MixerSettings: Equatable, Sendable {
    public struct Setting: Equatable, Sendable {
        public var control: String
        public var value: MixerValue
    }

    /// In the order of the file: a switch may have to come before what it switches.
    public var settings: [Setting]

    init(_ reader: inout SettingsReader) {
        settings = []
        for entry in reader.openSection("mixer") {
            if entry.key.utf8.count > Mixer.longestName {
                reader.refuse("mixer", entry.key, "no control has so long a name; at most \(Mixer.longestName) bytes")
            } else if let value = MixerValue(entry.value) {
                settings.append(Setting(control: entry.key, value: value))
            } else {
                reader.refuse(
                    "mixer", entry.key,
                    "found \"\(entry.value)\"; allowed: on, off, 0…100%, such as -6.5dB, a whole number, or the control's word"
                )
            }
        }
    }

    /// What a control is set to here, which is then its loudest; nil when it is not.
    func value(of control: String) -> MixerValue? { settings.first { $0.control == control }?.value }
}

extension MixerValue {
    /// "80%", "-6 dB", "on", "off", "12", or a word of the control's own. Nil for what only looks like one of these.
    init?(_ text: String) {
        if text == "on" || text == "off" {
            self = .isOn(text == "on")
        } else if text.utf8.last == UInt8(ascii: "%") {
            guard let percent = Int(text.dropLast()), (0...100).contains(percent) else { return nil }
            self = .percent(percent)
        } else if text.hasSuffix("dB") {
            var number = text.dropLast(2)
            while number.last == " " { number.removeLast() }
            guard let decibels = parseDecimal(String(number)), abs(decibels) <= 200 else { return nil }
            self = .decibels(decibels)
        } else if let number = Int(text) {
            self = .number(number)
        } else {
            self = .item(text)
        }
    }
}

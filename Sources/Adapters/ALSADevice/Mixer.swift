import CALSA
import CALSAShim
import CLinux
import PuckBase

/// What a control is to be set to, as people write it.
public enum MixerValue: Equatable, Sendable {
    /// 0…100 of the way from the control's least to its greatest value.
    case percent(Int)
    /// By the card's own scale; the nearest step is taken.
    case decibels(Double)
    case isOn(Bool)
    /// As 'amixer contents' shows it.
    case number(Int)
    /// One of the control's own words.
    case item(String)
}

/// The controls of one sound card. They are named as 'amixer controls' names them, such as "HP DAC Playback Volume", and
/// all channels of one are set alike.
///
/// Thread: one at a time. Nothing here waits for sound, but a driver may take a millisecond for its bus; not for
/// real-time threads.
public struct Mixer: ~Copyable {
    /// libasound's limit (SNDRV_CTL_ELEM_ID_NAME_MAXLEN without its closing zero).
    public static let longestName = 43

    private let controls: OpaquePointer
    private let device: String

    /// - Parameter device: ALSA's name of the card's controls, such as "hw:CARD=Lite" or "default".
    public static func open(_ device: String) throws(DeviceError) -> Mixer {
        puck_alsa_catch_messages()
        puck_alsa_forget_message()
        var handle: OpaquePointer?
        let result = snd_ctl_open(&handle, device, Int32(SND_CTL_NONBLOCK))
        guard result == 0, let handle else { throw .mixing(device, "its controls cannot be opened", result) }
        return Mixer(controls: handle, device: device)
    }

    private init(controls: OpaquePointer, device: String) {
        self.controls = controls
        self.device = device
    }

    deinit { snd_ctl_close(controls) }

    /// Sets a control. Throws `.noSuchControl` when the card has none of that name, `.invalidArgument` for a value that
    /// it cannot take.
    public func set(_ name: String, to value: MixerValue) throws(DeviceError) {
        let element = try element(name)
        try write(element, try raw(value, of: element))
    }

    /// Whether `set` would work; nothing is changed.
    public func check(_ name: String, _ value: MixerValue) throws(DeviceError) {
        _ = try raw(value, of: try element(name))
    }

    /// Turns a volume control to where it takes so much off its loudest.
    /// - Parameters:
    ///   - percent: 0…100, for a control whose steps mean nothing in decibels; 0 is its least value in any case.
    ///   - attenuationDecibels: 0 or more.
    ///   - top: what 100 % is; nil for the control's greatest value.
    public func setVolume(
        _ name: String, percent: Int, attenuationDecibels: Double, top: MixerValue?
    ) throws(DeviceError) {
        let element = try element(name)
        guard element.type == SND_CTL_ELEM_TYPE_INTEGER else { throw unfit(element, "a volume") }
        var loudest = element.range.upperBound
        if let top { loudest = try raw(top, of: element) }
        let least = element.range.lowerBound
        var value = Self.part(percent, of: least...max(least, loudest), rounding: 0)
        var centibels = 0
        if percent > 0, snd_ctl_convert_to_dB(controls, element.id, loudest, &centibels) == 0 {
            let wanted = centibels - Int((attenuationDecibels * 100).rounded())
            // Rounded up, so that what is asked for is heard at the lowest step.
            if snd_ctl_convert_from_dB(controls, element.id, wanted, &value, 1) < 0 { value = least }
        }
        try write(element, min(max(value, least), loudest))
    }

    /// What a control shows where that is not what `set` would make it; nil where it is.
    public func difference(_ name: String, from value: MixerValue) throws(DeviceError) -> String? {
        let element = try element(name)
        let wanted = try raw(value, of: element)
        let values = try values(of: element)
        if values.allSatisfy({ $0 == wanted }) { return nil }
        var text = ""
        for value in values { text += (text.isEmpty ? "" : " ") + words(value, element) }
        return "\(text), not \(words(wanted, element))"
    }

    /// Where a volume control stands.
    public struct VolumeReading: Equatable, Sendable {
        /// In the card's own numbers, one a channel. A change of these is what somebody turned.
        public var values: [Int]
        /// Of the way from the least value to `top`, 0…100; 0 for the least value alone.
        public var percent: Int
        /// By how much it is quieter than `top`, 0 or more; nil where the control knows no decibels.
        public var attenuationDecibels: Double?
    }

    /// Where a volume control stands, on its loudest channel.
    /// - Parameter top: what 100 % is; nil for the control's greatest value.
    public func volume(_ name: String, top: MixerValue?) throws(DeviceError) -> VolumeReading {
        let element = try element(name)
        guard element.type == SND_CTL_ELEM_TYPE_INTEGER else { throw unfit(element, "a volume") }
        let values = try values(of: element)
        let least = element.range.lowerBound
        var loudest = element.range.upperBound
        if let top { loudest = max(least, try raw(top, of: element)) }
        let value = min(loudest, values.max() ?? least)
        let width = Int64(loudest) - Int64(least)
        let part = width == 0 ? 100 : Int(((Int64(value) - Int64(least)) * 100 + width / 2) / width)
        var reading = VolumeReading(values: values, percent: value > least ? max(1, part) : 0)
        var centibels = 0
        var loudestCentibels = 0
        if snd_ctl_convert_to_dB(controls, element.id, value, &centibels) == 0,
            snd_ctl_convert_to_dB(controls, element.id, loudest, &loudestCentibels) == 0
        {
            reading.attenuationDecibels = Double(max(0, loudestCentibels - centibels)) / 100
        }
        return reading
    }

    // MARK: -

    /// A control that was looked up, with the memory that libasound wants for it.
    private final class Element {
        let name: String
        let id: OpaquePointer
        let info: OpaquePointer
        let value: OpaquePointer

        /// Room for a control; `find` fills it.
        init(_ name: String) {
            self.name = name
            var id: OpaquePointer?
            var info: OpaquePointer?
            var value: OpaquePointer?
            guard snd_ctl_elem_id_malloc(&id) == 0, snd_ctl_elem_info_malloc(&info) == 0,
                snd_ctl_elem_value_malloc(&value) == 0, let id, let info, let value
            else { preconditionFailure("no memory for three small objects") }
            self.id = id
            self.info = info
            self.value = value
        }

        deinit {
            snd_ctl_elem_id_free(id)
            snd_ctl_elem_info_free(info)
            snd_ctl_elem_value_free(value)
        }

        var type: snd_ctl_elem_type_t { snd_ctl_elem_info_get_type(info) }

        /// What its numbers may be.
        var range: ClosedRange<Int> {
            switch type {
            case SND_CTL_ELEM_TYPE_INTEGER:
                let least = snd_ctl_elem_info_get_min(info)
                return least...max(least, snd_ctl_elem_info_get_max(info))
            case SND_CTL_ELEM_TYPE_ENUMERATED: return 0...max(0, Int(snd_ctl_elem_info_get_items(info)) - 1)
            default: return 0...1
            }
        }
    }

    /// Looks a control up in the card's list: with the number that it has there, which plugins want beside the name for
    /// their scales of decibels (libasound 1.2.8).
    private func element(_ name: String) throws(DeviceError) -> Element {
        var list: OpaquePointer?
        guard snd_ctl_elem_list_malloc(&list) == 0, let list else { preconditionFailure("no memory for a list") }
        defer {
            snd_ctl_elem_list_free_space(list)
            snd_ctl_elem_list_free(list)
        }
        var result = snd_ctl_elem_list(controls, list)
        if result >= 0 { result = snd_ctl_elem_list_alloc_space(list, snd_ctl_elem_list_get_count(list)) }
        if result >= 0 { result = snd_ctl_elem_list(controls, list) }
        if result < 0 { throw .mixing(device, "its controls cannot be listed", result) }
        var names: [String] = []
        for i in 0..<snd_ctl_elem_list_get_used(list)
        where snd_ctl_elem_list_get_interface(list, i) == SND_CTL_ELEM_IFACE_MIXER {
            let known = String(cString: snd_ctl_elem_list_get_name(list, i))
            if known == name {
                let element = Element(name)
                snd_ctl_elem_list_get_id(list, i, element.id)
                snd_ctl_elem_info_set_id(element.info, element.id)
                snd_ctl_elem_value_set_id(element.value, element.id)
                let result = snd_ctl_elem_info(controls, element.info)
                if result < 0 { throw .mixing(device, "control '\(name)'", result) }
                return element
            }
            names.append(known)
        }
        let near = nearest(to: name, in: names).map { "Did you mean '\($0)'? " } ?? ""
        throw DeviceError(
            .noSuchControl, errno: ENOENT, context: "card '\(device)' has no control '\(name)'",
            advice: near + "'amixer -D \(device) controls' lists what it has; its driver may have another version.")
    }

    /// The number that the card takes for a value.
    private func raw(_ value: MixerValue, of element: Element) throws(DeviceError) -> Int {
        let range = element.range
        switch (value, element.type) {
        case (.number(let number), SND_CTL_ELEM_TYPE_INTEGER), (.number(let number), SND_CTL_ELEM_TYPE_BOOLEAN),
            (.number(let number), SND_CTL_ELEM_TYPE_ENUMERATED):
            if range.contains(number) { return number }
            throw unfit(element, "\(number)")
        case (.percent(let percent), SND_CTL_ELEM_TYPE_INTEGER):
            return Self.part(percent, of: range, rounding: 50)
        case (.decibels(let decibels), SND_CTL_ELEM_TYPE_INTEGER):
            var number = 0
            let wanted = Int((decibels * 100).rounded())
            if snd_ctl_convert_from_dB(controls, element.id, wanted, &number, 0) == 0 { return number }
            throw unfit(element, "decibels")
        case (.isOn(let isOn), SND_CTL_ELEM_TYPE_BOOLEAN): return isOn ? 1 : 0
        // Some drivers offer their switches as numbers from 0 to 1.
        case (.isOn(let isOn), SND_CTL_ELEM_TYPE_INTEGER) where range == 0...1: return isOn ? 1 : 0
        case (_, SND_CTL_ELEM_TYPE_ENUMERATED): return try item(value, of: element)
        case (.item(let word), _): throw unfit(element, "'\(word)'")
        case (.isOn, _): throw unfit(element, "on or off")
        case (.percent, _): throw unfit(element, "a percentage")
        case (.decibels, _), (.number, _): throw unfit(element, "a number")
        }
    }

    /// In 64 bits: a control may have all the 32 that a board's `Int` has.
    private static func part(_ percent: Int, of range: ClosedRange<Int>, rounding: Int64) -> Int {
        let width = Int64(range.upperBound) - Int64(range.lowerBound)
        return Int(Int64(range.lowerBound) + (width * Int64(percent) + rounding) / 100)
    }

    private func item(_ value: MixerValue, of element: Element) throws(DeviceError) -> Int {
        var word = ""
        switch value {
        case .item(let text): word = text
        case .isOn(let isOn): word = isOn ? "on" : "off"
        case .percent, .decibels, .number: break
        }
        var known = ""
        for number in element.range {
            snd_ctl_elem_info_set_item(element.info, UInt32(number))
            guard snd_ctl_elem_info(controls, element.info) == 0 else { continue }
            var name = String(cString: snd_ctl_elem_info_get_item_name(element.info))
            // Some drivers' words end in a blank, which no configuration file keeps.
            while name.utf8.last == UInt8(ascii: " ") { name.removeLast() }
            if equal(name, word) { return number }
            known += (known.isEmpty ? "'" : ", '") + name + "'"
        }
        throw unfit(element, "'\(word)'", allowed: known)
    }

    /// Whatever their letters' case: "Off" and "off".
    private func equal(_ a: String, _ b: String) -> Bool {
        func lower(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 0x20 : byte }
        return a.utf8.elementsEqual(b.utf8) { lower($0) == lower($1) }
    }

    /// One a channel.
    private func values(of element: Element) throws(DeviceError) -> [Int] {
        let result = snd_ctl_elem_read(controls, element.value)
        if result < 0 { throw .mixing(device, "control '\(element.name)' cannot be read", result) }
        var values: [Int] = []
        for channel in 0..<snd_ctl_elem_info_get_count(element.info) {
            switch element.type {
            case SND_CTL_ELEM_TYPE_BOOLEAN:
                values.append(Int(snd_ctl_elem_value_get_boolean(element.value, channel)))
            case SND_CTL_ELEM_TYPE_ENUMERATED:
                values.append(Int(snd_ctl_elem_value_get_enumerated(element.value, channel)))
            default: values.append(snd_ctl_elem_value_get_integer(element.value, channel))
            }
        }
        return values
    }

    /// A control's number as people write it in `[mixer]`.
    private func words(_ number: Int, _ element: Element) -> String {
        switch element.type {
        case SND_CTL_ELEM_TYPE_BOOLEAN: return number == 0 ? "off" : "on"
        case SND_CTL_ELEM_TYPE_ENUMERATED:
            snd_ctl_elem_info_set_item(element.info, UInt32(clamping: number))
            guard snd_ctl_elem_info(controls, element.info) == 0 else { return "\(number)" }
            return "'\(String(cString: snd_ctl_elem_info_get_item_name(element.info)))'"
        default: return "\(number)"
        }
    }

    private func write(_ element: Element, _ number: Int) throws(DeviceError) {
        for channel in 0..<snd_ctl_elem_info_get_count(element.info) {
            switch element.type {
            case SND_CTL_ELEM_TYPE_BOOLEAN: snd_ctl_elem_value_set_boolean(element.value, channel, number)
            case SND_CTL_ELEM_TYPE_ENUMERATED:
                snd_ctl_elem_value_set_enumerated(element.value, channel, UInt32(number))
            default: snd_ctl_elem_value_set_integer(element.value, channel, number)
            }
        }
        let result = snd_ctl_elem_write(controls, element.value)
        if result < 0 { throw .mixing(device, "control '\(element.name)' cannot be set", result) }
    }

    private func unfit(_ element: Element, _ value: String, allowed: String = "") -> DeviceError {
        let range = element.range
        var words = allowed
        if words.isEmpty { words = "\(range.lowerBound) to \(range.upperBound)" }
        switch element.type {
        case SND_CTL_ELEM_TYPE_BOOLEAN: words = "on or off"
        case SND_CTL_ELEM_TYPE_INTEGER, SND_CTL_ELEM_TYPE_ENUMERATED: break
        default: words = "what puckd cannot set: neither a number, a switch nor a choice"
        }
        return DeviceError(
            .invalidArgument, errno: EINVAL, context: "control '\(element.name)' of '\(device)' does not take \(value)",
            advice: "It takes \(words); 'amixer -D \(device) contents' shows it.")
    }
}

import CJansson
import PuckBase

/// Why a manifest cannot be used: what is wrong with it, and what to do.
public struct WakeManifestError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// What stands beside a model: microWakeWord's manifest, version 2, as ESPHome's users have it.
///
/// Numbers may be written as ESPHome takes them: as numbers or as text, a probability also in per cent ("97%"), a time
/// with its unit ("10ms"). Keys that are not known here are ignored, as ESPHome adds some over time.
public struct WakeManifest: Equatable, Sendable {
    /// Bytes of a manifest; those in use have 400.
    public static let fileBytes = 16 * 1024
    /// Bytes of a phrase: it goes over the wire.
    public static let phraseBytes = 64
    /// Outputs of a model whose mean is judged. ESPHome's models take 5 to 10.
    public static let longestWindow = 64
    static let mostLanguages = 64
    static let nameBytes = 64

    /// The words to say, such as "Okay Nabu".
    public let phrase: String
    /// The model's file, beside the manifest.
    public let modelFile: String
    /// As the author names them, such as "en"; may be empty.
    public let languages: [String]
    /// 0…1: the mean of the window must exceed it.
    public let cutoff: Double
    /// Outputs in the window, 1…`longestWindow`.
    public let window: Int
    /// Bytes that TensorFlow Lite Micro takes for the model; not used here. 0 where it is not said.
    public let arenaBytes: Int
    /// Such as "2024.7.0"; not used here. Empty where it is not said.
    public let minimumVersion: String
    public let author: String

    /// Reads a manifest.
    public init(parsing bytes: [UInt8]) throws(WakeManifestError) {
        let root = try JSONTree(parsing: bytes)
        guard try root.text("type", orNil: true) ?? "micro" == "micro" else {
            throw WakeManifestError(
                "\"type\" is not \"micro\": only models of microWakeWord can be run; openWakeWord's cannot")
        }
        let version = try root.number("version", 0...1000)
        guard version == 2 else {
            throw WakeManifestError(
                "\"version\" is \(plain(version)), and only 2 is known: take the model's newer release, or train it anew "
                    + "with microWakeWord of 2024.7 or later")
        }
        phrase = try root.text("wake_word", 1...Self.phraseBytes)
        modelFile = try root.text("model", 1...1024)
        guard Self.isName(modelFile) else {
            throw WakeManifestError(
                "\"model\" is \"\(modelFile)\", which is no file's name: put the .tflite file beside the manifest and "
                    + "write its name there")
        }
        languages = try root.texts("trained_languages", most: Self.mostLanguages)
        author = try root.text("author", 0...1024, orNil: true) ?? ""
        let micro = try root.object("micro")
        cutoff = try micro.probability("probability_cutoff")
        window = Int(try micro.number("sliding_window_size", 1...Double(Self.longestWindow), isWhole: true))
        let step = try micro.number("feature_step_size", 1...1000, unit: "ms")
        guard step == 10 else {
            throw WakeManifestError(
                "\"feature_step_size\" is \(plain(step)) ms, and only models with 10 ms can be run: take a release for "
                    + "ESPHome 2024.7 or later")
        }
        arenaBytes = Int(
            try micro.number("tensor_arena_size", 0...2_147_483_647, isWhole: true, orNil: true) ?? 0)
        minimumVersion = try micro.text("minimum_esphome_version", 0...64, orNil: true) ?? ""
    }

    /// Whether it is the name of a file in the same folder, and nothing that a shell or a terminal takes for more.
    public static func isName(_ text: String) -> Bool {
        (1...nameBytes).contains(text.utf8.count) && text.utf8.first != UInt8(ascii: ".")
            && text.utf8.first != UInt8(ascii: "-") && text.utf8.allSatisfy(isNameByte)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

/// A probability as people write it: "0.97" or "97%". Nil for anything else, and outside of 0…1.
public func parseProbability(_ text: String) -> Double? {
    let isPercent = text.utf8.last == UInt8(ascii: "%")
    var digits = isPercent ? text.dropLast() : text[...]
    while digits.last == " " { digits = digits.dropLast() }
    guard let number = parseDecimal(String(digits)) else { return nil }
    let value = isPercent ? number / 100 : number
    return (0...1).contains(value) ? value : nil
}

/// As people write it: no decimals where there are none.
func plain(_ value: Double) -> String { value == value.rounded() ? fixed(value, 0) : fixed(value, 3) }

/// One JSON object of a manifest, through libjansson. Owns its reference.
private struct JSONTree: ~Copyable {
    private let object: UnsafeMutablePointer<json_t>

    init(parsing bytes: [UInt8]) throws(WakeManifestError) {
        guard bytes.count <= WakeManifest.fileBytes else {
            throw WakeManifestError(
                "the manifest has \(bytes.count) bytes, and at most \(WakeManifest.fileBytes) are allowed: is it the "
                    + "JSON file beside the model?")
        }
        var error = json_error_t()
        let value = bytes.withUnsafeBytes {
            json_loadb(
                $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count, Int(JSON_REJECT_DUPLICATES), &error)
        }
        guard let value else {
            throw WakeManifestError(
                "it is not JSON (line \(error.line), column \(error.column)): fetch the manifest again, and not the page "
                    + "that shows it")
        }
        guard value.pointee.type == JSON_OBJECT else {
            json_decref(value)
            throw WakeManifestError("it is no JSON object: fetch the manifest again")
        }
        object = value
    }

    private init(retaining object: UnsafeMutablePointer<json_t>) {
        json_incref(object)
        self.object = object
    }

    deinit { json_decref(object) }

    private func member(_ key: String, orNil: Bool) throws(WakeManifestError) -> UnsafeMutablePointer<json_t>? {
        guard let value = json_object_get(object, key), value.pointee.type != JSON_NULL else {
            if orNil { return nil }
            throw WakeManifestError(
                "\"\(key)\" is missing: a manifest of microWakeWord, version 2, has it (docs/WAKE.md shows one)")
        }
        return value
    }

    private func wrong(_ key: String, _ expected: String) -> WakeManifestError {
        WakeManifestError("\"\(key)\" must be \(expected)")
    }

    func object(_ key: String) throws(WakeManifestError) -> JSONTree {
        guard let value = try member(key, orNil: false), value.pointee.type == JSON_OBJECT else {
            throw wrong(key, "an object")
        }
        return JSONTree(retaining: value)
    }

    /// - Parameter bytes: how many of UTF-8.
    func text(_ key: String, _ bytes: ClosedRange<Int> = 0...1024) throws(WakeManifestError) -> String {
        guard let text = try text(key, bytes, orNil: false) else { throw wrong(key, "text") }
        return text
    }

    func text(_ key: String, _ bytes: ClosedRange<Int> = 0...1024, orNil: Bool) throws(WakeManifestError) -> String? {
        guard let value = try member(key, orNil: orNil) else { return nil }
        guard let text = Self.text(value), bytes.contains(text.utf8.count) else {
            throw wrong(key, "text of \(bytes.lowerBound) to \(bytes.upperBound) bytes, without control characters")
        }
        return text
    }

    /// Nil where it is no text, or one that a terminal must not be sent.
    private static func text(_ value: UnsafeMutablePointer<json_t>) -> String? {
        guard let characters = json_string_value(value) else { return nil }
        let text = String(cString: characters)
        return text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } ? text : nil
    }

    /// A list, or one that is alone; none where it is not said.
    func texts(_ key: String, most: Int) throws(WakeManifestError) -> [String] {
        guard let value = try member(key, orNil: true) else { return [] }
        if let alone = Self.text(value) { return [alone] }
        guard value.pointee.type == JSON_ARRAY, json_array_size(value) <= most else {
            throw wrong(key, "a list of at most \(most) texts")
        }
        var found: [String] = []
        for i in 0..<json_array_size(value) {
            guard let element = json_array_get(value, i), let text = Self.text(element), text.utf8.count <= 64 else {
                throw wrong(key, "a list of texts")
            }
            found.append(text)
        }
        return found
    }

    func number(
        _ key: String, _ range: ClosedRange<Double>, unit: String = "", isWhole: Bool = false
    ) throws(WakeManifestError) -> Double {
        guard let number = try number(key, range, unit: unit, isWhole: isWhole, orNil: false) else {
            throw wrong(key, "a number")
        }
        return number
    }

    func number(
        _ key: String, _ range: ClosedRange<Double>, unit: String = "", isWhole: Bool = false, orNil: Bool
    ) throws(WakeManifestError) -> Double? {
        guard let value = try member(key, orNil: orNil) else { return nil }
        var number: Double?
        if value.pointee.type == JSON_INTEGER || value.pointee.type == JSON_REAL {
            number = json_number_value(value)
        } else if let text = Self.text(value) {
            var digits = text[...]
            if !unit.isEmpty, digits.hasSuffix(unit) { digits = digits.dropLast(unit.utf8.count) }
            while digits.last == " " { digits = digits.dropLast() }
            number = parseDecimal(String(digits))
        }
        guard let number, range.contains(number), !isWhole || number == number.rounded() else {
            throw wrong(
                key,
                "a \(isWhole ? "whole " : "")number from \(plain(range.lowerBound)) to \(plain(range.upperBound))"
                    + (unit.isEmpty ? "" : " " + unit))
        }
        return number
    }

    func probability(_ key: String) throws(WakeManifestError) -> Double {
        guard let value = try member(key, orNil: false) else { throw wrong(key, "a number") }
        let isNumber = value.pointee.type == JSON_INTEGER || value.pointee.type == JSON_REAL
        let found = isNumber ? json_number_value(value) : Self.text(value).flatMap { parseProbability($0) }
        guard let found, (0...1).contains(found) else {
            throw wrong(key, "a number from 0 to 1, such as 0.97, or a text in per cent, such as \"97%\"")
        }
        return found
    }
}

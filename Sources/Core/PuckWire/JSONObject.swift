import CJansson

/// One JSON object of a control message that came in, through libjansson. Owns its reference; the payload is at most
/// 2,048 bytes, so nesting is bounded by that.
struct JSONObject: ~Copyable {
    private let object: UnsafeMutablePointer<json_t>

    init(parsing bytes: UnsafeRawBufferPointer) throws(WireError) {
        var error = json_error_t()
        let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        guard let base, let value = json_loadb(base, bytes.count, Int(JSON_REJECT_DUPLICATES), &error) else {
            throw WireError(.badControl, "the control message is not JSON (at byte \(error.position))")
        }
        guard value.pointee.type == JSON_OBJECT else {
            json_decref(value)
            throw WireError(.badControl, "a control message is a JSON object")
        }
        object = value
    }

    /// A second handle on a member object.
    private init(retaining object: UnsafeMutablePointer<json_t>) {
        json_incref(object)
        self.object = object
    }

    deinit { json_decref(object) }

    private func member(_ key: StaticString) -> UnsafeMutablePointer<json_t>? {
        guard let value = json_object_get(object, key.cString), value.pointee.type != JSON_NULL else { return nil }
        return value
    }

    private func required(_ key: StaticString) throws(WireError) -> UnsafeMutablePointer<json_t> {
        guard let value = member(key) else { throw WireError(.badControl, "member \"\(key.description)\" is missing") }
        return value
    }

    private func wrong(_ key: StaticString, _ expected: String) -> WireError {
        WireError(.badControl, "member \"\(key.description)\" must be \(expected)")
    }

    func has(_ key: StaticString) -> Bool { member(key) != nil }

    /// - Parameter limit: longest text in bytes.
    func string(_ key: StaticString, limit: Int = WireLimits.textBytes) throws(WireError) -> String {
        let value = try required(key)
        guard let text = json_string_value(value) else { throw wrong(key, "text") }
        guard json_string_length(value) <= limit else { throw wrong(key, "at most \(limit) bytes long") }
        return String(cString: text)
    }

    func integer(_ key: StaticString, _ range: ClosedRange<Int>) throws(WireError) -> Int {
        let value = try required(key)
        guard value.pointee.type == JSON_INTEGER else { throw wrong(key, "a whole number") }
        guard let number = Int(exactly: json_integer_value(value)), range.contains(number) else {
            throw wrong(key, "from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func unsigned(_ key: StaticString) throws(WireError) -> UInt32 {
        let value = try required(key)
        guard value.pointee.type == JSON_INTEGER, let number = UInt32(exactly: json_integer_value(value)) else {
            throw wrong(key, "a whole number from 0 to 4294967295")
        }
        return number
    }

    func sequence(_ key: StaticString) throws(WireError) -> UInt16 { UInt16(try integer(key, 0...65_535)) }

    func number(_ key: StaticString) throws(WireError) -> Double {
        let value = try required(key)
        guard value.pointee.type == JSON_REAL || value.pointee.type == JSON_INTEGER else {
            throw wrong(key, "a number")
        }
        return json_number_value(value)
    }

    /// A level or a ratio of sound: from -200 to 200 dB, more than any converter or room has.
    func decibels(_ key: StaticString) throws(WireError) -> Double {
        let value = try number(key)
        guard (-200...200).contains(value) else { throw wrong(key, "a number of decibels from -200 to 200") }
        return value
    }

    func boolean(_ key: StaticString) throws(WireError) -> Bool {
        let value = try required(key)
        guard value.pointee.type == JSON_TRUE || value.pointee.type == JSON_FALSE else {
            throw wrong(key, "true or false")
        }
        return value.pointee.type == JSON_TRUE
    }

    /// SHA-256 of certificates, 64 hexadecimal digits in lower case each.
    func fingerprints(_ key: StaticString, _ count: ClosedRange<Int>) throws(WireError) -> [String] {
        let found = try strings(key)
        guard count.contains(found.count), found.allSatisfy({ $0.utf8.count == 64 && $0.utf8.allSatisfy(Self.isDigit) })
        else { throw wrong(key, "a list of \(count.lowerBound) to \(count.upperBound) texts of 64 hexadecimal digits") }
        return found
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    /// - Parameter limit: the most elements, each a text of at most `WireLimits.textBytes`.
    func strings(_ key: StaticString, limit: Int = WireLimits.listElements) throws(WireError) -> [String] {
        let array = try required(key)
        guard array.pointee.type == JSON_ARRAY, json_array_size(array) <= limit else {
            throw wrong(key, "a list of at most \(limit) texts")
        }
        var result: [String] = []
        for i in 0..<json_array_size(array) {
            let value = json_array_get(array, i)
            guard let text = json_string_value(value) else { throw wrong(key, "a list of texts") }
            guard json_string_length(value) <= WireLimits.textBytes else {
                throw wrong(key, "a list of texts of at most \(WireLimits.textBytes) bytes")
            }
            result.append(String(cString: text))
        }
        return result
    }

    /// Levels relative to full scale, from -120 to 0 dB.
    /// - Parameter limit: the most elements.
    func levels(_ key: StaticString, limit: Int) throws(WireError) -> [Int8] {
        let array = try required(key)
        guard array.pointee.type == JSON_ARRAY, json_array_size(array) <= limit else {
            throw wrong(key, "a list of at most \(limit) levels")
        }
        var result: [Int8] = []
        for i in 0..<json_array_size(array) {
            guard let value = json_array_get(array, i), value.pointee.type == JSON_INTEGER,
                let level = Int8(exactly: json_integer_value(value)), (-120...0).contains(level)
            else { throw wrong(key, "a list of whole decibels from -120 to 0") }
            result.append(level)
        }
        return result
    }

    /// The elements of a list of objects, at most `limit`.
    func count(_ key: StaticString, limit: Int) throws(WireError) -> Int {
        let array = try required(key)
        guard array.pointee.type == JSON_ARRAY, json_array_size(array) <= limit else {
            throw wrong(key, "a list of at most \(limit) objects")
        }
        return json_array_size(array)
    }

    func object(_ key: StaticString, at index: Int) throws(WireError) -> JSONObject {
        guard let value = json_array_get(try required(key), index), value.pointee.type == JSON_OBJECT else {
            throw wrong(key, "a list of objects")
        }
        return JSONObject(retaining: value)
    }

    func object(_ key: StaticString) throws(WireError) -> JSONObject {
        let value = try required(key)
        guard value.pointee.type == JSON_OBJECT else { throw wrong(key, "an object") }
        return JSONObject(retaining: value)
    }
}

extension StaticString {
    /// Literals end with a zero; so naming a member allocates nothing.
    fileprivate var cString: UnsafePointer<CChar> {
        UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
    }
}

import CJansson

/// One JSON object, through libjansson. Owns its reference. Read from a control message of at most 2,048 bytes, so that
/// nesting is bounded by that; written by anybody.
public struct JSONObject: ~Copyable {
    private let object: UnsafeMutablePointer<json_t>

    /// An empty object to fill in.
    public init() {
        guard let object = json_object() else { preconditionFailure("out of memory") }
        self.object = object
    }

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

    /// Compact, UTF-8.
    public func serialized() -> [UInt8] {
        let size = json_dumpb(object, nil, 0, Int(JSON_COMPACT))
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            buffer.withMemoryRebound(to: CChar.self) {
                count = json_dumpb(object, $0.baseAddress, size, Int(JSON_COMPACT))
            }
        }
    }

    // MARK: Writing

    private func set(_ key: String, _ value: UnsafeMutablePointer<json_t>?) {
        // A nil value means text that is not UTF-8, which Swift strings cannot be, or no memory.
        precondition(json_object_set_new_nocheck(object, key, value) == 0, "JSON member could not be stored")
    }

    public func set(_ key: String, _ value: String) { set(key, json_string(value)) }
    public func set(_ key: String, _ value: Int) { set(key, json_integer(json_int_t(value))) }
    func set(_ key: String, _ value: UInt32) { set(key, Int(value)) }
    public func set(_ key: String, _ value: Bool) { set(key, value ? json_true() : json_false()) }

    /// Not-a-number and infinities have no JSON; they are sent as 0.
    public func set(_ key: String, _ value: Double) { set(key, json_real(value.isFinite ? value : 0)) }

    func set(_ key: String, _ value: [String]) {
        let array = json_array()
        for element in value { json_array_append_new(array, json_string(element)) }
        set(key, array)
    }

    public func set(_ key: String, _ value: borrowing JSONObject) {
        json_incref(value.object)
        set(key, value.object)
    }

    /// Adds an object to the list under `key`, which is made by the first.
    public func append(_ key: String, _ value: borrowing JSONObject) {
        if json_object_get(object, key) == nil { set(key, json_array()) }
        json_incref(value.object)
        precondition(
            json_array_append_new(json_object_get(object, key), value.object) == 0, "JSON element could not be stored")
    }

    // MARK: Reading

    private func member(_ key: String) -> UnsafeMutablePointer<json_t>? {
        guard let value = json_object_get(object, key), value.pointee.type != JSON_NULL else { return nil }
        return value
    }

    private func required(_ key: String) throws(WireError) -> UnsafeMutablePointer<json_t> {
        guard let value = member(key) else { throw WireError(.badControl, "member \"\(key)\" is missing") }
        return value
    }

    private func wrong(_ key: String, _ expected: String) -> WireError {
        WireError(.badControl, "member \"\(key)\" must be \(expected)")
    }

    func has(_ key: String) -> Bool { member(key) != nil }

    /// - Parameter limit: longest text in bytes.
    func string(_ key: String, limit: Int = 64) throws(WireError) -> String {
        let value = try required(key)
        guard let text = json_string_value(value) else { throw wrong(key, "text") }
        guard json_string_length(value) <= limit else { throw wrong(key, "at most \(limit) bytes long") }
        return String(cString: text)
    }

    func integer(_ key: String, _ range: ClosedRange<Int>) throws(WireError) -> Int {
        let value = try required(key)
        guard value.pointee.type == JSON_INTEGER else { throw wrong(key, "a whole number") }
        guard let number = Int(exactly: json_integer_value(value)), range.contains(number) else {
            throw wrong(key, "from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func unsigned(_ key: String) throws(WireError) -> UInt32 {
        let value = try required(key)
        guard value.pointee.type == JSON_INTEGER, let number = UInt32(exactly: json_integer_value(value)) else {
            throw wrong(key, "a whole number from 0 to 4294967295")
        }
        return number
    }

    func sequence(_ key: String) throws(WireError) -> UInt16 { UInt16(try integer(key, 0...65_535)) }

    func number(_ key: String) throws(WireError) -> Double {
        let value = try required(key)
        guard value.pointee.type == JSON_REAL || value.pointee.type == JSON_INTEGER else {
            throw wrong(key, "a number")
        }
        return json_number_value(value)
    }

    func boolean(_ key: String) throws(WireError) -> Bool {
        let value = try required(key)
        guard value.pointee.type == JSON_TRUE || value.pointee.type == JSON_FALSE else {
            throw wrong(key, "true or false")
        }
        return value.pointee.type == JSON_TRUE
    }

    /// - Parameter limit: the most elements.
    func strings(_ key: String, limit: Int = 16) throws(WireError) -> [String] {
        let array = try required(key)
        guard array.pointee.type == JSON_ARRAY, json_array_size(array) <= limit else {
            throw wrong(key, "a list of at most \(limit) texts")
        }
        var result: [String] = []
        for i in 0..<json_array_size(array) {
            guard let text = json_string_value(json_array_get(array, i)) else { throw wrong(key, "a list of texts") }
            result.append(String(cString: text))
        }
        return result
    }

    func object(_ key: String) throws(WireError) -> JSONObject {
        let value = try required(key)
        guard value.pointee.type == JSON_OBJECT else { throw wrong(key, "an object") }
        return JSONObject(retaining: value)
    }
}

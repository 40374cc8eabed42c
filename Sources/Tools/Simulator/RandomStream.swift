import PuckBase

/// Chance, one stream for each concern, so that a change in one (a fault left out, say) does not move the others.
struct RandomStream {
    enum Concern: UInt64 {
        case house = 1, network, faults, people, responder, puck, hub, connection, microphone, forgery, requests
        case television, tokens
    }

    private var generator: SeededGenerator

    /// - Parameter index: one of several streams of the same concern.
    init(seed: UInt64, _ concern: Concern, _ index: Int = 0) {
        // Drawn through the generator itself: neighbouring seeds and indices give unrelated streams.
        var mixer = SeededGenerator(seed: seed &* 0x9e37_79b9_7f4a_7c15 ^ concern.rawValue << 56)
        let base = mixer.next()
        mixer = SeededGenerator(seed: base ^ UInt64(bitPattern: Int64(index)) &* 0xd6e8_feb8_6659_fd93)
        generator = SeededGenerator(seed: mixer.next())
    }

    mutating func bits() -> UInt64 { generator.next() }

    /// 0 ..< 1.
    mutating func unit() -> Double { Double(generator.next() >> 11) * 0x1p-53 }

    mutating func chance(_ probability: Double) -> Bool { unit() < probability }

    mutating func between(_ low: Double, _ high: Double) -> Double { low + (high - low) * unit() }

    /// Spread evenly over the orders of magnitude: 0.2…20 is as often below 2 as above.
    mutating func logBetween(_ low: Double, _ high: Double) -> Double {
        low * logarithmicPower(high / low, unit())
    }

    mutating func int(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(generator.next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[int(0...elements.count - 1)] }

    /// The time until the next of events that come `mean` apart on average.
    mutating func exponential(mean: Double) -> Double { -mean * naturalLogarithm(1 - unit()) }

    mutating func seconds(_ low: Double, _ high: Double) -> Interval { .seconds(exactly: between(low, high)) }
    mutating func logSeconds(_ low: Double, _ high: Double) -> Interval { .seconds(exactly: logBetween(low, high)) }
}

extension Interval {
    /// With fractions, rounded to nanoseconds.
    static func seconds(exactly seconds: Double) -> Interval { Interval(nanoseconds: Int64(seconds * 1e9)) }
    var inSeconds: Double { Double(nanoseconds) / 1e9 }
}

extension Instant {
    static let never = Instant(nanoseconds: .max)
    var inSeconds: Double { Double(nanoseconds) / 1e9 }
}

// Without Foundation, and the same on every machine: a trace must not depend on a libm.

/// The natural logarithm of 0 < x ≤ 1 or more: the exponent, and atanh's series on a mantissa of 0.7…1.4.
private func naturalLogarithm(_ x: Double) -> Double {
    if x <= 0 { return -745 }
    var mantissa = x.significand
    var exponent = Double(x.exponent)
    if mantissa > 1.414_213_562_373_095 {
        mantissa /= 2
        exponent += 1
    }
    let z = (mantissa - 1) / (mantissa + 1)
    let square = z * z
    var term = z
    var sum = 0.0
    var n = 1.0
    while n < 30 {
        sum += term / n
        term *= square
        n += 2
    }
    return 2 * sum + exponent * 0.693_147_180_559_945_3
}

/// base to the power of 0 ≤ x ≤ 1, by exp's series on halves.
private func logarithmicPower(_ base: Double, _ x: Double) -> Double {
    let exponent = naturalLogarithm(base) * x / 64
    var term = 1.0
    var sum = 1.0
    var n = 1.0
    while n < 16 {
        term *= exponent / n
        sum += term
        n += 1
    }
    for _ in 0..<6 { sum *= sum }
    return sum
}

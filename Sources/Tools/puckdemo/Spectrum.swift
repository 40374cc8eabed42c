import Foundation

/// The discrete Fourier transform of a real signal, padded to a power of two, and the two things that the demo does
/// with it: find where one recording lies within another, and take low frequencies away without moving the rest.
struct Spectrum {
    private(set) var real: [Double]
    private(set) var imaginary: [Double]

    var count: Int { real.count }

    /// - Parameter count: a power of two, at least the signal's length.
    init(of signal: [Double], count: Int) {
        precondition(count.nonzeroBitCount == 1 && signal.count <= count, "a transform is a power of two long")
        real = signal + [Double](repeating: 0, count: count - signal.count)
        imaginary = [Double](repeating: 0, count: count)
        Self.transform(&real, &imaginary)
    }

    static func powerOfTwo(atLeast length: Int) -> Int {
        var count = 1
        while count < length { count *= 2 }
        return count
    }

    /// The signal again, padding included.
    func signal() -> [Double] {
        // The inverse is the forward transform of the conjugate, conjugated and scaled; a real signal needs no more.
        var re = real
        var im = imaginary.map { -$0 }
        Self.transform(&re, &im)
        let scale = 1 / Double(count)
        return re.map { $0 * scale }
    }

    /// This spectrum times the conjugate of `other`: the cross-correlation's spectrum.
    func correlated(with other: Spectrum) -> Spectrum {
        var result = self
        for i in 0..<count {
            result.real[i] = real[i] * other.real[i] + imaginary[i] * other.imaginary[i]
            result.imaginary[i] = imaginary[i] * other.real[i] - real[i] * other.imaginary[i]
        }
        return result
    }

    /// Nothing below `cutoff / 2`, everything above `cutoff`, a straight slope between. Hertz.
    mutating func removeBelow(_ cutoff: Double, rate: Double) {
        for i in 0..<count {
            let frequency = Double(min(i, count - i)) * rate / Double(count)
            let gain = min(1, max(0, (frequency - cutoff / 2) / (cutoff / 2)))
            real[i] *= gain
            imaginary[i] *= gain
        }
    }

    /// Cooley and Tukey's, radix 2, in place.
    private static func transform(_ real: inout [Double], _ imaginary: inout [Double]) {
        let count = real.count
        real.withUnsafeMutableBufferPointer { re in
            imaginary.withUnsafeMutableBufferPointer { im in
                reorder(re, im)
                var length = 2
                while length <= count {
                    combine(re, im, length: length)
                    length *= 2
                }
            }
        }
    }

    private static func reorder(_ re: UnsafeMutableBufferPointer<Double>, _ im: UnsafeMutableBufferPointer<Double>) {
        var reversed = 0
        for i in 0..<re.count {
            if i < reversed {
                re.swapAt(i, reversed)
                im.swapAt(i, reversed)
            }
            var bit = re.count / 2
            while bit > 0, reversed & bit != 0 {
                reversed ^= bit
                bit /= 2
            }
            reversed |= bit
        }
    }

    private static func combine(
        _ re: UnsafeMutableBufferPointer<Double>, _ im: UnsafeMutableBufferPointer<Double>, length: Int
    ) {
        let half = length / 2
        for k in 0..<half {
            let angle = -2 * Double.pi * Double(k) / Double(length)
            let (c, s) = (cos(angle), sin(angle))
            var i = k
            while i < re.count {
                let j = i + half
                let x = re[j] * c - im[j] * s
                let y = re[j] * s + im[j] * c
                re[j] = re[i] - x
                im[j] = im[i] - y
                re[i] += x
                im[i] += y
                i += length
            }
        }
    }
}

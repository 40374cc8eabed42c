#!/usr/bin/env python3
"""The numbers of WakeModel's front end, as Sources/Core/WakeModel/Tables.swift has them.
usage: Benchmarks/wake/tables.py >Sources/Core/WakeModel/Tables.swift

Computed in single precision where TensorFlow's front end does it, with this machine's C library: two weights depend on
how it rounds log1pf. The committed file was made with Debian 12's (glibc 2.36); `--check` compares."""
import ctypes
import math
import pathlib
import struct
import sys

LIBRARY = ctypes.CDLL("libm.so.6")
WINDOW, CHANNELS, RATE, SIZE = 480, 40, 16000, 512


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def library(name, *arguments):
    function = getattr(LIBRARY, name)
    function.restype = ctypes.c_float
    function.argtypes = [ctypes.c_float] * len(arguments)
    return function(*arguments)


def fixed(x, bits):
    """Rounded half up, `bits` after the point."""
    return math.floor(single(single(x * (1 << bits)) + 0.5))


def window():
    step = single(single(single(math.pi) * 2) / WINDOW)
    for i in range(WINDOW):
        cosine = library("cosf", single(step * (i + 0.5)))
        yield fixed(single(0.5 - single(0.5 * cosine)), 12)


def mel(frequency):
    return single(1127 * library("log1pf", single(frequency / 700)))


def filterbank():
    """First frequency; how many each channel has; their weights."""
    low, high = mel(125), mel(7500)
    spacing = single(single(high - low) / (CHANNELS + 1))
    centres = [single(low + single(spacing * (i + 1))) for i in range(CHANNELS + 1)]
    hertz = RATE / SIZE
    first = int(1.5 + 125 / hertz)
    at, widths, weights, below = first, [], [], low
    for centre in centres:
        width = 0
        while mel(at * hertz) <= centre:
            weight = single(single(centre - mel(at * hertz)) / single(centre - below))
            weights.append(fixed(weight, 12))
            # What TensorFlow has as a table of its own.
            assert fixed(single(1 - weight), 12) == 4096 - weights[-1]
            at += 1
            width += 1
        widths.append(width)
        below = centre
    return first, widths, weights


def gains():
    def gain(x):
        power = library("powf", single(single(x / 128) + 80), single(-0.95))
        return min(32767, int(single(single((1 << 21) * power) + 0.5)))

    yield gain(0)
    yield gain(1)
    for interval in range(2, 33):
        start = 1 << (interval - 1)
        end = 2 * start if interval < 32 else 2 * start - 1
        y, middle, last = gain(start), gain(start + start // 2), gain(end)
        slope = 4 * (middle - y) - (last - y)
        yield from (y, slope, last - y - slope, 0)


def array(name, kind, values, comment):
    lines, line = [], "       "
    for value in values:
        if len(line) + len(f" {value},") > 119:
            lines.append(line)
            line = "       "
        line += f" {value},"
    return "\n".join([f"    /// {comment}", f"    static let {name}: [{kind}] = [", *lines, line, "    ]", ""])


def source():
    first, widths, weights = filterbank()
    return "\n".join(
        [
            "/// The front end's numbers, made by `Benchmarks/wake/tables.py`. Committed, not computed at the start: two of the",
            "/// weights depend on how a C library rounds a logarithm.",
            "enum Tables {",
            array("window", "Int16", window(), "(1 − cos 2π(i + ½)/480) / 2, 12 bits after the point; not quite symmetric in single precision."),
            array("cosines", "Int16", (math.floor(0.5 + 32767 * math.cos(2 * math.pi * i / 512)) for i in range(129)), "cos 2πi/512 of the first quarter, 15 bits after the point."),
            "    /// The first frequency that counts, in steps of 31.25 Hz.",
            f"    static var firstFrequency: Int {{ @_noLocks @_noAllocation get {{ {first} }} }}",
            "",
            array("widths", "UInt8", widths, "Frequencies between each channel's centre and that of the one below; the last is above all channels."),
            array("weights", "Int16", weights, "Their weights in that channel, 12 bits after the point; the rest counts for the channel below."),
            array("gains", "Int16", gains(), "2²¹ · (x/128 + 80)^−0.95: at 0, at 1, then from each power of two value, slope, curvature, nothing."),
            array("logarithms", "UInt16", [round(65536 * (math.log2(1 + i / 128) - i / 128)) for i in range(129)], "log₂(1 + i/128) − i/128, 16 bits after the point.") + "}",
        ]
    )


if __name__ == "__main__":
    text = source()
    if sys.argv[1:] == ["--check"]:
        committed = pathlib.Path(__file__).parents[2] / "Sources/Core/WakeModel/Tables.swift"
        sys.exit(0 if committed.read_text().rstrip("\n") == text else "tables.py: Tables.swift differs from what this machine computes")
    print(text)

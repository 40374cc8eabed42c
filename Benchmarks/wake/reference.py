#!/usr/bin/env python3
"""What the reference makes of the tests' sounds, as Tests/WakeModelTests/Reference*.swift have it: a hash a second.
usage: Benchmarks/wake/reference.py features >Tests/WakeModelTests/ReferenceFeatures.swift

Needs `pip install -r Benchmarks/wake/requirements.txt`."""
import array
import struct
import sys

from sound import extremes, fnv, speech_like

SECONDS = 330


def features(samples):
    """Rows of 40 whole numbers, out of pymicro-features."""
    from pymicro_features import MicroFrontend

    front_end = MicroFrontend()
    sound = array.array("h", samples).tobytes()
    for start in range(0, len(sound) - 319, 320):
        row = front_end.process_samples(sound[start : start + 320]).features
        if row:
            yield [round(value / 0.0390625) for value in row]


def hashes(rows):
    """One of each 100 rows; 98 make the first second."""
    data, left = b"", 98
    for row in rows:
        data += struct.pack("<40H", *row)
        left -= 1
        if left == 0:
            yield fnv(data)
            data, left = b"", 100


def list_of(name, values, comment):
    print(f"    /// {comment}\n    static let {name}: [UInt32] = [")
    texts = [f"0x{value:08x}," for value in values]
    for start in range(0, len(texts), 8):
        print("        " + " ".join(texts[start : start + 8]))
    print("    ]")


def print_features():
    print("/// What pymicro-features 2.0.2 makes of the tests' sounds: a hash a second (Benchmarks/wake/reference.py).")
    print("enum ReferenceFeatures {")
    list_of("speechLike", hashes(features(speech_like(1, SECONDS * 16000))), f"Of `SpeechLikeSound(seed: 1)`, {SECONDS} s.")
    list_of("extremes", hashes(features(extremes(2))), "Of `extremeSound(seed: 2)`, 14 s.")
    print("}")


if __name__ == "__main__":
    if sys.argv[1:] == ["features"]:
        print_features()
    else:
        sys.exit(__doc__)

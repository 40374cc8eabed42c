#!/usr/bin/env python3
"""What the reference makes of the tests' sounds, as Tests/Core/WakeModelTests/Reference*.swift have it: a hash a second.
usage: Benchmarks/wake/reference.py features >Tests/Core/WakeModelTests/ReferenceFeatures.swift
       Benchmarks/wake/reference.py models FILE.tflite ... >Tests/Core/WakeModelTests/ReferenceOutputs.swift
       Benchmarks/wake/reference.py operators >Tests/Core/WakeModelTests/ReferenceOperators.swift

Needs `pip install -r Benchmarks/wake/requirements.txt`."""
import array
import pathlib
import struct
import sys

from sound import Random, extremes, fnv, restless_features, speech_like

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


def outputs(model, rows):
    """The model's output for each few rows, quantized as pymicro-wakeword does it."""
    scale, zero = model.quantization()
    waiting = []
    for row in rows:
        for feature in row:
            value = round(feature * 0.0390625 / scale + zero)
            waiting.append(min(max(value, -128), 127) & 255)
        if len(waiting) == model.input_size:
            yield model.run(waiting)[0]
            waiting = []


def output_hashes(model, rows):
    data = bytes(outputs(model, rows))
    return [fnv(data[start : start + 1000]) for start in range(0, len(data), 1000)]


def print_models(paths):
    from tensorflow_lite import Interpreter

    spoken = list(features(speech_like(1, SECONDS * 16000)))
    restless = list(restless_features(4, 30000))
    print("/// What TensorFlow Lite, out of pymicro-wakeword 2.5.0, makes of the tests' features: a hash of each 1,000 outputs")
    print("/// (Benchmarks/wake/reference.py). `file` is one of the file.")
    print("enum ReferenceOutputs {")
    print("    struct Model {\n        let name: String\n        let file, features, restless: [UInt32]\n    }\n")
    print("    static let models = [")
    for path in paths:
        data = pathlib.Path(path).read_bytes()
        lists = [[fnv(data)], output_hashes(Interpreter(data), spoken), output_hashes(Interpreter(data), restless)]
        texts = ["[" + ", ".join(f"0x{value:08x}" for value in values) + "]" for values in lists]
        print(f'        Model(\n            name: "{pathlib.Path(path).stem}", file: {texts[0]},')
        print(f"            features: {texts[1]},\n            restless: {texts[2]}),")
    print("    ]\n}")


def print_operators():
    """Of the models in Tests/Core/WakeModelTests/Operators, on bytes at random."""
    from tensorflow_lite import Interpreter

    folder = pathlib.Path(__file__).parents[2] / "Tests/Core/WakeModelTests/Operators"
    print("/// What TensorFlow Lite makes of the models in Operators/ in 40 runs over bytes at random, as a hash.")
    print("enum ReferenceOperators {\n    static let hashes: [(name: String, hash: UInt32)] = [")
    for path in sorted(folder.glob("*.tflite")):
        model = Interpreter(path.read_bytes())
        random = Random(9)
        data = b"".join(model.run([random.below(256) for _ in range(model.input_size)]) for _ in range(40))
        print(f'        ("{path.stem}", 0x{fnv(data):08x}),')
    print("    ]\n}")


if __name__ == "__main__":
    if sys.argv[1:] == ["features"]:
        print_features()
    elif sys.argv[1:2] == ["models"]:
        print_models(sys.argv[2:])
    elif sys.argv[1:] == ["operators"]:
        print_operators()
    else:
        sys.exit(__doc__)

#!/usr/bin/env python3
"""Wake words, measured on speech of flite and espeak-ng: where recordings begin, and what the gate costs.

usage: Benchmarks/wake/measure.py words|gate [MODEL...]

words  a word, a gap, a command: is the command whole, how much of the word is recorded, how late is the word heard
gate   a word in a room's noise: heard by a model that always listens, and by one behind the gate
Needs numpy, flite, espeak-ng and sox, 'swift build --product puckctl' and scripts/wakewords. The same seed each time.
The gate is computed here as LevelWakeDetector and SoundGate do it; what it lets through is put together as the ear does."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import wave

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
PUCKCTL = os.environ.get("PUCKCTL", ROOT / ".build/debug/puckctl")
MODELS = ROOT / ".build-wake/models"
RATE = 16_000
VOICES = [("flite", v) for v in ("awb", "kal16", "rms", "slt")] + [
    ("espeak", v)
    for v in ("en-us", "en-gb", "en-gb-scotland", "en-us+m3", "en-gb+m7", "en-us+f2", "en-gb+f4")
]
WORDS = {
    "okay_nabu": ["okay nabu", "okay, nah boo"], "alexa": ["alexa"], "hey_mycroft": ["hey mycroft"],
    "hey_jarvis": ["hey jarvis"],
}
COMMANDS = [
    "turn on the kitchen light", "what time is it", "set a timer for five minutes", "stop the music", "play some jazz",
]
random = np.random.default_rng(1)
folder = pathlib.Path(tempfile.mkdtemp())


def say(kind, voice, text, tempo=1.0, pitch=0):
    raw, file = folder / "raw.wav", folder / "said.wav"
    command = (["flite", "-voice", voice, "-t", text, "-o", raw] if kind == "flite"
               else ["espeak-ng", "-v", voice, "-w", raw, text])
    subprocess.run(command, check=True)
    subprocess.run(["sox", raw, "-r", str(RATE), "-c", "1", file, "tempo", str(tempo), "pitch", str(pitch)],
                   check=True, stderr=subprocess.DEVNULL)
    with wave.open(str(file)) as reader:
        samples = np.frombuffer(reader.readframes(reader.getnframes()), dtype=np.int16).astype(float)
    # From the first 10 ms within 40 dB of the loudest to the last.
    energy = np.convolve(samples * samples, np.ones(160) / 160, "same")
    loud = np.nonzero(energy > energy.max() * 1e-4)[0]
    samples = samples[loud[0]:loud[-1] + 1]
    return samples * (9000 / np.abs(samples).max())


def heard(samples, model):
    file = folder / "heard.wav"
    with wave.open(str(file), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(np.clip(samples, -32768, 32767).astype(np.int16).tobytes())
    said = subprocess.run([PUCKCTL, "wake", "try", file, "--model", MODELS / f"{model}.json", "--json"],
                          check=True, capture_output=True).stdout
    return json.loads(said)["models"][0]["detections"]


def words(model):
    found, count = {gap: [] for gap in (0, 80, 200, 1500)}, 0
    for text in WORDS[model]:
        for kind, voice in VOICES:
            for tempo in (0.85, 1.0, 1.2):
                for pitch in (-150, 0, 150) if model == "okay_nabu" else (0,):
                    word = say(kind, voice, text, tempo, pitch)
                    count += 1
                    command = say(kind, voice, COMMANDS[count % 5], tempo, pitch)
                    end = 24_000 + len(word)
                    for gap, list_ in found.items():
                        sound = np.concatenate([np.zeros(24_000), word, np.zeros(gap * 16), command, np.zeros(RATE)])
                        near = [d for d in heard(sound + random.normal(0, 30, len(sound)), model)
                                if abs(d["position"] - end) < 24_000]
                        if near:
                            begin = near[0]["record_from"]
                            list_.append((end + gap * 16 >= begin, max(0, end - begin) / 16,
                                          abs(near[0]["word_from"] - 24_000) / 16, (near[0]["position"] - end) / 16))
    for gap, list_ in found.items():
        if list_:
            whole, left, onset, late = np.array(list_).T
            print(f"{model}, gap {gap} ms: heard {len(list_)} of {count}; command whole {100 * whole.mean():.1f} %; "
                  f"of the word recorded: median {np.median(left):.0f} ms, 95 % {np.percentile(left, 95):.0f} ms; onset off "
                  f"by {np.median(onset):.0f} ms, 95 % {np.percentile(onset, 95):.0f} ms; heard after its end: median "
                  f"{np.median(late):.0f} ms, 99 % {np.percentile(late, 99):.0f} ms", flush=True)


def opened(samples, threshold):
    """Which 10 ms the gate lets through."""
    count = len(samples) // 160
    frames = np.clip(samples, -32768, 32767).astype(np.int16)[:count * 160].astype(float).reshape(count, 160)
    levels = 10 * np.log10(np.maximum((frames ** 2).mean(1) / 32768 ** 2, 1e-9))
    minima, filled, step, smooth, least, floor, above, hold, held = [], 0, 0, None, 0.0, -88.0, 0, 0, None
    result = []
    for index, level in enumerate(levels):
        noise, known = floor, filled > 0
        if held is not None:
            if smooth is None:
                smooth = least = held
            smooth += (held - smooth) * 0.25
            least = min(least, smooth)
            step += 1
            if step == 20:
                minima, filled, step = (minima + [least])[-8:], filled + 1, 0
                least = smooth
            floor = max(-88.0, min(minima + [least]) + 1)
        held = level if index >= 30 else None  # it settles for 300 ms
        if not known:
            result.append(False)
            continue
        above = min(above + 1, 2) if level > noise + threshold else max(above - 1, 0)
        hold = 2000 if above == 2 else max(0, hold - 10)
        result.append(hold > 0)
    return np.array(result)


def gated(samples, threshold):
    gate = opened(samples, threshold)
    keep = np.zeros(len(samples), bool)
    keep[:40_000] = True  # the front end knows the room from before
    for index in np.nonzero(gate)[0]:
        keep[index * 160:(index + 1) * 160] = True
        if index == 0 or not gate[index - 1]:
            keep[max(0, index * 160 - 11_200):index * 160] = True
    kept = samples[keep]
    return kept[:len(kept) // 160 * 160], gate.mean()


def room(kind, talk, count):
    if kind == "white":
        noise = random.normal(0, 1, count)
    elif kind == "fan":
        spectrum = np.fft.rfft(random.normal(0, 1, count)) / np.maximum(np.fft.rfftfreq(count, 1 / RATE), 60)
        noise = np.fft.irfft(spectrum, count)
    else:
        noise = sum(np.roll(np.resize(talk[random.integers(len(talk))], count), random.integers(count)) for _ in range(6))
    return noise / np.sqrt((noise ** 2).mean())


def gates(model):
    spoken = [say(k, v, WORDS[model][0], tempo, pitch) for k, v in VOICES for tempo in (0.9, 1.0, 1.15)
              for pitch in (-100, 100)]
    talk = [say(k, v, "the rain in spain stays mainly in the plain and nobody knows why") for k, v in VOICES[:6]]
    for kind in ("white", "fan", "babble"):
        for ratio in (20, 10, 5, 0):
            always, behind, part = 0, dict.fromkeys((4, 6, 10), 0), dict.fromkeys((4, 6, 10), 0.0)
            for word in spoken:
                sound = room(kind, talk, 9 * RATE) * np.sqrt((word ** 2).mean()) / 10 ** (ratio / 20)
                sound[5 * RATE:5 * RATE + len(word)] += word
                sound *= 0.3
                always += bool(heard(sound, model))
                for threshold in behind:
                    kept, open_ = gated(sound, threshold)
                    behind[threshold] += bool(heard(kept, model))
                    part[threshold] += open_ / len(spoken)
            print(f"{kind} {ratio} dB: always {always} of {len(spoken)}; " + "; ".join(
                f"{t} dB: {behind[t]}, open {100 * part[t]:.0f} %" for t in behind), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("words", "gate"):
        sys.exit(__doc__)
    for name in sys.argv[2:] or ["okay_nabu"]:
        (words if sys.argv[1] == "words" else gates)(name)

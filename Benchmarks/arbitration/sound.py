"""Voices by espeak-ng, and noises."""

import subprocess
import wave
from pathlib import Path

import numpy as np
from scipy import signal

from houses import RATE

PHRASE = "Hey puck"
VOICES = [
    "en-us", "en-us+f2", "en-us+f4", "en-us+m3", "en-us+m7", "en-gb", "en-gb+f3", "en-gb+f5", "en-gb-scotland",
    "en-gb-scotland+f2", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029", "en-us-nyc",
]  # fmt: skip
SPEEDS = [130, 155, 185]
SENTENCES = [
    "The quick brown fox jumps over the lazy dog while the rain keeps falling on the old tin roof of the farm.",
    "Tomorrow we could take the early train, have lunch by the river, and be home again before it gets dark.",
    "I never said that she stole my money, but somebody must have taken it from the drawer in the kitchen.",
]


def _speak(text: str, voice: str, speed: int, file: Path) -> np.ndarray:
    subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-w", file, text], check=True, capture_output=True)
    with wave.open(str(file)) as reader:
        samples = np.frombuffer(reader.readframes(reader.getnframes()), "<i2").astype(float)
        samples = signal.resample_poly(samples, RATE, reader.getframerate())
    return samples


def _trim(samples: np.ndarray) -> np.ndarray:
    loud = np.nonzero(np.abs(samples) > 0.01 * np.abs(samples).max())[0]
    return samples[loud[0] : loud[-1] + 1]


def utterances(folder: Path) -> list[np.ndarray]:
    """The wake phrase in each voice and speed, at 0 dB mean level over all of it."""
    found = []
    for voice in VOICES:
        for speed in SPEEDS:
            samples = _trim(_speak(PHRASE, voice, speed, folder / "phrase.wav"))
            found.append(samples / np.sqrt(np.mean(samples**2)))
    return found


def babble(folder: Path, seconds: int) -> np.ndarray:
    """Twelve people at once; each voice begins somewhere else in its text."""
    total = np.zeros(seconds * RATE)
    for i in range(12):
        text = " ".join(SENTENCES[(i + k) % 3] for k in range(4))
        voice = _trim(_speak(text, VOICES[i % len(VOICES)], SPEEDS[i % 3], folder / "babble.wav"))
        voice = np.tile(voice / np.sqrt(np.mean(voice**2)), 2)
        start = (i * 37_813) % (len(voice) // 2)
        total += np.resize(voice[start:], len(total))
    return total / np.sqrt(np.mean(total**2))


def noise(kind: str, rng: np.random.Generator, count: int, babbling: np.ndarray) -> np.ndarray:
    """Noise of this shape at a mean level of 0 dB."""
    if kind == "babble":
        start = int(rng.integers(len(babbling)))
        return np.resize(np.roll(babbling, -start), count)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hertz = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20)
    if kind == "pink":
        spectrum /= np.sqrt(hertz)
    else:  # a fan's rush falls off above 400 Hz
        spectrum /= np.sqrt(1 + (hertz / 400) ** 2) * np.sqrt(1 + (80 / hertz) ** 4)
    samples = np.fft.irfft(spectrum, count)
    samples /= np.sqrt(np.mean(samples**2))
    time = np.arange(count) / RATE
    if kind == "fan":  # blades
        blades = rng.uniform(60, 180)
        for k in range(1, 5):
            samples += 0.4 / k * np.sin(2 * np.pi * (blades * k * time + rng.random()))
    elif kind == "hum":  # mains
        samples *= 0.3
        for k, level in ((1, 0.7), (2, 0.9), (3, 0.4), (4, 0.4), (6, 0.2), (10, 0.1)):
            samples += level * np.sin(2 * np.pi * (50 * k * time + rng.random()))
    return samples / np.sqrt(np.mean(samples**2))

"""What each puck hears of each wake, as 16-bit samples; and how long its messages take."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import signal

import houses
import sound
from houses import RATE

# Before the phrase, so that the detector knows the room (its floor looks 1.6 s back).
LEAD = int(2.2 * RATE)
AFTER = int(0.4 * RATE)
# A microphone's own noise, dB of full scale.
SELF_NOISE_DB = -78.0


@dataclass
class Heard:
    puck: int
    # Samples until the mouth opens.
    mouth: int
    # Of its message: a home's Wi-Fi, and anything in 1 to 200 ms.
    delay_ms: float
    hard_delay_ms: float
    samples: np.ndarray


@dataclass
class Wake:
    house: int
    number: int
    truth: int
    # Path to the next puck over path to the nearest one.
    ratio: float
    distance: float
    heard: list[Heard]


class Voices:
    def __init__(self, folder: Path):
        self.utterances = sound.utterances(folder)
        self.babble = sound.babble(folder, 12)


def _delay(rng: np.random.Generator) -> tuple[float, float]:
    """Wi-Fi: log-normal, median 8 ms, one message in a hundred over 80 ms; and evenly spread over 1 to 200 ms."""
    return float(np.clip(8 * np.exp(rng.standard_normal()), 1, 200)), float(rng.uniform(1, 200))


def _decibels(db: float) -> float:
    return 32_768 * 10 ** (db / 20)


def make(seed: int, number: int, wakes: int, voices: Voices) -> tuple[houses.House, list[Wake]]:
    house = houses.draw(seed, number, wakes, len(voices.utterances))
    rng = np.random.default_rng([seed, number, 1])
    speech, noise = houses.responses(house, rng)
    background = []
    for i, puck in enumerate(house.pucks):
        room = house.rooms[puck.room]
        count = 8 * RATE
        samples = sound.noise(room.noise, rng, count, voices.babble) * _decibels(room.noise_db)
        if room.source:
            # One source for all of the room: the same noise, heard from different distances.
            dry = sound.noise(room.source, np.random.default_rng([seed, number, 2, puck.room]), count, voices.babble)
            wet = signal.oaconvolve(dry * _decibels(room.source_db), noise[i])
            samples += wet[:count]
        background.append(samples)
    found = []
    for t, talker in enumerate(house.talkers):
        paths = house.paths(talker)
        here = [i for i, p in enumerate(house.pucks) if p.room == talker.room]
        truth = min(here, key=lambda i: paths[i])
        ratio = min(paths[i] for i in range(len(paths)) if i != truth) / paths[truth]
        dry = voices.utterances[talker.utterance] * _decibels(talker.level_db)
        wake = Wake(number, t, truth, ratio, paths[truth], [])
        start = int(rng.integers(8 * RATE - RATE))
        for i, puck in enumerate(house.pucks):
            cut = int(rng.integers(320))  # where the capture device's periods fall
            mouth = LEAD - cut
            wet = signal.oaconvolve(dry, speech[t][i])
            count = mouth + len(dry) + AFTER
            samples = np.resize(np.roll(background[i], -start - cut), count)
            wet = wet[: count - mouth]
            samples[mouth : mouth + len(wet)] += wet
            samples = samples * 10 ** (puck.gain_db / 20)
            samples += rng.standard_normal(count) * _decibels(SELF_NOISE_DB)
            delay, hard = _delay(rng)
            wake.heard.append(
                Heard(i, mouth, delay, hard,
                      np.clip(np.round(samples), -32_768, 32_767).astype("<i2")))  # fmt: skip
        found.append(wake)
    return house, found

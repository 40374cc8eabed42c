"""A seeded sound that resembles speech: pulses and noise through two resonators, pauses, levels from 1 to clipping.
Whole numbers only, the same as Tests/Core/WakeModelTests/SpeechLikeSound.swift makes."""
MASK = 0xFFFFFFFF


class Random:
    """xorshift, 32 bits."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        state = self.state
        state ^= (state << 13) & MASK
        state ^= state >> 17
        state ^= (state << 5) & MASK
        self.state = state
        return state % limit


def speech_like(seed, samples):
    random = Random(seed).below
    left = 0
    phase = 0
    y1 = y2 = z1 = z2 = 0
    for _ in range(samples):
        if left == 0:
            left = 800 + random(4000)
            kind = random(8)
            period = 60 + random(120)
            level = 1 << random(14)
            a = 14000 + random(16000)
            b = random(28000) - 10000
        left -= 1
        excitation = 0
        if kind >= 3:
            phase += 1
            if phase >= period:
                phase = 0
                excitation = level * 2
            excitation += (random(level + 1) - level // 2) // 16
        elif kind > 0:
            excitation = (random(level + 1) - level // 2) // 2
        y = excitation + ((a * y1 - 15600 * y2) >> 14)
        y2, y1 = y1, y
        z = y + ((b * z1 - 15000 * z2) >> 14)
        z2, z1 = z1, z
        yield -32768 if z < -32768 else 32767 if z > 32767 else z


def extremes(seed):
    """What saturates, overflows or is nothing: 2 s each of silence, the smallest number, both ends at random, a square
    wave, white noise, the smallest noise, and one full sample in silence."""
    random = Random(seed).below
    for i in range(7 * 32000):
        kind = i // 32000
        if kind == 0:
            yield 0
        elif kind == 1:
            yield -32768
        elif kind == 2:
            yield 32767 if random(2) else -32768
        elif kind == 3:
            yield 32767 if i // 8 % 2 else -32768
        elif kind == 4:
            yield random(65536) - 32768
        elif kind == 5:
            yield random(3) - 1
        else:
            yield -32768 if i % 32000 == 16000 else 0


def fnv(data):
    """FNV-1a, 32 bits."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & MASK
    return value


def restless_features(seed, rows):
    """Rows of 40 features, each of which goes up and down at random."""
    random = Random(seed).below
    row = [300] * 40
    for _ in range(rows):
        row = [min(max(feature + random(81) - 40, 0), 670) for feature in row]
        yield row

"""A packet is found in the recording whatever filter lies before the encoder; what cannot be found is said at once."""

import array
import math
import random
import unittest

from puckbench import align
from puckbench.deadline import Failure

RATE, LENGTH, NOTED, START = 16000, 320, 160, 4321


def recording(seconds: int) -> list[int]:
    """Something like vowels with pauses between them, and two bits of noise."""
    noise, sound = random.Random(60), []
    for i in range(seconds * RATE):
        pitch = 100 + 20 * math.sin(i / 9000)
        voice = sum(math.sin(2 * math.pi * pitch * harmonic * i / RATE) for harmonic in (1, 2, 5)) * 2000
        sound.append(int(voice if i // 4000 % 3 else 0) + noise.randint(-2, 2))
    return sound


def high_pass(sound: list[int], hertz: float = 30, gain: float = 0.7) -> list[int]:
    """First order, as a filter against a constant offset is."""
    keep, before, out = 1 - 2 * math.pi * hertz / RATE, 0.0, []
    last = sound[0]
    for value in sound:
        before = keep * before + value - last
        last = value
        out.append(round(gain * before))
    return out


def notch(sound: list[int], hertz: float) -> list[int]:
    """As puckd takes out the tones of an earcon."""
    omega = 2 * math.pi * hertz / RATE
    alpha, cosine = math.sin(omega) / 6, math.cos(omega)
    x1 = x2 = y1 = y2 = 0.0
    out = []
    for x in map(float, sound):
        y = (x - 2 * cosine * x1 + x2 + 2 * cosine * y1 - (1 - alpha) * y2) / (1 + alpha)
        x2, x1, y2, y1 = x1, x, y1, y
        out.append(round(y))
    return out


def packets(sound: list[int], late: int = 900) -> list[align.Packet]:
    """From START on, each encoded `late` frames after its last sample."""
    places = range(START, len(sound) - LENGTH, LENGTH)
    return [
        align.Packet(array.array("h", sound[place : place + NOTED]).tobytes(), place + LENGTH + late) for place in places
    ]


class AlignTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.sound = recording(6)
        cls.bytes = array.array("h", cls.sound).tobytes()

    def place(self, sound: list[int]) -> int:
        return align.first_sample(packets(sound), self.bytes, RATE, LENGTH, 20)

    def test_samples_as_they_were(self) -> None:
        self.assertEqual(self.place(self.sound), START)

    def test_a_high_pass_filter_a_gain_and_an_offset(self) -> None:
        self.assertEqual(self.place(high_pass([value + 3000 for value in self.sound])), START)

    def test_an_earcon_taken_out_of_the_beginning(self) -> None:
        cut = START + 60 * LENGTH
        self.assertEqual(self.place(notch(self.sound[:cut], 784) + self.sound[cut:]), START)

    def test_a_delay_counts_as_latency(self) -> None:
        self.assertEqual(self.place([0] * 40 + self.sound), START - 40)

    def test_other_sound_is_refused(self) -> None:
        other = random.Random(1)
        with self.assertRaisesRegex(Failure, "cannot be found in the recording: 0 of 7"):
            self.place([other.randint(-3000, 3000) for _ in self.sound])

    def test_silence_is_refused(self) -> None:
        with self.assertRaisesRegex(Failure, "cannot be found"):
            self.place([0] * len(self.sound))

    def test_lost_sound_is_refused(self) -> None:
        middle = len(self.sound) * 2 // 3
        with self.assertRaisesRegex(Failure, "sound was lost"):
            self.place(self.sound[:middle] + self.sound[middle + 200 :])

    def test_too_few_packets_are_refused(self) -> None:
        with self.assertRaisesRegex(Failure, "only 5 packets"):
            align.first_sample(packets(self.sound)[:25], self.bytes, RATE, LENGTH, 20)


if __name__ == "__main__":
    unittest.main()

"""Where the packets of an utterance stand in the recording that the microphone played.

What is encoded is not what the microphone delivered: puckd takes the tones of an earcon out of it, and whatever filter
lies in the capture path changes every sample. A filter leaves a signal like itself, so the place of a packet is where
the recording is most like it. Compared are the differences of neighbouring samples: a constant offset and what a
high-pass filter takes away are not in them, and the noise of the recording weighs more. A filter that delays the sound
moves the place by its delay, which then counts as latency, as it should.

Packets follow each other without a gap (a run with one is refused), so one number is looked for: the position of the
first packet's first sample. Some packets are searched for, each by itself, and most of them have to agree.
"""

import array
import itertools
import operator
import statistics
from collections import Counter
from dataclasses import dataclass

from .deadline import Failure

# So many packets are searched for, and so many of them have to say the same within some samples: a filter moves low tones
# a little, each by another time.
SEARCHES, AGREEING, TOLERANCE = 7, 4, 4
# What is searched: this long before the time of the encoder, and a little after it, in seconds.
BEFORE, AFTER = 1.5, 0.1
# Correlation coefficients of the differences. A packet of noise with a high-pass filter before it has 0.95 and more; the
# most that a wrong place of 60 s of speech had is 0.6.
LEAST_LIKENESS = 0.7
# Of all packets that are measured so many have to be like their place; the rest may have been filtered further.
LEAST_SHARE = 0.9


@dataclass
class Packet:
    samples: bytes  # the first of its samples, S16
    heard: int  # frames that the microphone had delivered when the packet was encoded


def differences(samples: bytes) -> list[int]:
    values = array.array("h", samples)
    return list(map(operator.sub, values[1:], values[:-1]))


class Recording:
    def __init__(self, samples: bytes) -> None:
        self.differences = differences(samples)
        self.energy = [0, *itertools.accumulate(value * value for value in self.differences)]

    def search(self, packet: list[int], places: range) -> tuple[float, int]:
        """The greatest likeness, and where it is."""
        norm = sum(value * value for value in packet) ** 0.5
        length, best, where = len(packet), 0.0, -1
        for place in range(max(places.start, 0), min(places.stop, len(self.differences) - length)):
            energy = self.energy[place + length] - self.energy[place]
            product = sum(map(operator.mul, packet, self.differences[place : place + length]))
            if energy and product > best * norm * energy**0.5:
                best, where = product / (norm * energy**0.5), place
        return best, where


def first_sample(packets: list[Packet], recording: bytes, rate: int, length: int, skip: int) -> int:
    """The position of the first packet's first sample in the recording. The first `skip` packets are not looked at."""
    count = len(packets) - skip
    if count < 2 * SEARCHES:
        raise Failure(f"only {max(count, 0)} packets after the first {skip}: too few to measure a latency")
    sound = Recording(recording)
    found, likenesses = [], []
    for step in range(SEARCHES):
        number = skip + (2 * step + 1) * count // (2 * SEARCHES)
        newest = packets[number].heard - length
        places = range(newest - int(BEFORE * rate), newest + int(AFTER * rate))
        likeness, place = sound.search(differences(packets[number].samples), places)
        likenesses.append(likeness)
        if likeness >= LEAST_LIKENESS:
            found.append(place - number * length)
    first = statistics.median_low(found) if found else 0
    votes = sum(abs(place - first) <= TOLERANCE for place in found)
    if votes < AGREEING:
        raise Failure(
            f"the packets cannot be found in the recording: {votes} of {SEARCHES} agree on a place "
            f"(likeness {min(likenesses):.2f} to {max(likenesses):.2f}, {LEAST_LIKENESS} is needed): something between the "
            "microphone and the encoder changes the sound more than a filter does, or leaves parts of it out"
        )
    # Each packet says it once more, to the sample: those with the least of low tones are right, and are the most.
    places = Counter()
    for number, packet in enumerate(packets[skip:], skip):
        near = first + number * length
        likeness, place = sound.search(differences(packet.samples), range(near - TOLERANCE, near + TOLERANCE + 1))
        if likeness >= LEAST_LIKENESS:
            places[place - number * length] += 1
    if places.total() < LEAST_SHARE * count:
        raise Failure(f"only {places.total()} of {count} packets are like the recording where they should be: sound was lost")
    return places.most_common(1)[0][0]

"""Draws houses, pucks and talkers, and the impulse responses between them. README.md says what is modelled.

Everything comes from a seed: the same set and number give the same house.
"""

from dataclasses import dataclass

import numpy as np
import pyroomacoustics as pra
from pyroomacoustics.directivities import CardioidFamily, DirectionVector
from scipy import signal

RATE = 16_000
SPEED_OF_SOUND = 343.0
# Images up to this order are traced; what comes later is a tail of noise that decays with the room's RT60.
ORDER = 14
# pyroomacoustics centres each image's fractional delay on a filter of 81 taps.
FILTER_DELAY = 40
# Speech behind a talker is 8 dB below that before the mouth (Chu and Warnock 2002): 0.7 + 0.3 cos.
TALKER = 0.7
# Nobody puts more pucks into one room, nor two of them nearer to each other; metres.
MOST_IN_ROOM = 3
APART = 1.5

pra.constants.set("num_threads", 1)


@dataclass
class Room:
    size: np.ndarray
    rt60: float
    absorption: float
    # On the floor plan; the other room's door is the same one.
    door: np.ndarray
    noise: str
    noise_db: float
    source: str | None
    source_at: np.ndarray
    source_db: float

    @property
    def complete_until(self) -> float:
        """Seconds until which the traced images are all there are."""
        return ORDER * self.size.min() / SPEED_OF_SOUND


@dataclass
class Puck:
    room: int
    at: np.ndarray
    gain_db: float
    clock_error_ms: float
    round_trip_ms: float


@dataclass
class Talker:
    room: int
    at: np.ndarray
    azimuth: float
    level_db: float
    utterance: int


@dataclass
class House:
    rooms: list[Room]
    pucks: list[Puck]
    talkers: list[Talker]
    # Between two rooms: dB, and the corner of its low-pass in Hz.
    door_db: float
    door_hz: float

    def paths(self, talker: Talker) -> list[float]:
        """Metres from the mouth to each puck; through the door to another room."""
        lengths = []
        for puck in self.pucks:
            if puck.room == talker.room:
                lengths.append(float(np.linalg.norm(puck.at - talker.at)))
            else:
                to_door = np.linalg.norm(self.rooms[talker.room].door - talker.at)
                lengths.append(float(to_door + np.linalg.norm(self.rooms[puck.room].door - puck.at)))
        return lengths


def _room(rng: np.random.Generator) -> Room:
    while True:
        size = np.array([rng.uniform(3, 8), rng.uniform(2.5, 6), rng.uniform(2.3, 3.2)])
        rt60 = rng.uniform(0.2, 0.8)
        try:
            absorption, _ = pra.inverse_sabine(rt60, size)
            break
        except ValueError:
            continue  # not even walls that swallow everything are so dry
    return Room(
        size=size, rt60=rt60, absorption=absorption,
        door=np.array([size[0] - 0.3, rng.uniform(0.6, size[1] - 0.6), 1.2]),
        noise=str(rng.choice(["pink", "fan", "hum"])), noise_db=rng.uniform(-70, -48),
        source=str(rng.choice(["fan", "babble", "pink"])) if rng.random() < 0.6 else None,
        source_at=_place(rng, size, 0.3, (0.4, 1.8)), source_db=rng.uniform(-60, -42))  # fmt: skip


def _place(rng: np.random.Generator, size: np.ndarray, wall: float, height: tuple[float, float]) -> np.ndarray:
    return np.array([rng.uniform(wall, size[0] - wall), rng.uniform(wall, size[1] - wall), rng.uniform(*height)])


def _far_from(rng, size, wall, height, others, least) -> np.ndarray:
    for _ in range(200):
        at = _place(rng, size, wall, height)
        if all(np.linalg.norm(at - other) >= least for other in others):
            break
    return at


def draw(seed: int, number: int, wakes: int, utterances: int) -> House:
    rng = np.random.default_rng([seed, number])
    rooms = [_room(rng) for _ in range(rng.integers(1, 3))]
    pucks: list[Puck] = []
    count = int(rng.integers(2, 6))
    if count > MOST_IN_ROOM and len(rooms) == 1:
        rooms.append(_room(rng))
    for _ in range(count):
        free = [r for r in range(len(rooms)) if sum(p.room == r for p in pucks) < MOST_IN_ROOM]
        room = int(rng.choice(free))
        others = [p.at for p in pucks if p.room == room]
        error = rng.uniform(-5, 5)
        pucks.append(Puck(
            room=room, at=_far_from(rng, rooms[room].size, 0.3, (0.4, 1.6), others, APART), gain_db=rng.uniform(-3, 3),
            clock_error_ms=error, round_trip_ms=2 * (abs(error) + rng.uniform(0.5, 5))))  # fmt: skip
    talkers = []
    inhabited = sorted({p.room for p in pucks})
    for _ in range(wakes):
        room = int(rng.choice(inhabited))
        here = [p.at for p in pucks if p.room == room]
        at = _far_from(rng, rooms[room].size, 0.5, (1.2, 1.7), here, 0.4)
        azimuth = rng.uniform(0, 360)
        if rng.random() < 0.5:  # people who know where it stands look at it
            nearest = min(here, key=lambda p: np.linalg.norm(p - at))
            azimuth = np.degrees(np.arctan2(*(nearest - at)[1::-1])) + rng.uniform(-30, 30)
        talkers.append(Talker(room, at, float(azimuth), rng.uniform(-34, -24), int(rng.integers(utterances))))
    is_open = rng.random() < 0.6
    return House(rooms, pucks, talkers, rng.uniform(-10, -4) if is_open else rng.uniform(-32, -22),
                 3_000 if is_open else 800)  # fmt: skip


def _with_tail(rng: np.random.Generator, response: np.ndarray, room: Room) -> np.ndarray:
    """Cuts the response where images begin to be missing, and goes on with decaying noise of the same level."""
    response = response[FILTER_DELAY:]
    cut = int(room.complete_until * RATE)
    whole = np.zeros(int((room.rt60 * 0.8 + 0.05) * RATE) + cut)
    kept = response[:cut]
    whole[: len(kept)] = kept
    last = whole[max(0, cut - RATE // 50) : cut]
    decay = 10 ** (-3 * np.arange(len(whole) - cut) / RATE / room.rt60)
    # The level of the last 20 ms stands for their middle.
    level = np.sqrt(np.mean(last**2)) * 10 ** (-3 * 0.01 / room.rt60)
    whole[cut:] = rng.standard_normal(len(decay)) * decay * level
    return whole


def _trace(rng, room: Room, sources: list[tuple[np.ndarray, float | None]], microphones) -> list[list[np.ndarray]]:
    """Responses [source][microphone]; a source is a place and, when it has a face, its azimuth."""
    if not sources or not microphones:
        return [[] for _ in sources]
    shoebox = pra.ShoeBox(room.size, fs=RATE, materials=pra.Material(room.absorption), max_order=ORDER)
    for at, azimuth in sources:
        face = None
        if azimuth is not None:
            face = CardioidFamily(orientation=DirectionVector(azimuth=azimuth, colatitude=90), p=TALKER)
        shoebox.add_source(at, directivity=face)
    shoebox.add_microphone_array(np.array(microphones).T)
    shoebox.compute_rir()
    return [[_with_tail(rng, shoebox.rir[m][s], room) for m in range(len(microphones))] for s in range(len(sources))]


def responses(house: House, rng: np.random.Generator) -> tuple[list[list[np.ndarray]], list[np.ndarray | None]]:
    """What each talker's mouth sends to each puck, and what the noise source of each puck's room sends to it."""
    speech: list[list[np.ndarray]] = [[np.zeros(1)] * len(house.pucks) for _ in house.talkers]
    noise: list[np.ndarray | None] = [None] * len(house.pucks)
    to_door: dict[int, np.ndarray] = {}
    from_door: dict[int, np.ndarray] = {}
    for r, room in enumerate(house.rooms):
        here = [i for i, p in enumerate(house.pucks) if p.room == r]
        talkers = [t for t, talker in enumerate(house.talkers) if talker.room == r]
        sources = [(house.talkers[t].at, house.talkers[t].azimuth) for t in talkers]
        sources += [(room.source_at, None), (room.door, None)]
        traced = _trace(rng, room, sources, [house.pucks[i].at for i in here] + [room.door - [0.1, 0, 0]])
        for row, t in enumerate(talkers):
            for column, i in enumerate(here):
                speech[t][i] = traced[row][column]
            to_door[t] = traced[row][-1]
        for column, i in enumerate(here):
            if room.source:
                noise[i] = traced[-2][column]
            from_door[i] = traced[-1][column]
    low_pass = signal.butter(1, house.door_hz, fs=RATE)
    for t, talker in enumerate(house.talkers):
        for i, puck in enumerate(house.pucks):
            if puck.room != talker.room:
                passed = signal.lfilter(*low_pass, to_door[t]) * 10 ** (house.door_db / 20)
                speech[t][i] = signal.oaconvolve(passed, from_door[i])
    return speech, noise

"""Reads what tap.so wrote (the layout is tap.c's)."""

import struct
from dataclasses import dataclass
from pathlib import Path

CALLERS, RECORDS = 1 << 12, 1 << 16
HEADER = struct.Struct("<8Q")
CALLER = struct.Struct("<3Q")
RECORD = struct.Struct("<qiiq32sq")
STARTED, READ, ENCODE, SEND, DECODE = 1, 2, 3, 4, 5
PACKET = 320


@dataclass
class Record:
    nanoseconds: int
    kind: int
    thread: int
    value: int
    samples: bytes


def records(path: Path) -> list[Record]:
    data = path.read_bytes()
    count = min(HEADER.unpack_from(data)[0], RECORDS)
    start = HEADER.size + CALLERS * CALLER.size
    fields = RECORD.iter_unpack(data[start : start + count * RECORD.size])
    return [Record(*row[:5]) for row in fields if row[0]]


def allocations(path: Path) -> tuple[tuple[int, int], dict[int, tuple[int, int]]]:
    """Turns of a loop, and calls by call site; both as (audio, control)."""
    data = path.read_bytes()[: HEADER.size + CALLERS * CALLER.size]
    header = HEADER.unpack_from(data)
    sites = {row[0]: (row[1], row[2]) for row in CALLER.iter_unpack(data[HEADER.size :]) if row[0]}
    return (header[1], header[2]), sites


def first(found: list[Record], kind: int) -> int | None:
    return next((r.nanoseconds for r in found if r.kind == kind), None)


def first_period(found: list[Record]) -> int | None:
    """When a whole packet's worth of samples had been read."""
    frames = 0
    for record in found:
        if record.kind == READ:
            frames += record.value
            if frames >= PACKET:
                return record.nanoseconds
    return None


def latencies(found: list[Record], recording: bytes, rate: int) -> list[float]:
    """Milliseconds from when the device had the last sample of a packet to when that packet was given to the socket.

    A packet is found in the recording by its first 16 samples. Packets that were sent in a burst (preroll) are left
    out: only the last one before a send belongs to it.
    """
    started = next(r.value for r in found if r.kind == STARTED)
    result, place, pending = [], 0, None
    for record in sorted(found, key=lambda r: r.nanoseconds):
        if record.kind == ENCODE:
            place = _find(recording, record.samples, place)
            pending = place
        elif record.kind == SEND and pending is not None:
            captured = started + (pending // 2 + PACKET) * 1_000_000_000 // rate
            result.append((record.nanoseconds - captured) / 1e6)
            pending = None
    return result


def _find(recording: bytes, pattern: bytes, last: int) -> int:
    expected = last + 2 * PACKET
    if recording[expected : expected + len(pattern)] == pattern:
        return expected
    place = recording.find(pattern)
    while place % 2:
        place = recording.find(pattern, place + 1)
    if place < 0:
        raise ValueError("a packet's samples do not stand in the recording")
    return place

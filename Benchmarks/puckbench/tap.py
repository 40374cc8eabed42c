"""Reads what tap.so wrote (the layout is tap.c's)."""

import struct
from dataclasses import dataclass
from pathlib import Path

from . import align
from .deadline import Failure

CALLERS, RECORDS, NOTED = 1 << 12, 1 << 14, 160
HEADER = struct.Struct("<8Q")
CALLER = struct.Struct("<3Q")
RECORD = struct.Struct(f"<qiiq{2 * NOTED}sq")
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
    count = HEADER.unpack_from(data)[0]
    if count > RECORDS:
        raise Failure(f"tap.so had room for {RECORDS} of {count} records: measure for a shorter time")
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


def latencies(found: list[Record], recording: bytes, rate: int, first_packet: int) -> list[float]:
    """Milliseconds from when the device had the last sample of a packet to when that packet was given to the socket.

    Where the packets stand in the recording is found by `align`. Packets that were sent in a burst (preroll) are left
    out: only the last one before a send belongs to it. So are those before `first_packet`.
    """
    started = next((r.value for r in found if r.kind == STARTED), None)
    if started is None:
        raise Failure("tap.so did not see the microphone start: is the program linked to libasound?")
    ordered = sorted(found, key=lambda r: r.nanoseconds)
    packets = [r for r in ordered if r.kind == ENCODE]

    def heard(at: int) -> int:
        """Frames that the device had captured at a time."""
        return (at - started) * rate // 1_000_000_000

    first = align.first_sample(
        [align.Packet(r.samples, heard(r.nanoseconds)) for r in packets], recording, rate, PACKET, first_packet
    )
    result, number, pending = [], 0, None
    for record in ordered:
        if record.kind == ENCODE:
            pending = number if number >= first_packet else None
            number += 1
        elif record.kind == SEND and pending is not None:
            captured = started + (first + (pending + 1) * PACKET) * 1_000_000_000 // rate
            result.append((record.nanoseconds - captured) / 1e6)
            pending = None
    return result

"""The measurements: each starts a contestant, looks at it from outside, and ends it."""

import os
import shutil
import statistics
import time
from dataclasses import replace
from pathlib import Path

from . import callgrind, process, speech, tap
from .contestants import Place
from .deadline import Failure

SETTLE_SECONDS = 2.0
PACKETS_A_SECOND = 50


def _fresh(place: Place, name: str, slowness: int = 1) -> Place:
    folder = place.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return replace(place, folder=folder, slowness=slowness, children=[])


def instructions(contestant, base: Place, slowness: int, seconds: float) -> dict:
    """Per second of sound, over a window of `seconds` of it. The device runs `slowness` times slower, which valgrind
    needs to keep up; the packets that were encoded in the window are counted too, and are the measure of its length."""
    place = _fresh(base, f"{contestant.name}.instructions", slowness)
    output = place.folder / "callgrind.out"
    try:
        child = contestant.start(place, callgrind.command(output), {})
        contestant.wait_until_streaming(place, 120)
        time.sleep(SETTLE_SECONDS * slowness)
        packets, by_object = callgrind.count(child.pid, output, seconds * slowness)
        contestant.check(place)
    finally:
        place.end()
    # The fake microphone stands for a kernel's driver, which user-mode instructions would not hold either.
    microphone = by_object.pop(place.plugin.name, 0)
    total = sum(by_object.values())
    if not packets:
        raise Failure(f"{contestant.name} encoded nothing while it was counted: look at its log (--keep DIR)")
    heard = packets * tap.PACKET / speech.RATE
    parts = sorted(by_object.items(), key=lambda part: -part[1])
    return {
        "minstr_per_audio_second": total / heard / 1e6,
        "packets_counted": packets,
        "fake_microphone_minstr_per_audio_second": microphone / heard / 1e6,
        "parts_minstr_per_audio_second": {name: round(cost / heard / 1e6, 3) for name, cost in parts[:8]},
    }


def streaming(contestant, base: Place, seconds: float) -> dict:
    """Memory, threads and wake-ups of an undisturbed program that streams."""
    place = _fresh(base, f"{contestant.name}.streaming")
    try:
        child = contestant.start(place, [], {})
        contestant.wait_until_streaming(place, 20)
        time.sleep(SETTLE_SECONDS)
        result = {"switches_streaming": process.switches_per_second(child.pid, seconds)}
        result.update(process.memory(child.pid, place.rig))
        result["threads"] = process.threads(child.pid)
        contestant.check(place)
    finally:
        place.end()
    binary = contestant.binary(place)
    if binary:
        result["binary_kib"] = binary.stat().st_size / 1024
    return result


def idle(contestant, base: Place, seconds: float) -> dict:
    """The same of one that waits for its wake word."""
    place = _fresh(base, f"{contestant.name}.idle")
    try:
        child = contestant.start(place, [], {}, talking=False)
        contestant.wait_until_idle(place, 20)
        time.sleep(SETTLE_SECONDS)
        result = {"switches_idle": process.switches_per_second(child.pid, seconds)}
        result["pss_idle_mib"] = process.memory(child.pid, place.rig)["pss_mib"]
        contestant.check(place)
    finally:
        place.end()
    return result


def _tapped(contestant, place: Place, seconds: float, look=None) -> None:
    tap_file = place.folder / "tap"
    # First in line for the processor, all contestants alike: what else runs on this machine is not what is measured.
    prefix = ["chrt", "-f", "30"] if os.geteuid() == 0 else []
    prefix += [str(place.build / "stamp"), str(place.folder / "exec"), str(place.build / "tap.so")]
    try:
        child = contestant.start(place, prefix, {"PUCK_TAP": str(tap_file)})
        contestant.wait_until_streaming(place, 20)
        if look:
            look(child, tap_file)
        else:
            time.sleep(seconds)
        contestant.check(place)
    finally:
        place.end()


def latency(contestant, base: Place, seconds: float) -> dict:
    place = _fresh(base, f"{contestant.name}.latency")
    allocated = {}

    def look(child, tap_file: Path) -> None:
        time.sleep(SETTLE_SECONDS)
        before = tap.allocations(tap_file)
        time.sleep(seconds)
        allocated.update(_allocations(before, tap.allocations(tap_file), process.objects(child.pid)))
        allocated["allocation_window_packets"] = seconds * PACKETS_A_SECOND
        if not allocated["audio_turns"]:
            raise Failure(f"tap.so saw {contestant.name} move no sound: what it waits in is not tapped")

    _tapped(contestant, place, seconds, look)
    found = tap.records(place.folder / "tap")
    # The first second is the start: its packets wait for the grant.
    values = sorted(tap.latencies(found, speech.samples(place.recording), speech.RATE, PACKETS_A_SECOND))
    if len(values) < seconds * PACKETS_A_SECOND / 2:
        raise Failure(f"only {len(values)} packets of {contestant.name} were seen to leave in {seconds} s")
    return {
        "latency_median_ms": statistics.median(values),
        "latency_p99_ms": values[int(len(values) * 0.99)],
        "latency_packets": len(values),
        **allocated,
    }


def _allocations(before, after, objects) -> dict:
    """Calls of malloc and its kin in the window, by turn and by the object that called."""
    by_turn = ({}, {})
    for site, calls in after[1].items():
        earlier = before[1].get(site, (0, 0))
        name = next((name for first, end, name in objects if first <= site < end), "?")
        for turn in (0, 1):
            if difference := calls[turn] - earlier[turn]:
                by_turn[turn][name] = by_turn[turn].get(name, 0) + difference
    return {
        "audio_turns": after[0][0] - before[0][0],
        "control_turns": after[0][1] - before[0][1],
        "allocations_audio": by_turn[0],
        "allocations_control": by_turn[1],
    }


def starts(contestant, base: Place, times: int) -> dict:
    """From exec to the first period, and to the first packet at the other end: the median of several starts."""
    periods, packets = [], []
    for turn in range(times):
        place = _fresh(base, f"{contestant.name}.start{turn}")
        _tapped(contestant, place, 0.3)
        began = int((place.folder / "exec").read_text())
        first = tap.first_period(tap.records(place.folder / "tap"))
        if first is None:
            raise Failure(f"{contestant.name} read no whole period: look at its log (--keep DIR)")
        periods.append((first - began) / 1e6)
        received = contestant.first_packet_received(place)
        if received is None:
            received = tap.first(tap.records(place.folder / "tap.hub"), tap.DECODE)
        if received is None:
            raise Failure(f"no packet of {contestant.name} came to the other end: look at the logs (--keep DIR)")
        packets.append((received - began) / 1e6)
    return {
        "first_period_ms": statistics.median(periods),
        "first_packet_ms": statistics.median(packets),
        "first_packet_all_ms": [round(value, 1) for value in packets],
        "first_period_all_ms": [round(value, 1) for value in periods],
    }

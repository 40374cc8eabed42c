"""The command line of `make bench-arbitration`. Runs inside the environment that `run` made."""

import argparse
import math
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cases

# What the default policy was chosen and its numbers fitted by, and what is reported: different houses.
SETS = {"tune": 1, "report": 2}
# Of each house's wakes, so many are there to learn gains from; the rest counts.
LEARNED = 12
COUNTED = 4
AIM_CLEAR = 1.5


def _detect(arbiter: Path, seed: int, number: int) -> str:
    """What one house's pucks heard, by the real detector, as `CaseFile.swift` reads it."""
    house, wakes = cases.make(seed, number, LEARNED + COUNTED, _voices)
    recordings = b"".join(
        f"{wake.number}/{heard.puck} {len(heard.samples)}".ljust(64).encode() + heard.samples.tobytes()
        for wake in wakes
        for heard in wake.heard
    )
    said = subprocess.run([arbiter, "detect"], input=recordings, check=True, capture_output=True).stdout.decode()
    findings = {line.split()[0]: line.split()[1:] for line in said.splitlines()}
    lines = [f"house {number}"]
    lines += [f"puck {puck.clock_error_ms:.3f} {puck.round_trip_ms:.3f}" for puck in house.pucks]
    for wake in wakes:
        kind = "learn" if wake.number < LEARNED else "count"
        lines.append(f"wake {wake.number} {kind} {wake.truth} {wake.ratio:.3f}")
        for heard in wake.heard:
            found = findings[f"{wake.number}/{heard.puck}"]
            # Who was woken by noise, before the mouth opened, has no candidate.
            if not found or int(found[1]) <= heard.mouth:
                continue
            onset, after, level, noise, confidence = map(float, found[:5])
            lines.append(
                f"heard {heard.puck} {(onset - heard.mouth) / 16:.2f} {(after - heard.mouth) / 16:.2f} "
                f"{heard.delay_ms:.2f} {heard.hard_delay_ms:.2f} {level:.2f} {noise:.2f} {confidence:.3f} {found[5]}"
            )
    return "\n".join(lines) + "\n"


def _start_worker() -> None:
    global _voices
    with tempfile.TemporaryDirectory() as folder:
        _voices = cases.Voices(Path(folder))


def _make(arbiter: Path, file: Path, seed: int, count: int, jobs: int) -> None:
    made = []
    with ProcessPoolExecutor(jobs, initializer=_start_worker) as pool:
        waiting = [pool.submit(_detect, arbiter, seed, number) for number in range(count)]
        for number, one in enumerate(waiting):
            made.append(one.result())
            if number % 50 == 49:
                print(f"bench-arbitration: {number + 1} of {count} houses", file=sys.stderr)
    partial = file.with_suffix(".partial")
    partial.write_text("".join(made))
    partial.rename(file)


def _wilson(right: int, count: int) -> tuple[float, float]:
    if count == 0:
        return 0.0, 1.0
    z, p = 1.96, right / count
    middle = p + z * z / (2 * count)
    spread = z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    low, high = (middle - spread) / (1 + z * z / count), (middle + spread) / (1 + z * z / count)
    return max(0.0, low), min(1.0, high)


def _share(hits: list[bool]) -> str:
    low, high = _wilson(sum(hits), len(hits))
    return f"{100 * sum(hits) / max(1, len(hits)):.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1)]


NAMES = {
    "nearest": "`nearest` (default)", "onset": "`onset`", "energy": "`energy`", "snr": "`snr`", "first": "`first`",
    "home-assistant": "Home Assistant: first to arrive", "willow": "Willow: loudest after 400 ms",
    "loqa": "Loqa's hub: loudest in 300 ms", "possible": "the nearest one woke at all",
}  # fmt: skip


def _table(results: list[list[str]], network: str) -> None:
    rows = defaultdict(list)
    for policy, on, _, _, right, ratio, winners, waited in results:
        if on == network:
            rows[policy].append((right == "1", float(ratio) >= AIM_CLEAR, int(winners) != 1, float(waited)))
    print("| policy | right | right where clear | two winners | wait, median | wait, 99 % |\n|---|---|---|---|---|---|")
    for policy, name in NAMES.items():
        of = rows[policy]
        waits = [waited for *_, waited in of]
        cells = [_share([right for right, *_ in of]), _share([right for right, clear, *_ in of if clear])]
        cells += ["", "", ""] if policy == "possible" else [
            _share([two for _, _, two, _ in of]), f"{_percentile(waits, 0.5):.0f} ms", f"{_percentile(waits, 0.99):.0f} ms",
        ]  # fmt: skip
        print(f"| {name} | " + " | ".join(cells) + " |")
    clear = sum(clear for _, clear, *_ in rows["nearest"])
    print(f"\n{len(rows['nearest'])} wakes, {clear} of them with a clear nearest.")
    if rows["lone"]:
        print(f"A lone puck waits at most {max(waited for *_, waited in rows['lone']):.0f} ms.")


def main() -> int:
    parser = argparse.ArgumentParser(description="How often does the right puck answer? README.md says what is modelled.")
    parser.add_argument("--arbiter", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--set", choices=SETS, default="report", dest="name", help="default: report")
    parser.add_argument("--houses", type=int, default=320, help="default: 320")
    parser.add_argument("--jobs", type=int, default=2, help="processes that make sound (default: 2)")
    parser.add_argument("--again", action="store_true", help="make the sound again, as after a change of the detector")
    options = parser.parse_args()
    file = options.cache / f"{options.name}-{options.houses}.cases"
    if options.again or not file.exists():
        _make(options.arbiter, file, SETS[options.name], options.houses, options.jobs)
    said = subprocess.run([options.arbiter, "decide", file], check=True, capture_output=True, text=True).stdout
    results = [line.split() for line in said.splitlines()]
    print(f"Set {options.name}: {options.houses} houses.\n\n## Wi-Fi: median 8 ms, 1 % over 80 ms\n")
    _table(results, "wifi")
    print("\n## A hard network: each message 1 to 200 ms\n")
    _table(results, "hard")
    return 0


if __name__ == "__main__":
    sys.exit(main())

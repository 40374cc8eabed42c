"""The command line of `Benchmarks/run`."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from . import arm, contestants, flood, hub, measure, report, speech


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="Benchmarks/run", description="Measures puckd and puckhub beside their peers.")
    parser.add_argument("--quick", action="store_true", help="shorter windows: rougher figures in two minutes")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="floor, gstreamer, puckd, puckhub, flood, pucksim or arm")
    parser.add_argument("--skip", action="append", default=[], metavar="PART",
                        help="instructions, streaming, idle, latency or starts; of puckhub "
                             "throughput, instructions, memory or storm")  # fmt: skip
    parser.add_argument("--slowness", type=int, default=3, help="device time under valgrind (default: 3 times slower)")
    parser.add_argument("--no-build", action="store_true", help="measure what was built before")
    parser.add_argument("--programs", type=Path, help="the folder of puckd and puckhub (default: the Embedded build)")
    parser.add_argument("--json", type=Path, help="default: .build-bench/results.json")
    parser.add_argument("--keep", type=Path, help="keep logs and traces in this folder")
    return parser.parse_args()


def _build(root: Path, build: Path, options: argparse.Namespace) -> None:
    # What runs in the guest is built by arm.py.
    if not options.no_build and options.only != ["arm"]:
        subprocess.run([root / "scripts/embedded-build", "puckd", "puckhub"], check=True)
        if not options.only or "pucksim" in options.only:
            subprocess.run(["make", "-s", "pucksim"], cwd=root, check=True)
    build.mkdir(exist_ok=True)
    here = root / "Benchmarks"

    def flags(*words: str) -> list[str]:
        return subprocess.run(["pkg-config", *words], check=True, capture_output=True, text=True).stdout.split()

    compiler = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror"]
    libraries = ("alsa", "opus")
    subprocess.run(
        [*compiler, *flags("--cflags", *libraries), here / "floor.c", "-o", build / "floor",
         *flags("--libs", *libraries)], check=True)  # fmt: skip
    subprocess.run([*compiler, here / "stamp.c", "-o", build / "stamp"], check=True)
    subprocess.run([*compiler, "-shared", "-fPIC", here / "tap.c", "-o", build / "tap.so",
                    # Named as its own needs, so that it finds them also behind a plugin that was opened privately.
                    "-Wl,--no-as-needed", "-lasound", "-lopus", "-ldl"], check=True)  # fmt: skip
    for name, libraries in (("echo", ("libwebsockets",)), ("load", ("openssl", "opus"))):
        subprocess.run(
            [*compiler, "-D_GNU_SOURCE", *flags("--cflags", *libraries), here / f"{name}.c", "-o", build / name,
             *flags("--libs", *libraries)], check=True)  # fmt: skip


def _copy_libraries(programs: list[Path], into: Path) -> None:
    """Copies what the programs link, so that nobody outside the benchmark shares their pages. Except for the C library,
    which every process of a system shares."""
    everybodys = re.compile(r"lib(c|m|dl|pthread)\.so")
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    for program in programs:
        said = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
        for library in map(Path, re.findall(r"=> (/\S+)", said)):
            if not everybodys.match(library.name):
                shutil.copy(library, into)
    os.sync()  # a page that is not yet on disk counts as dirty


def _measure(contestant, place, options) -> dict:
    quick = options.quick
    parts = {
        "instructions": lambda: measure.instructions(contestant, place, options.slowness, 10 if quick else 20),
        "streaming": lambda: measure.streaming(contestant, place, 5 if quick else 10),
        "idle": lambda: measure.idle(contestant, place, 5 if quick else 10),
        "latency": lambda: measure.latency(contestant, place, 10 if quick else 20),
        "starts": lambda: measure.starts(contestant, place, 3 if quick else 11),
    }
    result = {}
    for name, part in parts.items():
        if name not in options.skip and (name != "idle" or contestant.has_idle_state):
            print(f"bench: {contestant.name}: {name}", file=sys.stderr)
            result.update(part())
    return result


def run(root: Path) -> int:
    options = _arguments()
    build = root / ".build-bench"
    try:
        _build(root, build, options)
        with tempfile.TemporaryDirectory(prefix="puckbench-") as folder:
            place = contestants.Place(
                build=build, embedded=options.programs or root / ".build-embedded/release",
                plugin=root / ".build-fake-alsa/libasound_module_pcm_puckfake.so",
                folder=options.keep or Path(folder), recording=build / "speech.wav",
            )  # fmt: skip
            found = [contestants.floor(), contestants.gstreamer(), contestants.Puckd()]
            wanted = options.only or ["puckhub", "flood", "pucksim", "arm", *(c.name for c in found)]
            programs = [build / "floor", build / "echo", place.embedded / "puckhub"]
            if any(c.name in wanted for c in found):
                programs.append(place.embedded / "puckd")
                speech.make(place.recording)
            if wanted != ["arm"]:
                _copy_libraries(programs, build / "lib")
            results = {c.name: _measure(c, place, options) for c in found if c.name in wanted}
            if "puckhub" in wanted:
                there = replace(place, folder=place.folder / "puckhub", children=[])
                results["puckhub"] = hub.measure(there, options.skip, options.quick)
            if "flood" in wanted:
                there = replace(place, folder=place.folder / "flood", children=[])
                results["flood"] = flood.measure(there, options.quick)
            if "pucksim" in wanted:
                print("bench: pucksim", file=sys.stderr)
                results["pucksim"] = hub.simulation(root)
            if "arm" in wanted:
                print("bench: arm", file=sys.stderr)
                results["arm"] = arm.measure(root, build, options.no_build)
    except contestants.Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 2
    output = options.json or build / "results.json"
    output.write_text(json.dumps(results, indent=2) + "\n")
    report.table(results)
    return report.compare(results, json.loads((root / "Benchmarks/thresholds.json").read_text()))

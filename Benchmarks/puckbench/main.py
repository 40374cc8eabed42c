"""The command line of `Benchmarks/run`."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from . import arm, contestants, deadline, document, flood, hub, machine, measure, report, speech
from .deadline import Busy, Failure

# A measurement that finds the machine too busy is tried so often in all.
ATTEMPTS = 3
CONTESTANTS = ("floor", "gstreamer", "puckd")
EVERYTHING = (*CONTESTANTS, "puckhub", "flood", "pucksim", "arbiter", "arm")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="Benchmarks/run", description="Measures puckd and puckhub beside their peers.")
    parser.add_argument("--quick", action="store_true", help="shorter windows: rougher figures in two minutes")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", choices=EVERYTHING, help=", ".join(EVERYTHING))
    parser.add_argument("--skip", action="append", default=[], metavar="PART",
                        help="instructions, streaming, idle, latency or starts; of puckhub "
                             "throughput, instructions, memory or storm")  # fmt: skip
    parser.add_argument("--slowness", type=int, default=3, help="device time under valgrind (default: 3 times slower)")
    parser.add_argument("--no-build", action="store_true", help="measure what was built before")
    parser.add_argument("--programs", type=Path, help="the folder of puckd and puckhub (default: the Embedded build)")
    parser.add_argument("--json", type=Path, help="default: .build-bench/results.json")
    parser.add_argument("--keep", type=Path, help="keep logs and traces in this folder")
    parser.add_argument("--write-docs", action="store_true",
                        help="measure nothing: write the tables of docs/BENCHMARKS.md from the results file")  # fmt: skip
    return parser.parse_args()


def _build(root: Path, build: Path, wanted: list[str]) -> None:
    # What runs in the guest is built by arm.py.
    if set(wanted) - {"pucksim", "arbiter", "arm"}:
        subprocess.run([root / "scripts/embedded-build", "puckd", "puckhub"], check=True)
    if "pucksim" in wanted:
        subprocess.run(["make", "-s", "pucksim"], cwd=root, check=True)


def _build_tools(root: Path, build: Path) -> None:
    here = root / "Benchmarks"

    def flags(*words: str) -> list[str]:
        return deadline.run(["pkg-config", *words], "pkg-config", 20).split()

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
        said = deadline.run(["ldd", program], "ldd", 20)
        for library in map(Path, re.findall(r"=> (/\S+)", said)):
            if not everybodys.match(library.name):
                shutil.copy(library, into)
    os.sync()  # a page that is not yet on disk counts as dirty


def _parts(place: contestants.Place, root: Path, options: argparse.Namespace, wanted: list[str]):
    """Each measurement: whose, which, the most seconds that it may take, and what does it."""
    quick, slowness = options.quick, options.slowness
    for contestant in (contestants.floor(), contestants.gstreamer(), contestants.Puckd()):
        if contestant.name not in wanted:
            continue
        run = lambda part, *rest, c=contestant: lambda: part(c, place, *rest)  # noqa: E731
        yield contestant.name, "instructions", 300, run(measure.instructions, slowness, 10 if quick else 20)
        yield contestant.name, "streaming", 120, run(measure.streaming, 5 if quick else 10)
        if contestant.has_idle_state:
            yield contestant.name, "idle", 60, run(measure.idle, 5 if quick else 10)
        yield contestant.name, "latency", 120, run(measure.latency, 10 if quick else 20)
        yield contestant.name, "starts", 180, run(measure.starts, 3 if quick else 11)
    if "puckhub" in wanted:
        there = replace(place, folder=place.folder / "puckhub", children=[])
        for part, seconds, function in hub.parts(there, quick):
            yield "puckhub", part, seconds, function
    if "flood" in wanted:
        there = replace(place, folder=place.folder / "flood", children=[])
        for kind in flood.KINDS:
            yield "flood", kind, 300, lambda kind=kind: flood.measure(there, kind, quick)
    if "pucksim" in wanted:
        yield "pucksim", "speed", 400, lambda: hub.simulation(root)
    if "arbiter" in wanted:
        yield "arbiter", "speed", 1200, lambda: hub.decisions(root)
    if "arm" in wanted:
        yield "arm", "build", 5400, lambda: arm.build(root, place.build, options.no_build)
        yield "arm", "guest", 1200, lambda: arm.guest(root, place.build / "arm")


def _measure(name: str, part: str, seconds: float, function: Callable[[], dict]) -> dict:
    what = f"{name}: {part}"
    print(f"bench: {what}", file=sys.stderr)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with deadline.within(seconds, what):
                return function()
        except Busy as failure:
            if attempt == ATTEMPTS:
                raise
            print(f"bench: {what}: {failure}; trying again", file=sys.stderr)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise Failure(f"{type(error).__name__}: {error}") from error
    raise AssertionError


def _prepare(place: contestants.Place, root: Path, options: argparse.Namespace, wanted: list[str]) -> None:
    place.build.mkdir(exist_ok=True)
    if not options.no_build:
        _build(root, place.build, wanted)
    if not set(wanted) - {"pucksim", "arbiter", "arm"}:
        return
    _build_tools(root, place.build)
    programs = [place.build / "floor", place.build / "echo", place.embedded / "puckhub", place.embedded / "puckd"]
    for program in programs[2:]:
        if not program.exists():
            raise Failure(f"{program} is missing: run without --no-build")
    _copy_libraries(programs, place.build / "lib")
    if set(wanted) & set(CONTESTANTS):
        speech.make(place.recording)


def _run(place: contestants.Place, root: Path, options: argparse.Namespace, wanted: list[str], output: Path) -> dict:
    """All figures by program, and what could not be measured under `failures`. The file has them after each part, so that
    a run that is ended leaves what it had."""
    results = {"machine": machine.description(root, options.quick), "failures": {}}
    for name, part, seconds, function in _parts(place, root, options, wanted):
        if part in options.skip:
            continue
        try:
            results.setdefault(name, {}).update(_measure(name, part, seconds, function))
        except Failure as failure:
            # The other measurements do not depend on this one.
            results["failures"][f"{name}: {part}"] = str(failure)
            print(f"bench: {name}: {part}: {failure}", file=sys.stderr)
        results["machine"]["load_after"] = round(os.getloadavg()[0], 2)
        report.derive(results)
        output.write_text(json.dumps(results, indent=2) + "\n")
    return results


def run(root: Path) -> int:
    options = _arguments()
    build = root / ".build-bench"
    output = options.json or build / "results.json"
    try:
        if options.write_docs:
            return document.write(output, root / "docs/BENCHMARKS.md")
        wanted = options.only or list(EVERYTHING)
        with tempfile.TemporaryDirectory(prefix="puckbench-") as folder:
            place = contestants.Place(
                build=build, embedded=options.programs or root / ".build-embedded/release",
                plugin=root / ".build-fake-alsa/libasound_module_pcm_puckfake.so",
                folder=options.keep or Path(folder), recording=build / "speech.wav",
            )  # fmt: skip
            _prepare(place, root, options, wanted)
            results = _run(place, root, options, wanted, output)
    except (Failure, subprocess.CalledProcessError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 2
    report.table(results)
    exceeded = report.compare(results, json.loads((root / "Benchmarks/thresholds.json").read_text()))
    for what, why in results["failures"].items():
        print(f"bench: not measured: {what}: {why}", file=sys.stderr)
    return 2 if results["failures"] else exceeded

"""Counts user-mode instructions with valgrind's callgrind."""

import time
from pathlib import Path

from . import deadline
from .deadline import Failure

ENCODERS = {"opus_encode", "opus_multistream_encode"}


def command(output: Path) -> list[str]:
    return [
        "valgrind", "--tool=callgrind", "--instr-atstart=no", "--compress-strings=no", "--compress-pos=no",
        f"--callgrind-out-file={output}",
    ]  # fmt: skip


def _control(pid: int, *options: str) -> None:
    deadline.run(["callgrind_control", *options, pid], "callgrind_control", 30)


def count(pid: int, output: Path, seconds: float, mark=lambda: None) -> tuple[int, dict[str, int]]:
    """Counts for `seconds` of wall clock. Returns the packets encoded and the instructions by shared object. `mark` is
    called at the begin and at the end of what is counted."""
    _control(pid, "-i", "on")
    mark()
    time.sleep(seconds)
    mark()
    _control(pid, "-i", "off")
    _control(pid, "--dump")
    dump = Path(f"{output}.1")
    deadline.wait_for("callgrind's dump", 30, lambda: dump.exists() and "totals:" in dump.read_text()[-200:])
    packets, by_object = parse(dump)
    if not by_object:
        raise Failure("callgrind counted nothing: the program did not run while it was counted")
    return packets, by_object


def parse(dump: Path) -> tuple[int, dict[str, int]]:
    """Calls of the Opus encoder, and instructions by shared object."""
    packets, by_object = 0, {}
    current, callee, cost_is_inclusive = "?", "", False
    with dump.open() as lines:
        for line in lines:
            if line.startswith("ob="):
                current = Path(line[3:].strip()).name
            elif line.startswith("cfn="):
                callee = line[4:].strip()
            elif line.startswith("calls="):
                if callee.split("@")[0].split("'")[0] in ENCODERS:
                    packets += int(line[6:].split()[0])
                cost_is_inclusive = True
            elif line[:1].isdigit() or line[:1] in "+-*":
                if not cost_is_inclusive:
                    by_object[current] = by_object.get(current, 0) + int(line.split()[1])
                cost_is_inclusive = False
    return packets, by_object

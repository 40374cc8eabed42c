"""Counts user-mode instructions with valgrind's callgrind."""

import re
import subprocess
import time
from pathlib import Path

ENCODERS = {"opus_encode", "opus_multistream_encode"}


def command(output: Path) -> list[str]:
    return [
        "valgrind", "--tool=callgrind", "--instr-atstart=no", "--compress-strings=no", "--compress-pos=no",
        f"--callgrind-out-file={output}",
    ]  # fmt: skip


def _control(pid: int, *options: str) -> None:
    subprocess.run(["callgrind_control", *options, str(pid)], check=True, capture_output=True)


def count(pid: int, output: Path, seconds: float) -> tuple[int, int, dict[str, int]]:
    """Counts for `seconds` of wall clock. Returns instructions, packets encoded, and instructions by object."""
    _control(pid, "-i", "on")
    time.sleep(seconds)
    _control(pid, "-i", "off")
    _control(pid, "--dump")
    dump = Path(f"{output}.1")
    for _ in range(100):
        if dump.exists() and "totals:" in dump.read_text()[-200:]:
            break
        time.sleep(0.1)
    return parse(dump)


def parse(dump: Path) -> tuple[int, int, dict[str, int]]:
    """Instructions in all, calls of the Opus encoder, and instructions by shared object."""
    total, packets, by_object = 0, 0, {}
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
            elif match := re.match(r"(?:totals|summary): (\d+)", line):
                total = int(match[1])
    return total, packets, by_object

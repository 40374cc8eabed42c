"""What Linux says about a running process."""

import time
from pathlib import Path


def now() -> int:
    """Nanoseconds of CLOCK_MONOTONIC, as the contestants count them."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def memory(pid: int, rig: set[str]) -> dict[str, float]:
    """MiB by /proc/PID/smaps, without the files of the measuring rig (the fake device and its recording, which would be
    the kernel's business). PSS counts a shared page in parts; anonymous memory is what no file stands behind."""
    return memory_of(Path(f"/proc/{pid}/smaps").read_text(), rig)


def mappings(smaps: str) -> list[dict]:
    """Each mapping of /proc/PID/smaps: `file` (empty for none), and KiB of `Pss`, `Rss` and `Anonymous`.

    The kernel hands the file out in pieces: a mapping that grows or is joined meanwhile comes twice, with overlapping
    addresses. Of such ones the larger counts."""
    found: list[dict] = []
    for line in smaps.splitlines():
        name, _, value = line.partition(":")
        if name in ("Pss", "Rss", "Anonymous"):
            found[-1][name] = int(value.split()[0])
        elif " " in name:  # a mapping's own line: addresses, rights, offset, device
            fields = line.split(maxsplit=5)
            first, end = (int(text, 16) for text in fields[0].split("-"))
            found.append({"first": first, "end": end, "file": fields[5] if len(fields) == 6 else ""})
    kept: list[dict] = []
    for mapping in found:
        if not kept or mapping["first"] >= kept[-1]["end"]:
            kept.append(mapping)
        elif mapping["Rss"] > kept[-1]["Rss"]:
            kept[-1] = mapping
    return kept


def memory_of(smaps: str, rig: set[str]) -> dict[str, float]:
    counted = [mapping for mapping in mappings(smaps) if Path(mapping["file"]).name not in rig]
    return {
        f"{name.lower()}_mib": sum(mapping[name] for mapping in counted) / 1024 for name in ("Pss", "Rss", "Anonymous")
    }


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def processor_seconds(pid: int) -> float:
    """User and system time of all threads, to the nanosecond (the ticks of /proc/PID/stat are 10 ms)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def switches(pid: int) -> int:
    """Voluntary context switches of all threads so far."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def switches_per_second(pid: int, seconds: float) -> float:
    before, began = switches(pid), now()
    time.sleep(seconds)
    return (switches(pid) - before) / ((now() - began) / 1e9)


def objects(pid: int) -> list[tuple[int, int, str]]:
    """Executable mappings: first address, end, file name."""
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        fields = line.split()
        if "x" in fields[1] and len(fields) > 5:
            first, end = (int(text, 16) for text in fields[0].split("-"))
            found.append((first, end, Path(fields[5]).name))
    return found

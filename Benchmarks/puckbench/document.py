"""Writes the tables of docs/BENCHMARKS.md from a results file.

In the document each table stands between `<!-- table NAME -->` and `<!-- end -->`; the rest of it is not touched. A
table whose results are missing stays as it is, and is named.
"""

import json
import re
from pathlib import Path

from . import flood, report
from .deadline import Failure

BLOCK = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _shown(shape: str, value: float | None) -> str:
    return "–" if value is None else shape.format(value)


def _rows(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(line).strip() + " |\n" for line in lines)


def _machine(results: dict, _: dict) -> str:
    m = results["machine"]
    kind = "`--quick`, which is rough" if m["quick"] else "default settings"
    return (
        f"One run of commit {m['commit']} with {kind}, {m['date']}: {m['architecture']} ({m['processor']}), {m['cores']} cores, "
        f"{m['system']}, Swift {m['swift']}, libopus {m['opus']}, libwebsockets {m['libwebsockets']}, OpenSSL {m['openssl']}, "
        f"GStreamer {m['gstreamer']}. Load average before the run {m['load_before']}, after it {m['load_after']} (the run's own "
        "programs included).\n"
    )


def _aim(limits: dict, key: str) -> str:
    if key not in limits:
        return ""
    return f"{'≥' if '_least_' in key else '≤'} {limits[key]:,}"


def _puckd(results: dict, thresholds: dict) -> str:
    names = ("floor", "gstreamer", "puckd")
    limits, rows = thresholds["puckd"], []
    for title, key, shape in report.ROWS:
        cells = [_shown(shape, results[name].get(key)) for name in names]
        aim = _aim(limits, key)
        rows.append([title.strip(), *cells[:2], f"**{cells[2]}**" if aim else cells[2], aim])
    return _rows(["", "floor", "GStreamer", "puckd, TLS", "threshold"], rows)


def _parts(results: dict, _: dict) -> str:
    rows = []
    for name in ("floor", "gstreamer", "puckd"):
        parts = results[name]["parts_minstr_per_audio_second"]
        rows.append([name, ", ".join(f"{part} {value:.2f}" for part, value in parts.items())])
    for kind in ("audio", "control"):
        calls = results["puckd"][f"allocations_{kind}"]
        rows.append([f"puckd, allocations in {kind} turns", ", ".join(f"{part} {value}" for part, value in calls.items()) or "none"])
    return _rows(["", "million instructions per audio second, and calls of malloc in 20 s, by file"], rows)


def _hub(results: dict, thresholds: dict) -> str:
    found, limits, rows = results["puckhub"], thresholds["puckhub"], []
    for title, key, shape in report.HUB_ROWS:
        echo, hub = found[f"echo_{key}"], found[f"puckhub_{key}"]
        share = key.replace("per_cpu_second", "least_share_of_echo")
        each = found.get(key.replace("per_cpu_second", "shares_of_echo"), [])
        spread = f"{min(each):.2f} to {max(each):.2f} in {len(each)} rounds" if each else ""
        cells = [shape.format(echo), shape.format(hub), f"{found.get(share, hub / echo):.2f}", spread]
        rows.append([title.strip(), *cells, _aim(limits, share if share in limits else f"puckhub_{key}")])
    return _rows(["", "echo", "puckhub", "ratio", "the rounds' ratios", "threshold"], rows)


def _hub_memory(results: dict, thresholds: dict) -> str:
    rows = [
        [title.strip(), shape.format(results["puckhub"][key]), _aim(thresholds["puckhub"], key)]
        for title, key, shape in report.HUB_FIGURES if "storm" not in key
    ]  # fmt: skip
    return _rows(["anonymous memory of the hub", "", "threshold"], rows)


def _storms(results: dict, thresholds: dict) -> str:
    found, rows = results["puckhub"], []
    for title, key, shape in report.STORM_FIGURES:
        cells = []
        for storm in ("storm", "late_storm"):
            each = [one[f"{storm}_{key}"] for one in found[f"{storm}_all"]]
            cells.append(f"{shape.format(found[f'{storm}_{key}'])} ({shape.format(min(each))} to {shape.format(max(each))})")
        rows.append([title, *cells, _aim(thresholds["puckhub"], f"storm_{key}")])
    counts = [len(found[f"{storm}_all"]) for storm in ("storm", "late_storm")]
    heads = ["1,000 pucks; median of the storms (least to most)", f"hub restarted at once, {counts[0]} times", f"hub away for 20 s, {counts[1]} times"]
    return _rows([*heads, "threshold"], rows)


def _flood(results: dict, thresholds: dict) -> str:
    found, rows = results["flood"], []
    for kind in flood.KINDS:
        known, new, share = (found[f"{kind}_{key}"] for key in ("known_p99_ms", "new_p99_ms", "cpu_share"))
        rows.append([kind, f"{known:.0f} ms", f"{new:.0f} ms", f"{share:.0%}", _aim(thresholds["flood"], f"{kind}_new_p99_ms")])
    heads = ["1,000 half-open connections a second", "known address, 99 %", "new address, 99 %", "hub's processor", "threshold, ms"]
    return _rows(heads, rows)


def _sizes(results: dict, thresholds: dict) -> str:
    sizes, rows = results["arm"]["sizes"], []
    for key in report.ARM_SIZES:
        # The aims are in KB, thousands of bytes.
        cells = [f"{found[key] * 1.024:.0f} KB" if key in found else "–" for found in sizes.values()]
        limit = thresholds["arm"].get(f"arm64_{key}")
        rows.append([key.removesuffix("_kib").replace("_", ", "), *cells, f"arm64 ≤ {limit * 1.024:.0f} KB" if limit else ""])
    return _rows(["stripped", *sizes, "threshold"], rows)


def _guest(results: dict, thresholds: dict) -> str:
    rows = [
        [title.strip(), shape.format(results["arm"][key]), _aim(thresholds["arm"], key)]
        for title, key, shape in report.ARM_FIGURES
    ]
    return _rows(["streaming, in the arm64 guest", "", "threshold"], rows)


def _simulator(results: dict, _: dict) -> str:
    speed = results["pucksim"]["simulated_hours_per_second"]
    return f"20 seeds, 5 pucks, 30 minutes each: {speed:.2f} simulated hours a second of wall clock.\n"


def _decisions(results: dict, _: dict) -> str:
    found, rows = results["arbiter"], []
    for key, value in found.items():
        if key.startswith("decisions"):
            rows.append([f"decisions on one core, {key.split('_')[-2]} groups of two", f"{value:,} /s"])
    grant = f"{found['grant_median_us']} µs, 99 %: {found['grant_p99_us']} µs"
    rows.append(["grant after the window's end, 1,000 pucks in groups of four", grant])
    return _rows(["", ""], rows)


TABLES = {
    "machine": _machine, "puckd": _puckd, "parts": _parts, "hub": _hub, "hub-memory": _hub_memory, "storms": _storms, "flood": _flood,
    "sizes": _sizes, "guest": _guest, "simulator": _simulator, "decisions": _decisions,
}  # fmt: skip


def filled(text: str, results: dict, thresholds: dict) -> tuple[str, list[str]]:
    """The document with its tables, and the names of those that could not be made."""
    left = []

    def table(found: re.Match) -> str:
        name = found[2]
        if name not in TABLES:
            raise Failure(f"the document has a table '{name}', which nobody can make: there are {', '.join(TABLES)}")
        try:
            return found[1] + TABLES[name](results, thresholds) + found[3]
        except KeyError as missing:
            left.append(f"{name} (no {missing.args[0]})")
            return found[0]

    return BLOCK.sub(table, text), left


def write(results: Path, page: Path) -> int:
    """Exit status: 0, or 1 when a table stayed as it was."""
    if not results.exists():
        raise Failure(f"{results} is missing: run 'make bench' first, or name a file with --json")
    thresholds = json.loads((page.parent.parent / "Benchmarks/thresholds.json").read_text())
    text, left = filled(page.read_text(), json.loads(results.read_text()), thresholds)
    page.write_text(text)
    for name in left:
        print(f"bench: the table {name} stays as it was: its results are missing")
    return 1 if left else 0

"""What was measured, and on what."""

import os
import platform
import re
from pathlib import Path

from . import deadline
from .deadline import Failure


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1].strip() if found else "?"


def _said(*words: object) -> str:
    try:
        return deadline.run(list(words), str(words[0]), 30)
    except (Failure, OSError):
        return ""


def description(root: Path, quick: bool) -> dict:
    git = ["git", "-c", f"safe.directory={root}", "-C", root]
    commit = _said(*git, "rev-parse", "--short=12", "HEAD").strip() or "?"
    changed = bool(_said(*git, "status", "--porcelain", "--untracked-files=no").strip())
    libraries = {name: _said("pkg-config", "--modversion", name).strip() for name in ("opus", "libwebsockets", "openssl")}
    return {
        "commit": commit + (" with changes" if changed else ""),
        "date": _said("date", "-u", "+%Y-%m-%d").strip(),
        "architecture": platform.machine(),
        "processor": _first(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text()),
        "cores": os.cpu_count(),
        "system": _first(r'^PRETTY_NAME="?([^"\n]*)', Path("/etc/os-release").read_text()),
        "swift": _first(r"Swift version (\S+)", _said("swift", "--version")),
        "gstreamer": _first(r"version ([\d.]+)", _said("gst-launch-1.0", "--version")),
        **libraries,
        "quick": quick,
        "load_before": round(os.getloadavg()[0], 2),
    }

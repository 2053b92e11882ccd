"""Prints the time and memory of a measured program."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")


def report(seconds: float, cpu_seconds: float) -> None:
    """Print time and memory as one JSON document."""
    found = {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_kilobytes": _peak(),
    }
    sys.stdout.write(json.dumps(found))


def _peak() -> int:
    """Return the peak of resident memory, in KB."""
    # Preferred to ru_maxrss, which on Linux begins with the value of the parent process.
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak

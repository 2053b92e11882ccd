"""Measures the cold start of a process up to its first append, against bare boto3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks.pairing import Ratio
from benchmarks.report import NOTHING, Goal, Section, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT: Final = 1.25
_ROOT: Final = Path(__file__).parents[1]
_OURS: Final = "benchmarks.programs.ready_to_append"
_BARE: Final = "benchmarks.programs.bare_client"
_LIMIT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a process.

    Attributes:
        seconds: time from its first line until it was ready.
        cpu_seconds: CPU time in that time.
        peak_kilobytes: greatest resident memory.
    """

    seconds: float
    cpu_seconds: float
    peak_kilobytes: int


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements.

    Attributes:
        ours: starts of dynamo_es.
        bare: starts of bare boto3, each right after one of ``ours``.
        import_seconds: times of ``import dynamo_es`` alone.
        imported: packages that the import loads, apart from the standard library and dynamo_es.
    """

    ours: Sequence[Start]
    bare: Sequence[Start]
    import_seconds: Sequence[float]
    imported: frozenset[str]


def measure(runs: int) -> Found:
    """Start both kinds of process alternately, ``runs`` times each."""
    ours, bare = [], []
    with TemporaryDirectory() as cache:
        # The first start of each kind writes the bytecode to the new cache, and does not count.
        start(_OURS, cache)
        start(_BARE, cache)
        for _ in range(runs):
            ours.append(start(_OURS, cache))
            bare.append(start(_BARE, cache))
        imports = [_import_times(cache) for _ in range(runs)]
    seconds = [times["dynamo_es"] for times in imports]
    top = {name.partition(".")[0] for name in imports[0]}
    foreign = top - set(sys.stdlib_module_names) - {"dynamo_es"}
    return Found(
        ours, bare, seconds, frozenset(foreign & {"boto3", "botocore", "moto", "pydantic"})
    )


def start(
    module: str, cache: str, *arguments: str, variables: Mapping[str, str] | None = None
) -> Start:
    """Run a program that reports on its start, and return the report.

    Args:
        module: name of the program's module.
        cache: folder of the bytecode.
        arguments: arguments of the program.
        variables: environment variables in addition to credentials.
    """
    ran = _python(cache, "-m", module, *arguments, variables=variables)
    return Start(**json.loads(ran.stdout))


def _import_times(cache: str) -> dict[str, float]:
    """Return the import time of each module in seconds, including its own imports."""
    times = {}
    for line in _python(cache, "-X", "importtime", "-c", "import dynamo_es").stderr.splitlines():
        fields = line.removeprefix("import time:").split("|")
        if line.startswith("import time:") and fields[1].strip().isdigit():
            times[fields[2].strip()] = int(fields[1]) / 1e6
    return times


def _python(
    cache: str, *arguments: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "PYTHONPATH": str(_ROOT),
        "PYTHONPYCACHEPREFIX": cache,
        "PYTHONDONTWRITEBYTECODE": "",
        **(variables or {}),
    }
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=_LIMIT_SECONDS,
    )


def section(found: Found) -> Section:
    """Return the section on cold starts."""
    pairs = list(zip(found.ours, found.bare, strict=True))
    cpu = Ratio.of([one.cpu_seconds / two.cpu_seconds for one, two in pairs])
    wall = Ratio.of([one.seconds / two.seconds for one, two in pairs])
    memory = Ratio.of([one.peak_kilobytes / two.peak_kilobytes for one, two in pairs])
    rows = [
        ["ready to append, ms of CPU", *_medians(found, "cpu_seconds", 1000), str(cpu)],
        ["ready to append, ms", *_medians(found, "seconds", 1000), str(wall)],
        ["peak of resident memory, MB", *_medians(found, "peak_kilobytes", 1 / 1024), str(memory)],
        ["`import dynamo_es`, ms", f"{median(found.import_seconds) * 1000:.0f}", NOTHING, NOTHING],
    ]
    how = (
        "New processes of both kinds start alternately, with compiled bytecode. The figures are "
        "medians, and the median of the ratios of pairs with quartiles. dynamo_es: the time "
        "from the first line of the program until a backend and its client exist and a replay "
        "in the same process has answered a first append. Bare: boto3, pydantic and tenacity "
        "are imported and a client is created, but nothing is sent. Neither includes the start "
        "of the interpreter. `import dynamo_es` is measured by `python -X importtime`, and "
        "includes modules of the standard library."
    )
    loads = ", ".join(sorted(found.imported)) or "neither boto3 nor pydantic nor moto"
    return Section(
        "Cold start",
        how,
        [Table(["", "dynamo_es", "bare boto3", "ratio (goal: 1.25)"], rows)],
        f"`import dynamo_es` loads {loads}.",
        goals=[
            Goal("cold start, CPU relative to bare boto3", cpu.median, LIMIT),
            Goal("cold start, time relative to bare boto3", wall.median, LIMIT),
            Goal(
                "AWS packages that `import dynamo_es` loads",
                len(found.imported),
                0,
                str(len(found.imported)),
                exact=True,
            ),
        ],
    )


def _medians(found: Found, name: str, factor: float) -> list[str]:
    return [
        f"{median(getattr(start, name) for start in starts) * factor:.0f}"
        for starts in (found.ours, found.bare)
    ]

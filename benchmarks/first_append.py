"""Measures a process up to its first append over TLS, by transport, against bare boto3."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import certifi

from benchmarks.canned import CA_BUNDLE, canned
from benchmarks.cold_start import Start, start
from benchmarks.pairing import Ratio
from benchmarks.replaying import Reply
from benchmarks.report import Goal, Section, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KINDS: Final = ("default", "lean", "bare")
CPU_LIMIT: Final = 0.55
MEMORY_LIMIT: Final = 0.6

_PROGRAM: Final = "benchmarks.programs.first_append"
_WRITTEN: Final = Reply(200, {}, b"{}")


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements.

    Attributes:
        starts: starts by kind; those of one round have the same index.
    """

    starts: Mapping[str, Sequence[Start]]

    def ratio(self, kind: str, name: str) -> Ratio:
        """Return the ratio of a kind to bare boto3 in an attribute of `Start`."""
        pairs = zip(self.starts[kind], self.starts["bare"], strict=True)
        return Ratio.of([getattr(one, name) / getattr(two, name) for one, two in pairs])

    def median(self, kind: str, name: str) -> float:
        """Return the median of an attribute of a kind's starts."""
        return float(median(getattr(one, name) for one in self.starts[kind]))


def measure(runs: int) -> Found:
    """Start each kind of process ``runs`` times, in turn."""
    starts: dict[str, list[Start]] = {kind: [] for kind in KINDS}
    with canned([_WRITTEN]) as (endpoint,), TemporaryDirectory() as scratch:
        bundle = _bundle(Path(scratch), Path(os.environ[CA_BUNDLE]))
        for number in range(runs + 1):
            for kind in KINDS:
                one = start(_PROGRAM, scratch, endpoint, kind, variables={CA_BUNDLE: bundle})
                if number:  # the first start of each kind compiles
                    starts[kind].append(one)
    return Found(starts)


def _bundle(folder: Path, certificate: Path) -> str:
    """Write the usual certificates with the server's: reading them is part of the measured work."""
    path = folder / "bundle.pem"
    path.write_bytes(Path(certifi.where()).read_bytes() + certificate.read_bytes())
    return str(path)


def section(found: Found) -> Section:
    """Return the section on first appends."""
    rows = [
        _row(found, "CPU, ms", "cpu_seconds", 1000),
        _row(found, "time, ms", "seconds", 1000),
        _row(found, "peak of resident memory, MB", "peak_kilobytes", 1 / 1024),
    ]
    how = (
        "New processes start in turn, with compiled bytecode, and with static credentials in "
        "the environment, as in a Lambda function. The time is that from the first line of the "
        "program until a server in another process has answered the first append over TLS; it "
        "includes reading all the certificates that clients trust. The bare program imports "
        "boto3, pydantic and tenacity, and puts an item. The figures are medians, and the "
        "median of the rounds' ratios with quartiles. They do not include the start of the "
        "interpreter, but its memory."
    )
    heads = ["", "bare boto3", *(f"transport `{kind}`" for kind in KINDS[:-1])]
    cpu, memory = found.ratio("lean", "cpu_seconds"), found.ratio("lean", "peak_kilobytes")
    return Section(
        "First append of a process",
        how,
        [Table(heads, rows)],
        goals=[
            Goal("first append, CPU relative to bare boto3, transport lean", cpu.median, CPU_LIMIT),
            Goal(
                "first append, memory relative to bare boto3, transport lean",
                memory.median,
                MEMORY_LIMIT,
            ),
        ],
    )


def _row(found: Found, text: str, name: str, factor: float) -> list[str]:
    cells = [
        f"{found.median(kind, name) * factor:.0f} · {found.ratio(kind, name)}"
        for kind in KINDS[:-1]
    ]
    return [text, f"{found.median('bare', name) * factor:.0f}", *cells]

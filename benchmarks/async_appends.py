"""Measures 64 concurrent appends of an asynchronous process, over TLS to a slow server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from benchmarks.canned import as_sent, certify
from benchmarks.replaying import Reply
from benchmarks.report import Goal, Section, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.scale import Scale

AT_ONCE: Final = 64
MILLISECONDS: Final = 4
LEAST_RATE: Final = 2_500
"""Goal: the least number of appends per second of CPU time."""
MOST_LATENCY: Final = 1.5
"""Goal: the greatest 99th percentile at half that load, as a multiple of the server's."""
LOOPS: Final = ("asyncio", "uvloop")

_ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Load:
    """The work that a client did.

    Attributes:
        appends: number of appends.
        seconds: elapsed time.
        cpu: CPU time in seconds.
    """

    appends: int
    seconds: float
    cpu: float

    @property
    def per_cpu_second(self) -> float:
        """The number of appends per second of CPU time."""
        return self.appends / self.cpu


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements.

    Attributes:
        loads: the work of each client, by its name.
        latency: 99th percentile of an append at half the load, in seconds.
        server: 99th percentile of a request over bare connections at the same rate, in seconds.
    """

    loads: dict[str, Load]
    latency: float
    server: float


def measure(scale: Scale) -> Found:
    """Measure the rates per CPU second, and the latency at half the load."""
    seconds = 4 * scale.thread_seconds
    with _server() as (endpoint, certificate):
        loads = {loop: _load(loop, endpoint, certificate, seconds) for loop in LOOPS}
        loads["boto3"] = _boto3(endpoint, certificate, seconds)
        rate = loads["asyncio"].appends / loads["asyncio"].seconds / 2
        steady = _run("async_appender", certificate, "asyncio", endpoint, AT_ONCE, seconds, rate)
        port = endpoint.rpartition(":")[2]
        server = _run("bare_sender", certificate, port, AT_ONCE, seconds, rate)
    return Found(loads, _percentile(steady["latencies"]), _percentile(server["latencies"]))


def section(found: Found) -> Section:
    """Return the section on asynchronous appends."""
    how = (
        f"One process runs {AT_ONCE} appends at once, each of one typed event to its own stream, "
        f"over TLS to a server that answers after {MILLISECONDS} ms. boto3 puts items of that "
        f"size in {AT_ONCE} threads. Then appends start at regular intervals, at half the rate; "
        "their 99th percentile is compared with that of requests over bare connections at the "
        "same rate."
    )
    rows = [
        [
            _NAMES[name],
            f"{load.per_cpu_second:,.0f}",
            f"{load.cpu / load.appends * 1e6:.0f} µs",
            f"{load.appends / load.seconds:,.0f}",
        ]
        for name, load in found.loads.items()
    ]
    headers = ["client", "appends a second of CPU", "CPU of one", "appends a second"]
    cpu = found.loads["asyncio"].per_cpu_second
    ratio = found.latency / found.server
    goals = [
        Goal("asyncio: CPU of an append, in ms", 1e3 / cpu, 1e3 / LEAST_RATE, f"{cpu:,.0f} a s"),
        Goal(
            "asyncio: 99th percentile at half load, relative to the server's", ratio, MOST_LATENCY
        ),
    ]
    remarks = (
        f"At half load, 99 of 100 appends take at most {found.latency * 1e3:.1f} ms; requests over "
        f"bare connections {found.server * 1e3:.1f} ms."
    )
    return Section("asyncio", how, [Table(headers, rows)], remarks, goals=goals)


_NAMES: Final = {
    "asyncio": "`AsyncDynamoBackend`, asyncio",
    "uvloop": "`AsyncDynamoBackend`, uvloop",
    "boto3": f"boto3 in {AT_ONCE} threads, bare puts",
}


@contextmanager
def _server() -> Iterator[tuple[str, str]]:
    with TemporaryDirectory() as folder:
        certificate, key = certify(Path(folder))
        reply = as_sent(Reply(200, {}, b"{}"))
        head = "\r\n".join(
            ["HTTP/1.1 200 OK", *(f"{k}: {v}" for k, v in reply["headers"].items()), "", ""]
        )
        plan = {
            "certificate": str(certificate),
            "key": str(key),
            "milliseconds": MILLISECONDS,
            "reply": b64encode(head.encode() + b"{}").decode(),
        }
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.programs.slow_server"],
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            if server.stdin is None or server.stdout is None:
                raise RuntimeError("The server has no pipes.")
            server.stdin.write(f"{json.dumps(plan)}\n")
            server.stdin.flush()
            yield f"https://127.0.0.1:{int(server.stdout.readline())}", str(certificate)
            server.stdin.close()


def _run(program: str, certificate: str, *arguments: object) -> dict[str, Any]:
    """Run a program, and return the JSON that it prints."""
    done = subprocess.run(  # noqa: S603 - a program of this package
        [sys.executable, "-m", f"benchmarks.programs.{program}", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(_ROOT), "AWS_CA_BUNDLE": certificate},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _load(loop: str, endpoint: str, certificate: str, seconds: float) -> Load:
    return Load(**_run("async_appender", certificate, loop, endpoint, AT_ONCE, seconds))


def _boto3(endpoint: str, certificate: str, seconds: float) -> Load:
    return Load(**_run("threaded_putter", certificate, endpoint, AT_ONCE, seconds))


def _percentile(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]

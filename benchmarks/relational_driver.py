"""Measures the DCB recorder of eventsourcing on PostgreSQL, in an environment that has it.

    PYTHONPATH=CHECKOUT PYTHON -m benchmarks.relational_driver HOST ROUNDS LENGTH…

HOST is the folder of the server's socket. It prints one JSON document: for each length, the times
of an append and of a read in milliseconds, each as a list of elapsed and client CPU time.
"""

from __future__ import annotations

import json
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Any

from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBQueryItem,
)
from eventsourcing.dcb.postgres_tt import PostgresDCBRecorderTT
from eventsourcing.postgres import PostgresDatastore

from benchmarks.boundary_workload import ASKED, NAME, data_of, tags_of

if TYPE_CHECKING:
    from collections.abc import Callable

_AT_ONCE = 1_000


def main(host: str, rounds: int, lengths: list[int]) -> dict[int, dict[str, list[float]]]:
    """Measure at each length; return the times as printed."""
    with PostgresDatastore("postgres", host, 5432, "postgres", "") as datastore:
        recorder = PostgresDCBRecorderTT(datastore)
        recorder.create_table()
        found = {}
        length = 0
        for wanted in lengths:
            for first in range(length, wanted, _AT_ONCE):
                last = min(first + _AT_ONCE, wanted)
                recorder.append([_event(number) for number in range(first, last)])
            length = wanted
            found[wanted] = _measure(recorder, length, rounds)
            length += rounds
        return found


def _event(number: int) -> DCBEvent:
    return DCBEvent(NAME, json.dumps(data_of(number)).encode(), tags_of(number))


def _measure(recorder: Any, length: int, rounds: int) -> dict[str, list[float]]:
    query = DCBQuery([DCBQueryItem(tags=[ASKED])])

    def append(number: int) -> None:
        head = length + number
        recorder.append([_event(head + 1)], DCBAppendCondition(query, head))

    return {
        "append": _timed(append, rounds),
        "read": _timed(lambda _: list(recorder.read(query)), rounds),
    }


def _timed(work: Callable[[int], object], rounds: int) -> list[float]:
    elapsed, cpu = [], []
    for number in range(rounds):
        began, began_cpu = time.perf_counter(), time.process_time()
        work(number)
        elapsed.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - began_cpu) * 1000)
    return [median(elapsed), median(cpu)]


if __name__ == "__main__":
    host, rounds, *lengths = sys.argv[1:]
    sys.stdout.write(json.dumps(main(host, int(rounds), [int(length) for length in lengths])))

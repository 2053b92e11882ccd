"""Measures threads that append with one client, each to its own stream."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks.ours import raw_events, stream_id
from benchmarks.pairing import Ratio
from benchmarks.report import Plot, Section, Table
from benchmarks.sample import Sample
from dynamo_es import DynamoBackend, ExplicitVersioning
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb.streams.items import commit_item
from dynamo_es.dynamodb.streams.requests import put_commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.engine import Engine
    from benchmarks.scale import Scale

EVENTS_PER_COMMIT: Final = 3
_numbers = count()


@dataclass(frozen=True, slots=True)
class Rates:
    """The numbers of appends and of bare puts per second in each round."""

    appends: list[float]
    puts: list[float]


def measure(engine: Engine, scale: Scale) -> dict[int, Rates]:
    """Return the rates by number of threads."""
    config = replace(engine.config, report_capacity=False)
    storage = DynamoBackend(config, engine.connect()).storage
    client: Any = engine.connect()
    sample = Sample().take(EVENTS_PER_COMMIT)

    def appending() -> Iterator[None]:
        stream = stream_id(f"thread {next(_numbers)}")
        events = raw_events(stream, sample)
        for version in count(0, EVENTS_PER_COMMIT):
            storage.insert_events(stream, ExplicitVersioning(version), events)
            yield

    def putting() -> Iterator[None]:
        stream = stream_id(f"thread {next(_numbers)}")
        key = stream_key(tenant_prefix(""), stream)
        item, _ = commit_item(
            key,
            stream.name,
            raw_events(stream, sample),
            version=1,
            generation=1763920000123456,
            versionless=False,
        )
        params = put_commit(config.events_table, item).params
        for version in count(1, EVENTS_PER_COMMIT):
            item["version"] = {"N": str(version)}
            client.put_item(**params)
            yield

    found: dict[int, Rates] = {threads: Rates([], []) for threads in scale.threads}
    for _ in range(scale.thread_rounds):
        for threads, rates in found.items():
            rates.appends.append(_rate(appending, threads, scale.thread_seconds))
            rates.puts.append(_rate(putting, threads, scale.thread_seconds))
    return found


def _rate(work: Callable[[], Iterator[None]], threads: int, seconds: float) -> float:
    begin = time.perf_counter()
    end = begin + seconds

    def run() -> int:
        done = 0
        for _ in work():
            done += 1
            if time.perf_counter() >= end:
                break
        return done

    with ThreadPoolExecutor(threads) as pool:
        done = sum(future.result() for future in [pool.submit(run) for _ in range(threads)])
    return done / (time.perf_counter() - begin)


def section(found: Mapping[int, Rates], seconds: float) -> Section:
    """Return the section on threads."""
    rows = [
        [
            str(threads),
            f"{median(rates.appends):,.0f}",
            f"{median(rates.puts):,.0f}",
            str(Ratio.of([a / p for a, p in zip(rates.appends, rates.puts, strict=True)])),
        ]
        for threads, rates in found.items()
    ]
    how = (
        f"Threads of one process share one client and append commits of {EVENTS_PER_COMMIT} "
        f"events, each to its own stream, for {seconds:g} s. In turn with that, a client of the "
        "same kind sends bare `put_item`s of the same items. Rates are medians of rounds, and "
        "the ratio is the median of pairs. The engine runs on the same cores, and the "
        "interpreter runs one thread at a time: this shows how little of the client's time "
        "dynamo_es takes, not how much load DynamoDB can take."
    )
    headers = ["threads", "appends a second", "bare puts a second", "ratio"]
    plot = Plot(
        "threads",
        "Appends a second by threads on one client",
        "threads",
        "a second",
        {
            "appends": (list(found), [median(rates.appends) for rates in found.values()]),
            "bare put_item": (list(found), [median(rates.puts) for rates in found.values()]),
        },
    )
    return Section("Scaling: threads", how, [Table(headers, rows)], plots=[plot])

"""Measures the rate and price of appends to one boundary, from one writer and from many."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final, cast
from uuid import uuid4

from benchmarks import offered_load
from benchmarks.billing import Bill, Billing
from benchmarks.distance import Distance
from benchmarks.report import NOTHING, Goal, Section, Table
from dynamo_es import DynamoBackend, DynamoConfig, Event, Query, Tag
from dynamo_es.dynamodb.wire.client import make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.engine import Engine
    from benchmarks.offered_load import Load
    from benchmarks.scale import Scale
    from dynamo_es import StoredVersion
    from dynamo_es.dynamodb.wire.lean.client import LeanClient

LATENCY: Final = offered_load.LATENCY
"""Least time in seconds of each request."""
PROCESSES: Final = 4
WRITERS: Final = 16
"""Number of writers in each process."""
RATES: Final = {25: 1.15, 100: 2.0}
"""By decisions a second of independent processes, the goal in write units per append."""
ALONE_GOAL: Final = 150.0
GROUPED_GOAL: Final = 1_500.0
GROUPED_UNITS_GOAL: Final = 0.4
_WARM_UP: Final = 0.5
_ENOUGH: Final = 1_000
"""Number of appends from which their write units are exact enough to judge."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The work that the writers of one boundary did.

    Attributes:
        appends: number of stored appends.
        seconds: elapsed time.
        cpu: CPU seconds of all processes.
        bill: the price of all requests.
        within: those of the CPU seconds that were used while requests took their time.
    """

    appends: int
    seconds: float
    cpu: float
    bill: Bill
    within: float = 0.0

    @property
    def a_second(self) -> float:
        """The number of appends per second."""
        return self.appends / self.seconds

    @property
    def by_parts(self) -> float:
        """The rate of one writer, from the time of its requests and the CPU between them."""
        return self.appends / (self.bill.requests * LATENCY + self.cpu - self.within)

    @property
    def write_units(self) -> float:
        """The write units per append."""
        return self.bill.write_units / self.appends


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements.

    Attributes:
        alone: rounds of one writer.
        lean: one writer with the lean transport; None if not measured.
        grouped: rounds of many writers in several processes, with ``group=True``.
        apart: as many writers without ``group``; None if not measured.
        loads: independent processes, by decisions per second.
    """

    alone: Sequence[Rate]
    lean: Rate | None
    grouped: Sequence[Rate]
    apart: Rate | None
    loads: Mapping[int, Load]


@dataclass(frozen=True, slots=True)
class Task:
    """The work for the writers of one process.

    Attributes:
        config: configuration of the store.
        boundary: name of the boundary.
        writers: number of threads.
        seconds: time for which they write.
        group: whether they append with ``group=True``.
        starts_at: time to start at, as a Unix timestamp.
        lean: whether to use the lean transport.
    """

    config: DynamoConfig
    boundary: str
    writers: int
    seconds: float
    group: bool
    starts_at: float = 0.0
    lean: bool = False


def measure(engine: Engine, scale: Scale) -> Found:
    """Measure one writer, many in groups, many apart, and independent processes."""
    seconds, rounds = scale.contention_seconds, scale.contention_rounds
    alone = _rounds(lambda: _alone(engine, seconds), rounds, ALONE_GOAL)
    lean = None if engine.endpoint_url is None else _alone(engine, seconds, lean=True)
    grouped = _rounds(lambda: _crowd(engine, seconds, group=True), rounds, GROUPED_GOAL)
    apart = _crowd(engine, scale.contention_seconds, group=False) if scale.installs else None
    loads = {rate: offered_load.measure(engine, rate, scale.offered_appends) for rate in RATES}
    return Found(alone, lean, grouped, apart, loads)


def _rounds(run: Callable[[], Rate], most: int, goal: float) -> list[Rate]:
    """Run rounds until one meets the goal, because other work on the machine slows some."""
    rates: list[Rate] = []
    while len(rates) < most and all(rate.a_second < goal for rate in rates):
        rates.append(run())
    return rates


def _alone(engine: Engine, seconds: float, *, lean: bool = False) -> Rate:
    task = Task(engine.config, f"alone {uuid4()}", 1, seconds, group=False, lean=lean)
    return write(task, None if lean else engine.connect())


def _crowd(engine: Engine, seconds: float, *, group: bool) -> Rate:
    name = f"crowd {uuid4()}"
    task = Task(engine.config, name, WRITERS, seconds, group, time.time() + _WARM_UP)
    executor: Executor
    if engine.endpoint_url is None:  # the emulator is in this process, so threads replace processes
        executor = ThreadPoolExecutor(PROCESSES)
        clients: list[DynamoDBClient | None] = [engine.connect() for _ in range(PROCESSES)]
    else:
        fresh = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(PROCESSES, mp_context=fresh)
        clients = [None] * PROCESSES
    with executor:
        list(executor.map(_ready, range(PROCESSES)))
        task = replace(task, starts_at=time.time() + _WARM_UP)
        rates = list(executor.map(write, [task] * PROCESSES, clients))
    bills = sum((rate.bill for rate in rates), Bill())
    appends, cpu = (sum(getattr(rate, name) for rate in rates) for name in ("appends", "cpu"))
    return Rate(appends, max(rate.seconds for rate in rates), cpu, bills)


def _ready(_: int) -> None:
    """Keep a worker busy until all workers have started."""
    time.sleep(_WARM_UP)


def write(task: Task, client: DynamoDBClient | None = None) -> Rate:
    """Let the writers of one process append, each with its own tags."""
    if task.lean:
        billing = Billing(None)
        client = cast("DynamoDBClient", billing.lean(_lean_client(task.config)))
    else:
        client = make_client(task.config) if client is None else client
        billing = Billing(client)
    distance = Distance(client, LATENCY)
    backend = DynamoBackend(replace(task.config, report_capacity=False), client=client)
    process = _Process(backend, task.boundary, group=task.group)
    process.append()  # opens the connection
    time.sleep(max(task.starts_at - time.time(), 0.0))
    billing.take()
    distance.cpu = 0.0
    cpu, began = time.process_time(), time.perf_counter()
    until = began + task.seconds

    def writer(_: int) -> int:
        appends = 0
        while time.perf_counter() < until:
            process.append()
            appends += 1
        return appends

    with ThreadPoolExecutor(task.writers) as threads:
        appends = sum(threads.map(writer, range(task.writers)))
    took = time.perf_counter() - began
    distance.remove()
    return Rate(appends, took, time.process_time() - cpu, billing.take(), distance.cpu)


def _lean_client(config: DynamoConfig) -> LeanClient:
    from dynamo_es.dynamodb.wire.lean.client import LeanClient
    from dynamo_es.dynamodb.wire.lean.terms import terms_of

    terms = terms_of(config)
    if terms is None:
        raise RuntimeError(
            "The lean transport does not work here: its messages at level DEBUG say why."
        )
    return LeanClient(terms, config)


class SeatTaken(Event):
    """An event whose tag no other event has."""

    __event_name__ = "benchmarks.seat_taken"

    seat: Annotated[str, Tag("seat")]
    by: str


class _Process:
    """Appends to a boundary unless an event that it has not seen has the same tag."""

    def __init__(self, backend: DynamoBackend, boundary: str, *, group: bool) -> None:
        self._boundary = backend.boundary(boundary, group=group)
        self._head: StoredVersion | None = None

    def append(self) -> None:
        seat = str(uuid4())
        version = self._boundary.append(
            SeatTaken(seat=seat, by="somebody who wanted it"),
            fail_if=Query(tags=[Tag("seat", seat)]),
            after=self._head,
        )
        if self._head is None or version > self._head:
            self._head = version


def section(found: Found) -> Section:
    """Return the section on many writers."""
    ms = LATENCY * 1000
    crowd = PROCESSES * WRITERS
    how = (
        "Each writer appends events to one boundary under its own condition: a tag that no other "
        f"event has. Each request takes at least {ms:g} ms, and half of that passes before the "
        f"engine gets the request. First, one writer appends alone. Then {crowd} writers append at "
        f"once, in {PROCESSES} processes of {WRITERS} threads: independently, and in groups "
        "(`group=True`). Write units follow DynamoDB's rules and are counted from the requests, "
        "including refused puts, which are billed too. The rate of one writer by its parts is "
        "computed from the time of its requests and the CPU time between them. An idle machine "
        "reaches at least this rate. The engine and all writers share the cores of this "
        "machine.\n\n"
        f"Then {offered_load.PROCESSES} independent processes decide at random times: each reads "
        "the new events, and appends. They run in simulated time, in which each request takes "
        f"{ms:g} ms, so these figures do not depend on the machine."
    )
    return Section(
        "One boundary, many writers", how, [_rates(found), _loads(found)], goals=_goals(found)
    )


def _best(rates: Sequence[Rate]) -> Rate:
    """Return the fastest round, because other work on the machine slows the rest."""
    return max(rates, key=lambda rate: rate.a_second)


def _rates(found: Found) -> Table:
    crowd = f"{PROCESSES * WRITERS}"
    rows: list[tuple[str, str, Rate]] = [
        ("1", "alone", _best(found.alone)),
        *([("1", "alone, `transport='lean'`", found.lean)] if found.lean else []),
        *([(crowd, "apart", found.apart)] if found.apart else []),
        (crowd, "in groups", _best(found.grouped)),
    ]
    return Table(
        [
            "writers",
            "how",
            "appends a second",
            "by its parts",
            "write units an append",
            "refused puts an append",
            "CPU an append, µs",
        ],
        [
            [
                writers,
                name,
                f"{rate.a_second:,.0f}",
                f"{rate.by_parts:,.0f}" if writers == "1" else NOTHING,
                f"{rate.write_units:.2f}",
                f"{rate.bill.refused / rate.appends:.2f}" if rate.bill.refused else NOTHING,
                f"{rate.cpu / rate.appends * 1e6:,.0f}",
            ]
            for writers, name, rate in rows
        ],
    )


def _loads(found: Found) -> Table:
    return Table(
        [
            "decisions a second",
            "write units an append",
            "requests an append",
            "ms a decision, median",
        ],
        [
            [
                str(rate),
                f"{load.write_units:.2f}",
                f"{load.bill.requests / load.appends:.2f}",
                f"{load.seconds * 1000:.0f}",
            ]
            for rate, load in found.loads.items()
        ],
    )


def _goals(found: Found) -> list[Goal]:
    grouped = _best(found.grouped)
    return [
        Goal(
            "ms an append of a boundary's one writer",
            1000 / max(max(rate.by_parts, rate.a_second) for rate in found.alone),
            1000 / ALONE_GOAL,
        ),
        Goal(
            f"ms an append of {PROCESSES * WRITERS} writers in groups",
            1000 / grouped.a_second,
            1000 / GROUPED_GOAL,
        ),
        Goal("write units an append in groups", grouped.write_units, GROUPED_UNITS_GOAL),
        *(
            Goal(
                f"write units an append at {rate} decisions a second",
                found.loads[rate].write_units,
                limit,
                exact=found.loads[rate].appends >= _ENOUGH,
            )
            for rate, limit in RATES.items()
        ),
    ]

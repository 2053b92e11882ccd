"""How many appends a second one boundary takes, alone and from many writers, and at what price."""

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
"""Seconds that each request takes at least."""
PROCESSES: Final = 4
WRITERS: Final = 16
"""Of each process."""
RATES: Final = {25: 1.15, 100: 2.0}
"""Decisions a second by independent processes, and the goal in write units an append."""
ALONE_GOAL: Final = 150.0
GROUPED_GOAL: Final = 1_500.0
GROUPED_UNITS_GOAL: Final = 0.4
_WARM_UP: Final = 0.5
_ENOUGH: Final = 1_000
"""Appends from which on their units say something exact: with fewer, chance decides."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What writers of one boundary did.

    Attributes:
        appends: that were stored.
        seconds: of the measurement.
        cpu: seconds of CPU of all processes.
        bill: of all requests.
        within: seconds of that CPU within the time of the requests.
    """

    appends: int
    seconds: float
    cpu: float
    bill: Bill
    within: float = 0.0

    @property
    def a_second(self) -> float:
        """Appends a second."""
        return self.appends / self.seconds

    @property
    def by_parts(self) -> float:
        """Appends a second of one writer, from its requests and the CPU between them."""
        return self.appends / (self.bill.requests * LATENCY + self.cpu - self.within)

    @property
    def write_units(self) -> float:
        """Write units of an append."""
        return self.bill.write_units / self.appends


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured.

    Attributes:
        alone: one writer, of each round.
        lean: one writer whose requests travel by the lean transport; None: not measured.
        grouped: many writers in several processes that group, of each round.
        apart: as many that do not group; None: not measured.
        loads: by decisions a second.
    """

    alone: Sequence[Rate]
    lean: Rate | None
    grouped: Sequence[Rate]
    apart: Rate | None
    loads: Mapping[int, Load]


@dataclass(frozen=True, slots=True)
class Task:
    """What the writers of one process do.

    Attributes:
        config: where.
        boundary: name of the boundary.
        writers: threads.
        seconds: how long.
        group: whether they group.
        starts_at: when, by the wall clock.
        lean: whether requests travel by the lean transport.
    """

    config: DynamoConfig
    boundary: str
    writers: int
    seconds: float
    group: bool
    starts_at: float = 0.0
    lean: bool = False


def measure(engine: Engine, scale: Scale) -> Found:
    """Measure one boundary: one writer, many in groups, many apart, and independent processes."""
    seconds, rounds = scale.contention_seconds, scale.contention_rounds
    alone = _rounds(lambda: _alone(engine, seconds), rounds, ALONE_GOAL)
    lean = None if engine.endpoint_url is None else _alone(engine, seconds, lean=True)
    grouped = _rounds(lambda: _crowd(engine, seconds, group=True), rounds, GROUPED_GOAL)
    apart = _crowd(engine, scale.contention_seconds, group=False) if scale.installs else None
    loads = {rate: offered_load.measure(engine, rate, scale.offered_appends) for rate in RATES}
    return Found(alone, lean, grouped, apart, loads)


def _rounds(run: Callable[[], Rate], most: int, goal: float) -> list[Rate]:
    """Run rounds until one is fast enough: other work on the machine slows some."""
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
    if engine.endpoint_url is None:  # an emulator in this process: its threads stand in
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
    """Keep a worker busy until all have begun."""
    time.sleep(_WARM_UP)


def write(task: Task, client: DynamoDBClient | None = None) -> Rate:
    """Let the writers of one process append, each about things of its own."""
    if task.lean:
        billing = Billing(None)
        client = cast("DynamoDBClient", billing.lean(_lean_client(task.config)))
    else:
        client = make_client(task.config) if client is None else client
        billing = Billing(client)
    distance = Distance(client, LATENCY)
    backend = DynamoBackend(replace(task.config, report_capacity=False), client=client)
    process = _Process(backend, task.boundary, group=task.group)
    process.append()  # it connects
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
            "The lean transport does not serve here: see its messages at debug level."
        )
    return LeanClient(terms, config)


class SeatTaken(Event):
    """An event that is about a thing of its own."""

    __event_name__ = "benchmarks.seat_taken"

    seat: Annotated[str, Tag("seat")]
    by: str


class _Process:
    """Appends to a boundary, unless an event that it has not seen is about the same seat."""

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
    """Return the tables."""
    ms = LATENCY * 1000
    crowd = PROCESSES * WRITERS
    how = (
        f"Writers append events to one boundary, each under a condition of its own: a tag that no "
        f"other event has. Each request takes {ms:g} ms at least; half of them pass before the "
        "engine gets it. First one writer appends after itself, then "
        f"{crowd} at once, in {PROCESSES} processes of {WRITERS} threads: apart, and in groups "
        "(`group=True`). Write units are those of DynamoDB's rules, counted from the requests: a "
        "refused put is billed, too. The rate of one writer by its parts is that of the time of "
        "its requests and of the CPU that it used between them: what a quiet machine shows at "
        "least. The engine and all writers share the cores of this machine.\n\n"
        f"Then {offered_load.PROCESSES} processes that know nothing of each other decide, at "
        "random times of one stretch: each reads what is new, and appends. They run in a time of "
        f"their own, in which each request takes {ms:g} ms, so these figures do not depend on the "
        "machine."
    )
    return Section(
        "One boundary, many writers", how, [_rates(found), _loads(found)], goals=_goals(found)
    )


def _best(rates: Sequence[Rate]) -> Rate:
    """Return the fastest round: other work on the machine only slows the others."""
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

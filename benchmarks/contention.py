"""How many appends a second one boundary takes, alone and from many writers, and at what price."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from benchmarks import offered_load
from benchmarks.billing import Bill, Billing
from benchmarks.distance import Distance
from benchmarks.report import Goal, Section, Table
from dynamo_es import DynamoBackend, DynamoConfig, RawEvent, StreamId
from dynamo_es.contracts.boundaries import ConditionalAppend
from dynamo_es.dynamodb.wire.client import make_client
from dynamo_es.event_store.wrapped import now
from dynamo_es.grouping.appends import append_in_group
from dynamo_es.values import DEFAULT_TENANT, Query, Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.engine import Engine
    from benchmarks.offered_load import Load
    from benchmarks.scale import Scale

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


@dataclass(frozen=True, slots=True)
class Rate:
    """What writers of one boundary did.

    Attributes:
        appends: that were stored.
        seconds: of the measurement.
        cpu: seconds of CPU of all processes.
        bill: of all requests.
    """

    appends: int
    seconds: float
    cpu: float
    bill: Bill

    @property
    def a_second(self) -> float:
        """Appends a second."""
        return self.appends / self.seconds

    @property
    def write_units(self) -> float:
        """Write units of an append."""
        return self.bill.write_units / self.appends


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured.

    Attributes:
        alone: one writer, of each round.
        grouped: many writers in several processes that group, of each round.
        apart: as many that do not group.
        loads: by decisions a second.
    """

    alone: Sequence[Rate]
    grouped: Sequence[Rate]
    apart: Rate
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
    """

    config: DynamoConfig
    boundary: str
    writers: int
    seconds: float
    group: bool
    starts_at: float = 0.0


def measure(engine: Engine, scale: Scale) -> Found:
    """Measure one boundary: one writer, many in groups, many apart, and independent processes."""
    rounds = range(scale.contention_rounds)
    alone = [_alone(engine, scale.contention_seconds) for _ in rounds]
    grouped = [_crowd(engine, scale.contention_seconds, group=True) for _ in rounds]
    apart = _crowd(engine, scale.contention_seconds, group=False)
    loads = {rate: offered_load.measure(engine, rate, scale.offered_appends) for rate in RATES}
    return Found(alone, grouped, apart, loads)


def _alone(engine: Engine, seconds: float) -> Rate:
    task = Task(engine.config, f"alone {uuid4()}", 1, seconds, group=False)
    return write(task, engine.connect())


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
    client = make_client(task.config) if client is None else client
    distance = Distance(client, LATENCY)
    billing = Billing(client)
    backend = DynamoBackend(replace(task.config, report_capacity=False), client=client)
    process = _Process(backend, StreamId(name=task.boundary, category="boundary"), group=task.group)
    process.append()  # it connects
    time.sleep(max(task.starts_at - time.time(), 0.0))
    billing.take()
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
    return Rate(appends, took, time.process_time() - cpu, billing.take())


class _Process:
    """Appends to a boundary, each time unless somebody has taken a seat that nobody knows yet."""

    def __init__(self, backend: DynamoBackend, boundary: StreamId, *, group: bool) -> None:
        self._storage = backend.storage
        self._groups = backend.event_store.groups
        self._boundary = boundary
        self._group = group
        self._head: Any = None

    def append(self) -> None:
        tag = Tag("seat", uuid4())
        event = RawEvent(
            uuid4(),
            self._boundary,
            created_at=now(),
            name="SeatTaken",
            data={"seat": tag.value, "by": "somebody who wanted it"},
            context={"$tags": [tag.text]},
        )
        append = ConditionalAppend([event], Query(tags=[tag]), self._head)
        if self._group:
            version = append_in_group(
                self._groups, self._storage, DEFAULT_TENANT, self._boundary, append
            )
        else:
            [version] = self._storage.insert_unless(self._boundary, [append])
            if isinstance(version, Exception):
                raise version
        if self._head is None or version > self._head:
            self._head = version

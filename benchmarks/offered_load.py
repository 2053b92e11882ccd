"""Measures the price of a boundary's appends while independent processes decide at a given rate.

The processes run in simulated time: each request takes exactly `LATENCY`, and the engine executes
it in the middle of that time. So the figures do not depend on the machine.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import count
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from benchmarks.billing import Bill, Billing
from dynamo_es import RawEvent, StreamId
from dynamo_es.contracts.boundaries.candidates import Candidate
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend
from dynamo_es.contracts.stream_keys import stream_key
from dynamo_es.dynamodb.streams.appending.append_unless import ConditionalAppends
from dynamo_es.dynamodb.streams.boundaries.matching import fetch_matching
from dynamo_es.dynamodb.streams.remembered.heads import RememberedHeads
from dynamo_es.dynamodb.streams.stream import Stream
from dynamo_es.dynamodb.wire.attempts.retries import Retries
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.dynamodb.wire.steps import Pause, Together
from dynamo_es.values import Query, Tag

if TYPE_CHECKING:
    from benchmarks.engine import Engine
    from dynamo_es.dynamodb.wire.steps import Request, Response, Steps

LATENCY: Final = 0.005
"""Time in seconds of each request."""
PROCESSES: Final = 16
"""Number of processes that share the load."""
_DEADLINE: Final = 60.0
_CREATED: Final = datetime(2026, 1, 31, 12, 30, 0, 123456, UTC)


@dataclass(frozen=True, slots=True)
class Load:
    """The measurements at one rate.

    Attributes:
        appends: number of stored appends.
        bill: the price of all appends.
        seconds: median time of a decision.
    """

    appends: int
    bill: Bill
    seconds: float

    @property
    def write_units(self) -> float:
        """The write units per append."""
        return self.bill.write_units / self.appends


def measure(engine: Engine, rate: float, appends: int, seed: int = 7) -> Load:
    """Let processes read, decide and append at random times.

    Args:
        engine: engine that stores the boundary.
        rate: decisions per second of all processes together.
        appends: number of appends.
        seed: seed of the times, and of the choice of the processes.
    """
    random.seed(seed)  # the library's pauses
    client = engine.connect()
    billing = Billing(client)
    config = replace(engine.config, report_capacity=False)
    gateway = Gateway(lambda: client, config)
    world = _World(gateway, Random(f"{seed} {rate}"))  # noqa: S311 - of times
    stream_id = StreamId(category="boundary")
    processes = [
        _Process(
            Stream(
                config.events_table,
                stream_key("", stream_id),
                stream_id,
                RememberedHeads(10, world.clock),
                world.clock,
            ),
            Random(f"{seed} {number}"),  # noqa: S311 - of seats
        )
        for number in range(PROCESSES)
    ]
    for process in processes:
        world.enter(world.now, process.decide())  # the first append creates the boundary
        world.run()  # from now on, the process knows the head
    world.took.clear()
    billing.take()
    # A Poisson process with an exact rate, because the figures depend most on the rate.
    began = world.now
    for at in sorted(world.chance.uniform(0, appends / rate) for _ in range(appends)):
        world.enter(began + at, world.chance.choice(processes).decide())
    world.run()
    return Load(appends, billing.take(), median(world.took))


class _Process:
    """A process that knows the boundary's head, and has read everything up to it."""

    def __init__(self, stream: Stream, chance: Random) -> None:
        self._stream = stream
        self._chance = chance
        self._seen: Any = None

    def decide(self) -> Steps[None]:
        """Read the new events with a new tag, and append one under the condition of that read."""
        stream = self._stream
        tag = Tag("seat", self._chance.getrandbits(40))
        query = Query(tags=[tag])
        found = yield from fetch_matching(stream, query, self._seen)
        self._seen = found.head
        event = RawEvent(
            UUID(int=self._chance.getrandbits(128), version=4),
            stream.id,
            created_at=_CREATED,
            name="SeatTaken",
            data={"seat": tag.value, "by": "somebody who wanted it"},
            context={"$tags": [tag.text]},
        )
        append = ConditionalAppend([event], query, found.head)
        work = ConditionalAppends(stream, [Candidate(stream.id, append)])
        [result] = yield from work.run()
        if isinstance(result, Exception):
            raise result


class _World:
    """Runs the steps of many processes in simulated time."""

    def __init__(self, gateway: Gateway, chance: Random) -> None:
        self._gateway = gateway
        self.chance = chance
        self.now = 1_700_000_000.0
        self.took: list[float] = []
        self._agenda: list[tuple[float, int, Any]] = []
        self._order = count()

    def clock(self) -> float:
        return self.now

    def enter(self, at: float, steps: Steps[None]) -> None:
        """Schedule the start of steps."""
        at = max(at, self.now)
        retries = Retries(_DEADLINE, None, lambda _: None, self.clock)
        self._plan(at, lambda: self._go_on(steps, at, retries, None))

    def run(self) -> None:
        """Run until no steps are left."""
        while self._agenda:
            self.now, _, action = heappop(self._agenda)
            action()

    def _plan(self, at: float, action: Any) -> None:
        heappush(self._agenda, (at, next(self._order), action))

    def _go_on(self, steps: Steps[None], began: float, retries: Retries, reply: Any) -> None:
        try:
            asked = steps.throw(reply) if isinstance(reply, Exception) else steps.send(reply)
        except StopIteration:
            self.took.append(self.now - began)
            return
        if isinstance(asked, Pause):
            waits: list[float] = []
            Retries(_DEADLINE, None, waits.append, self.clock).pause(asked)
            self._plan(self.now + sum(waits), lambda: self._go_on(steps, began, retries, {}))
            return
        if isinstance(asked, Together):
            raise TypeError("An append must send one request at a time.")
        self._plan(self.now + LATENCY / 2, lambda: self._serve(asked, steps, began, retries))

    def _serve(self, asked: Request, steps: Steps[None], began: float, retries: Retries) -> None:
        reply: Any
        try:
            reply = self._gateway.run("decide", "", None, _only(asked))
        except Exception as error:  # noqa: BLE001 - the steps decide
            reply = error
        self._plan(self.now + LATENCY / 2, lambda: self._go_on(steps, began, retries, reply))


def _only(request: Request) -> Steps[Response]:
    return (yield request)

"""Measures the rate of a sequencer, and the cost of several that race for one log."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_DNS, uuid5

from benchmarks.logged_history import create_log
from benchmarks.report import NOTHING, Goal, Section, Table
from dynamo_es.dynamodb.log.pointers import Pointer
from dynamo_es.dynamodb.log.sequencer import Tables, sequence
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.dynamodb.wire.steps import Pause, Together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.engine import Engine
    from dynamo_es.dynamodb.wire.steps import Steps, T

LATENCY: Final = 0.004
"""Least time in seconds of each request."""
PAGE: Final = 100
"""Number of commits that a sequencer gets at once."""
STREAMS: Final = 400
"""Number of streams of each sequencer. The first pages create markers; the others update them."""
PARALLEL: Final = {1: 1_800.0, 4: 4_000.0}
"""By number of parallel requests, the goal in commits per second."""
SHARDS: Final = (1, 2, 4, 8)
_PATIENCE: Final = 600.0
_CPU_GOAL: Final = 110
"""Goal: CPU microseconds per commit."""
_PUTS: Final = 100
_REFUSED: Final = (b'"DuplicateItem"', b'"ConditionalCheckFailed"')


@dataclass(frozen=True, slots=True)
class Rate:
    """The work of a single sequencer.

    Attributes:
        commits: number of commits that got positions.
        seconds: elapsed time.
        cpu: CPU seconds of all its threads.
        requests: number of requests.
        round_trips: number of waits for a reply or for several parallel replies.
    """

    commits: int
    seconds: float
    cpu: float
    requests: int
    round_trips: int

    @property
    def by_parts(self) -> float:
        """The rate in commits per second on an idle machine, from its round trips and CPU."""
        return self.commits / (self.round_trips * LATENCY + self.cpu)


@dataclass(frozen=True, slots=True)
class Race:
    """The work of several sequencers of one log, each with commits of different streams.

    Attributes:
        commits: number of commits of all sequencers.
        requests: number of requests of all sequencers.
        refused: number of refused writes of pages and markers. Each is billed.
    """

    commits: int
    requests: int
    refused: int


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements.

    Attributes:
        rates: rounds of a single sequencer, by number of parallel requests.
        puts: for each round, the CPU seconds of a bare `put_item`.
        races: races by number of sequencers.
        inline: round trips of a warm process from an append until its position is known.
    """

    rates: Mapping[int, Sequence[Rate]]
    puts: Sequence[float]
    races: Mapping[int, Race]
    inline: int


class Distant:
    """Replaces a client's connections, so that each request takes at least `LATENCY`.

    Attributes:
        requests: number of requests.
        refused: number of refused writes.
    """

    def __init__(self, client: Any) -> None:
        self._session = client._endpoint.http_session  # noqa: SLF001 - there is no public way
        client._endpoint.http_session = self  # noqa: SLF001
        self._lock = threading.Lock()
        self.requests = self.refused = 0

    def send(self, request: Any) -> Any:
        """Send a request, and return its reply after the delay."""
        began = time.perf_counter()
        reply = self._session.send(request)
        left = LATENCY - (time.perf_counter() - began)
        if left > 0:
            time.sleep(left)
        with self._lock:
            self.requests += 1
            self.refused += _refused_in(reply)
        return reply

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _refused_in(reply: Any) -> int:
    body = reply.content
    if reply.status_code != 200:  # noqa: PLR2004
        return int(b"ConditionalCheckFailed" in body)
    return sum(body.count(code) for code in _REFUSED)


def measure(engine: Engine, pages: int, rounds: int) -> Found:
    """Measure a single sequencer, then races of several.

    Args:
        engine: engine to measure on.
        pages: number of pages of each sequencer.
        rounds: number of rounds for each number of parallel requests.
    """
    rates: dict[int, list[Rate]] = {parallel: [] for parallel in PARALLEL}
    puts: list[float] = []
    for _ in range(rounds):
        puts.append(_bare_put(engine))
        for parallel, found in rates.items():
            found.append(_alone(engine, parallel, pages))
    races = {shards: _race(engine, shards, pages) for shards in SHARDS}
    return Found(rates, puts, races, _inline(engine))


def hints_of(shard: int, pages: int) -> list[list[Pointer]]:
    """Return the batches of commits for a sequencer, from streams of its own."""
    versions: Counter[str] = Counter()
    batches: list[list[Pointer]] = []
    for number in range(pages):
        batch: list[Pointer] = []
        for place in range(PAGE):
            name = f"shard {shard} stream {(number * PAGE + place) % STREAMS}"
            key = f"#order#{uuid5(NAMESPACE_DNS, name)}"
            versions[key] += 1
            traits: dict[str, Any] = {"outbox": False, "versionless": False}
            batch.append(Pointer(key, None, 1, versions[key], 1, ("Ordered",), **traits))
        batches.append(batch)
    return batches


class _Sequencer:
    def __init__(self, engine: Engine, log_table: str, parallel: int) -> None:
        client: DynamoDBClient = engine.connect()
        config = replace(
            engine.config,
            log_table=log_table,
            max_parallel=parallel,
            report_capacity=False,
            # All sequencers work at once on one machine, so the losers of races may wait for long.
            retry_deadline=_PATIENCE,
        )
        self.distant = Distant(client)
        self._gateway = Gateway(lambda: client, config)
        self._tables = Tables(config.events_table, log_table)
        self._parallel = parallel
        self.memory = SequencerMemory()
        self.round_trips = 0

    def take(self, batch: Sequence[Pointer]) -> None:
        """Give a batch its positions."""
        steps = sequence(self._tables, batch, self.memory)
        self._gateway.run("sequence", "", None, self._counted(steps))

    def _counted(self, steps: Steps[T]) -> Steps[T]:
        """Count how often the steps wait for a reply or for several parallel replies."""
        try:
            sent = next(steps)
            while True:
                if isinstance(sent, Together):
                    self.round_trips += ceil(len(sent.requests) / self._parallel)
                elif not isinstance(sent, Pause):
                    self.round_trips += 1
                try:
                    reply = yield sent
                except Exception as error:  # noqa: BLE001 - the steps handle it
                    sent = steps.throw(error)
                else:
                    sent = steps.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result


def _bare_put(engine: Engine) -> float:
    """Return the CPU seconds of a bare put of a small item."""
    client, table = engine.connect(), engine.new_table(create_log)
    began = 0.0
    for number in range(-10, _PUTS):
        if number == 0:
            began = time.process_time()
        client.put_item(TableName=table, Item={"log_key": {"S": "a"}, "place": {"S": str(number)}})
    return (time.process_time() - began) / _PUTS


def _alone(engine: Engine, parallel: int, pages: int) -> Rate:
    sequencer = _Sequencer(engine, engine.new_table(create_log), parallel)
    first, *batches = hints_of(0, pages + 1)
    sequencer.take(first)  # opens the connections, and reads the end of the log
    requests, round_trips = sequencer.distant.requests, sequencer.round_trips
    cpu, began = time.process_time(), time.perf_counter()
    for batch in batches:
        sequencer.take(batch)
    return Rate(
        pages * PAGE,
        time.perf_counter() - began,
        time.process_time() - cpu,
        sequencer.distant.requests - requests,
        sequencer.round_trips - round_trips,
    )


def _race(engine: Engine, shards: int, pages: int) -> Race:
    table = engine.new_table(create_log)
    sequencers = [_Sequencer(engine, table, 4) for _ in range(shards)]
    failures: list[BaseException] = []
    start = threading.Barrier(shards)

    def work(sequencer: _Sequencer, batches: list[list[Pointer]]) -> None:
        start.wait()
        try:
            for batch in batches:
                sequencer.take(batch)
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    threads = [
        threading.Thread(target=work, args=(sequencer, hints_of(number, pages)))
        for number, sequencer in enumerate(sequencers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return Race(
        shards * pages * PAGE,
        sum(sequencer.distant.requests for sequencer in sequencers),
        sum(sequencer.distant.refused for sequencer in sequencers),
    )


def _inline(engine: Engine) -> int:
    """Return the round trips for the position of one commit, if another process sequences too."""
    table = engine.new_table(create_log)
    mine, other = (_Sequencer(engine, table, 4) for _ in range(2))
    batches = hints_of(0, 3)
    mine.take(batches[0][:1])
    other.take(batches[0][1:2])
    mine.memory.alone = False  # as if another sequencer had put a page and finished it
    mine.take(batches[0][2:3])
    before = mine.round_trips
    mine.memory.alone = False
    mine.take(batches[0][3:4])
    return mine.round_trips - before


def section(found: Found) -> Section:
    """Return the section on the rate of the log."""
    how = (
        f"A sequencer gets {PAGE} commits at once, from {STREAMS} streams in turn. Each of "
        f"its requests takes at least {LATENCY * 1000:g} ms. It sends the markers of a page "
        "in batches of 25, either one after the other (`max_parallel=1`) or four at once. "
        "The rate by its parts is computed from the round trips and the CPU time: it is the "
        "rate of an idle machine. Right before, a bare `put_item` took "
        f"{min(found.puts) * 1e6:,.0f} µs of CPU here. The measured rate includes the time "
        "of the engine, and of other work on this machine.\n\n"
        "Then several sequencers race for one log, each with commits of its own streams, as for "
        "the shards of a table's stream. A refused write of a page or a marker is billed."
    )
    return Section(
        "The rate of the log", how, [_alone_table(found), _race_table(found)], goals=_goals(found)
    )


def _alone_table(found: Found) -> Table:
    rows = []
    for parallel, rates in found.rates.items():
        one = rates[0]
        rows.append(
            [
                str(parallel),
                f"{median(rate.by_parts for rate in rates):,.0f}",
                f"{median(rate.commits / rate.seconds for rate in rates):,.0f}",
                f"{_cpu(rates):.0f}",
                f"{one.requests / one.commits:.3f}",
                f"{one.round_trips / one.commits * PAGE:.1f}",
            ]
        )
    return Table(
        [
            "requests at once",
            "commits a second, by its parts",
            "commits a second, measured",
            "CPU a commit, µs",
            "requests a commit",
            "round trips a page",
        ],
        rows,
    )


def _race_table(found: Found) -> Table:
    return Table(
        ["sequencers", "requests a commit", "refused writes a commit"],
        [
            [
                str(shards),
                f"{race.requests / race.commits:.3f}",
                f"{race.refused / race.commits:.2%}" if race.refused else NOTHING,
            ]
            for shards, race in found.races.items()
        ],
    )


def _cpu(rates: Sequence[Rate]) -> float:
    """Return CPU microseconds per commit: the least of the rounds, because other work only adds."""
    return min(rate.cpu / rate.commits for rate in rates) * 1e6


def _goals(found: Found) -> list[Goal]:
    goals = [
        Goal(
            f"ms a commit of a sequencer, {parallel} at once",
            1000 / max(rate.by_parts for rate in found.rates[parallel]),
            1000 / goal,
        )
        for parallel, goal in PARALLEL.items()
    ]
    four = found.races[4]
    alone = found.rates[4][0]
    return [
        *goals,
        Goal("µs of CPU a commit of a sequencer", _cpu(found.rates[1]), _CPU_GOAL),
        Goal("requests a commit of a sequencer", alone.requests / alone.commits, 0.06, exact=True),
        Goal("requests a commit, four sequencers racing", four.requests / four.commits, 0.12),
        Goal("refused writes a commit, four sequencers racing", four.refused / four.commits, 0.05),
        Goal("round trips until a position is known", found.inline, 3, exact=True),
    ]

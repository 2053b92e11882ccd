"""What the log costs: giving commits their positions, reading all of it, and a part of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from pathlib import PurePosixPath
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from benchmarks.metering import ClientMeter, Cost
from benchmarks.ours import raw_events
from benchmarks.report import Goal, Section, Table
from benchmarks.sample import Sample
from dynamo_es import DynamoBackend, ExplicitVersioning, Selection, StreamId
from dynamo_es.dynamodb.gateway import Gateway
from dynamo_es.dynamodb.keys import parse_stream_key
from dynamo_es.dynamodb.log.sequencing import SequencerMemory, Tables, hint_of, sequence
from dynamo_es.subscriptions.strategy import LogSubscriptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.engine import Engine
    from dynamo_es import DynamoConfig
    from dynamo_es.dynamodb.log.items import Page
    from dynamo_es.dynamodb.log.sequencing import Hint

BATCHES: Final = {1: 0.80, 10: 0.45, 100: 0.35}
"""Commits that a sequencer is told of at once, and the write units per event that it may take."""

_COMMIT_SIZE: Final = 3
_COMMITS_OF_A_FETCH: Final = 100


@dataclass(frozen=True, slots=True)
class Sequenced:
    """Giving all commits their positions, so many at once.

    Attributes:
        cost: of all requests.
        page_units: write units of the pages.
        pages: how many they are.
    """

    cost: Cost
    page_units: float
    pages: int


@dataclass(frozen=True, slots=True)
class Read:
    """Reading the log by a subscription.

    Attributes:
        cost: of all requests.
        events: how many came.
        fetched: commits that were asked for.
        seconds: that it took.
    """

    cost: Cost
    events: int
    fetched: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured.

    Attributes:
        events: of the history.
        commits: that they are in.
        appended: what appending them cost, while the log is left to a sequencer.
        sequenced: by commits at once.
        replay: of the whole log, in pages as full as they get.
        category: one that about 1 % of the commits are of.
        chosen: how many are.
        filtered: of that category.
    """

    events: int
    commits: int
    appended: Cost
    sequenced: Mapping[int, Sequenced]
    replay: Read
    category: str
    chosen: int
    filtered: Read

    @property
    def replay_limit(self) -> int:
        """Requests of a replay: one for each page, and for each hundred commits."""
        return self.sequenced[max(BATCHES)].pages + ceil(self.commits / _COMMITS_OF_A_FETCH)


def measure(engine: Engine, events: int) -> Found:
    """Append a history, give it positions in batches of every size, and read it back."""
    client = engine.connect()
    meter = ClientMeter(client)
    hints = _append(engine, client, events)
    appended = meter.take()
    configs = {
        batch: replace(engine.config, log_table=engine.new_table(_create_log)) for batch in BATCHES
    }
    sequenced = {
        batch: _sequence(config, client, meter, hints, batch) for batch, config in configs.items()
    }
    category, chosen = _near_one_percent(hints)
    replay, filtered = (
        _read(engine.connect(), configs[max(BATCHES)], selection, commits)
        for selection, commits in (
            (Selection(), hints),
            (Selection(category=category), chosen),
        )
    )
    return Found(
        sum(hint.event_count for hint in hints),
        len(hints),
        appended,
        sequenced,
        replay,
        category,
        len(chosen),
        filtered,
    )


def section(found: Found) -> Section:
    """Return the tables."""
    rows = [
        [
            str(batch),
            f"{one.cost.requests / found.events:.2f}",
            f"{one.page_units / found.events:.2f}",
            f"{(one.cost.write_units - one.page_units) / found.events:.2f}",
            f"{one.cost.read_units / found.events:.2f}",
        ]
        for batch, one in found.sequenced.items()
    ]
    sequencing = Table(
        [
            "commits at once",
            "requests per event",
            "write units per event, pages",
            "write units per event, markers",
            "read units per event",
        ],
        rows,
    )
    reading = Table(
        ["read", "events", "requests", "read units", "commits fetched", "seconds"],
        [
            [
                name,
                f"{one.events:,}",
                f"{one.cost.requests:,}",
                f"{one.cost.read_units:,g}",
                f"{one.fetched:,}",
                f"{one.seconds:.2f}",
            ]
            for name, one in (
                ("all of it", found.replay),
                (f"category `{found.category}`", found.filtered),
            )
        ],
    )
    how = (
        f"{found.events:,} events of the history, in {found.commits:,} commits of up to "
        f"{_COMMIT_SIZE}, ordered by time, a category for each ending of a file's name. Each "
        "append is one request: a sequencer is told of the commits afterwards, by so many at once. "
        "Then a subscription reads the log with the fullest pages "
        f"({found.sequenced[max(BATCHES)].pages} of them), and one that chooses a category with "
        f"{found.chosen} commits."
    )
    goals = [
        Goal(
            "requests per append, the log left to a sequencer",
            found.appended.requests / found.commits,
            1,
            exact=True,
        ),
        *(
            Goal(
                f"write units per event to sequence {batch} at once",
                found.sequenced[batch].cost.write_units / found.events,
                limit,
            )
            for batch, limit in BATCHES.items()
        ),
        Goal(
            "requests of a replay, in pages and hundreds of commits",
            found.replay.cost.requests / found.replay_limit,
            1.05,
            exact=True,
        ),
        Goal(
            "commits fetched for a category, in commits that it has",
            found.filtered.fetched / found.chosen,
            1.05,
            exact=True,
        ),
    ]
    return Section("The log", how, [sequencing, reading], goals=goals)


def _append(engine: Engine, client: DynamoDBClient, events: int) -> list[Hint]:
    """Append the history in the order of time, and return what a sequencer is told of it."""
    hints: list[Hint] = []
    versions: Counter[str] = Counter()

    def note(params: dict[str, Any], **_: Any) -> None:
        hints.append(hint_of(params["Item"]))

    storage = DynamoBackend(replace(engine.config, sequencing="stream"), client).storage
    commits = [
        (name, commit)
        for name, stream in Sample().commits(_COMMIT_SIZE, events).items()
        for commit in stream
    ]
    client.meta.events.register("provide-client-params.dynamodb.PutItem", note, unique_id="note")
    try:
        for name, commit in sorted(commits, key=lambda one: one[1][0].created_at):
            # Streams of its own: the tables are those of other measurements, too.
            stream = StreamId(name=f"log {name}", category=PurePosixPath(name).suffix or "none")
            at = ExplicitVersioning(versions[name])
            storage.insert_events(stream, at, raw_events(stream, commit))
            versions[name] += len(commit)
    finally:
        client.meta.events.unregister("provide-client-params.dynamodb.PutItem", unique_id="note")
    return hints


def _sequence(
    config: DynamoConfig,
    client: DynamoDBClient,
    meter: ClientMeter,
    hints: Sequence[Hint],
    batch: int,
) -> Sequenced:
    gateway = Gateway(lambda: client, config)
    tables = Tables(config.events_table, config.log_table)
    memory = SequencerMemory()
    pages: list[Page] = []
    meter.take()
    for start in range(0, len(hints), batch):
        steps = sequence(tables, hints[start : start + batch], memory)
        pages += gateway.run("sequence", "", None, steps)
    units = meter.units_of["PutItem"]
    return Sequenced(meter.take(), units, len(pages))


def _read(
    client: DynamoDBClient, config: DynamoConfig, selection: Selection, commits: Sequence[Hint]
) -> Read:
    meter = ClientMeter(client)
    fetched = 0

    def count(params: dict[str, Any], **_: Any) -> None:
        nonlocal fetched
        fetched += len(params["RequestItems"][config.events_table]["Keys"])

    client.meta.events.register("provide-client-params.dynamodb.BatchGetItem", count)
    subscription = LogSubscriptions(DynamoBackend(config, client).log).subscribe(
        0, 1_000, timedelta(seconds=0.1), selection
    )
    expected = sum(commit.event_count for commit in commits)
    events = 0
    began = perf_counter()
    while events < expected:
        events += len(next(subscription))
    return Read(meter.take(), events, fetched, perf_counter() - began)


def _near_one_percent(hints: Sequence[Hint]) -> tuple[str, list[Hint]]:
    """Return the category whose share of the commits is nearest to 1 %, and these commits."""
    counts = Counter(_category(hint) for hint in hints)
    category = min(counts, key=lambda name: abs(counts[name] / len(hints) - 0.01))
    return category, [hint for hint in hints if _category(hint) == category]


def _category(hint: Hint) -> str:
    return parse_stream_key(hint.stream_key)[1] or ""


def _create_log(client: DynamoDBClient, name: str) -> None:
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "log_key", "KeyType": "HASH"},
            {"AttributeName": "place", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "log_key", "AttributeType": "S"},
            {"AttributeName": "place", "AttributeType": "S"},
        ],
    )

"""Measures the cost of the log: giving positions, reading all of it, and reading a category."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from time import perf_counter
from typing import TYPE_CHECKING, Final

from benchmarks.logged_history import append_history, create_log, near_one_percent
from benchmarks.metering import ClientMeter, Cost
from dynamo_es import DynamoBackend, Selection
from dynamo_es.dynamodb.log.sequencer import Tables, sequence
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.dynamodb.wire.partiql.statements import MAX_STATEMENTS
from dynamo_es.subscriptions.log_subscriptions import LogSubscriptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.engine import Engine
    from benchmarks.sample import Sample
    from dynamo_es import DynamoConfig
    from dynamo_es.dynamodb.log.pointers import Pointer

BATCHES: Final = {1: 0.75, 10: 0.39, 100: 0.29}
"""By commits that a sequencer gets at once, its limit of write units per event, from ADR 7."""

_COMMITS_OF_A_FETCH: Final = 100
_LONGEST_WAIT: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Sequenced:
    """The cost of giving all commits their positions, in batches of one size.

    Attributes:
        cost: cost of all requests.
        page_units: write units of the pages.
        pages: number of pages.
        budget: limit of the number of requests.
    """

    cost: Cost
    page_units: float
    pages: int
    budget: int


@dataclass(frozen=True, slots=True)
class Read:
    """The cost of reading the log with a subscription.

    Attributes:
        cost: cost of all requests.
        chosen: number of commits that the subscription selects.
        events: number of events that it yielded.
        fetched: number of commits that it read.
        seconds: elapsed time.
        budget: limit of requests: one for each page, and one for each hundred selected commits.
    """

    cost: Cost
    chosen: int
    events: int
    fetched: int
    seconds: float
    budget: int


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements.

    Attributes:
        events: number of events in the history.
        commits: number of their commits.
        appended: cost of the appends, which leave the log to a sequencer.
        sequenced: cost of the positions, by commits at once.
        replay: cost of reading the whole log, in full pages.
        category: the category with a share of the commits nearest to 1 %.
        filtered: cost of reading that category.
    """

    events: int
    commits: int
    appended: Cost
    sequenced: Mapping[int, Sequenced]
    replay: Read
    category: str
    filtered: Read


def measure(engine: Engine, sample: Sample, events: int | None = None) -> Found:
    """Append a history, give it positions in batches of every size, and read it back.

    Args:
        engine: engine to measure on.
        sample: the history.
        events: number of events to take from its beginning; None for all.
    """
    client = engine.connect()
    meter = ClientMeter(client)
    hints = append_history(engine.config, client, sample, min(events or len(sample), len(sample)))
    appended = meter.take()
    configs = {
        batch: replace(engine.config, log_table=engine.new_table(create_log)) for batch in BATCHES
    }
    sequenced = {
        batch: _sequence(config, client, meter, hints, batch) for batch, config in configs.items()
    }
    category, chosen = near_one_percent(hints)
    fullest = max(BATCHES)
    replay, filtered = (
        _read(engine.connect(), configs[fullest], selection, commits, sequenced[fullest].pages)
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
        filtered,
    )


def _sequence(
    config: DynamoConfig,
    client: DynamoDBClient,
    meter: ClientMeter,
    hints: Sequence[Pointer],
    batch: int,
) -> Sequenced:
    gateway = Gateway(lambda: client, config)
    tables = Tables(config.events_table, config.log_table)
    memory = SequencerMemory()
    pages, budget = 0, 1
    meter.take()
    for start in range(0, len(hints), batch):
        some = hints[start : start + batch]
        pages += len(gateway.run("sequence", "", None, sequence(tables, some, memory)))
        budget += 2 + ceil(len({hint.stream_key for hint in some}) / MAX_STATEMENTS)
    page_units = meter.units_of["PutItem"]
    return Sequenced(meter.take(), page_units, pages, budget)


def _read(
    client: DynamoDBClient,
    config: DynamoConfig,
    selection: Selection,
    chosen: Sequence[Pointer],
    pages: int,
) -> Read:
    meter = ClientMeter(client)
    # A batch size of 1: a larger last batch would not be full, and would wait for more events.
    subscription = LogSubscriptions(DynamoBackend(config, client).log).subscribe(
        0, 1, _LONGEST_WAIT, selection
    )
    expected = sum(hint.event_count for hint in chosen)
    events = last = 0
    began = perf_counter()
    while events < expected:
        (record,) = next(subscription)
        if record.position <= last:
            raise RuntimeError(f"Position {record.position} came after {last}.")
        last = record.position
        events += 1
    seconds = perf_counter() - began
    fetched = meter.items_read["BatchGetItem"]
    budget = pages + ceil(len(chosen) / _COMMITS_OF_A_FETCH)
    return Read(meter.take(), len(chosen), events, fetched, seconds, budget)

"""Measures the CPU time of reading the log, against bare requests for the same items."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from benchmarks.engine import bare_client
from benchmarks.logged_history import create_log
from benchmarks.ours import raw_events
from benchmarks.pairing import time_in_turns
from benchmarks.replaying import recorded, replay
from benchmarks.report import Goal, Section, Table
from benchmarks.sample import Sample
from dynamo_es import DynamoBackend, ExplicitVersioning, StreamId
from dynamo_es.dynamodb.log.pointers import pointer_to
from dynamo_es.dynamodb.log.sequencer import Tables, sequence
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.wire.client import make_client
from dynamo_es.dynamodb.wire.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.engine import Engine
    from benchmarks.pairing import Samples
    from benchmarks.replaying import Reply
    from benchmarks.scale import Scale
    from dynamo_es import DynamoConfig
    from dynamo_es.dynamodb.log.pointers import Pointer

TIMES_BARE: Final = {3: 1.5, 10: 2.5}
"""By events in a commit, the goal: the time of the reader as a multiple of bare requests."""
EVENTS_A_SECOND: Final = 100_000
"""Goal for the larger commits: events per second of CPU time on an idle machine."""
_STREAMS: Final = 100
_TIMES_MORE: Final = 10
"""Events in the log for each event of the load, as the log is read a hundred commits at a time."""
_OURS: Final = "read"
_FLOOR: Final = "the same requests, not decoded"
_CALLS: Final = 2
_COMMITS_A_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements for one size of commits.

    Attributes:
        events: number of events read.
        requests: number of requests of the reader.
        reply_bytes: size of all reply bodies.
        samples: CPU times.
    """

    events: int
    requests: int
    reply_bytes: int
    samples: Samples

    @property
    def rate(self) -> float:
        """The number of events per second of CPU time."""
        return self.events / self.samples.seconds(_OURS)


def measure(engine: Engine, scale: Scale) -> dict[int, Found]:
    """Measure reads of a log, by number of events in a commit."""
    return {size: _measure(engine, scale, size) for size in TIMES_BARE}


def _measure(engine: Engine, scale: Scale, size: int) -> Found:
    events = scale.loaded_events * _TIMES_MORE
    config = replace(
        engine.config,
        log_table=engine.new_table(create_log),
        report_capacity=False,
        sequencing="stream",
    )
    client = engine.connect()
    _fill(config, client, events, size)
    sent: list[tuple[str, dict[str, Any]]] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        sent.append((model.name, params))

    client.meta.events.register("provide-client-params.dynamodb", note)
    with recorded(client) as replies:
        _read(config, client, events)
    offline = replace(config, endpoint_url=None)
    reading, floor = make_client(offline), bare_client(validating=False)
    replay(reading, replies)
    replay(floor, replies)
    subjects = {
        _OURS: lambda: _read(offline, reading, events),
        _FLOOR: _sending(floor, sent, replies),
    }
    samples = time_in_turns(subjects, rounds=scale.rounds, calls=_CALLS)
    return Found(events, len(replies), sum(len(reply.body) for reply in replies), samples)


def _fill(config: DynamoConfig, client: DynamoDBClient, events: int, size: int) -> None:
    """Append events to the streams in turn, and give them their positions."""
    hints: list[Pointer] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        hints.append(pointer_to(params["Item"]))

    storage = DynamoBackend(config, client).storage
    sample = Sample().take(events)
    streams = [
        StreamId(name=f"read {size} {number}", category="read") for number in range(_STREAMS)
    ]
    versions = dict.fromkeys(streams, 0)
    client.meta.events.register("provide-client-params.dynamodb.PutItem", note, unique_id="note")
    try:
        for number, at in enumerate(range(0, events, size)):
            stream, commit = streams[number % _STREAMS], sample[at : at + size]
            expected = ExplicitVersioning(versions[stream])
            storage.insert_events(stream, expected, raw_events(stream, commit))
            versions[stream] += len(commit)
    finally:
        client.meta.events.unregister("provide-client-params.dynamodb.PutItem", unique_id="note")
    gateway, memory = Gateway(lambda: client, config), SequencerMemory()
    tables = Tables(config.events_table, config.log_table)
    for start in range(0, len(hints), _COMMITS_A_PAGE):
        some = hints[start : start + _COMMITS_A_PAGE]
        gateway.run("sequence", "", None, sequence(tables, some, memory))


def _read(config: DynamoConfig, client: DynamoDBClient, events: int) -> None:
    reader = DynamoBackend(config, client).log.reader(0)
    found = 0
    while records := reader.read():
        found += len(records)
    if found != events:
        raise RuntimeError(f"{found} events came back instead of {events}")


def _sending(
    client: DynamoDBClient, sent: Sequence[tuple[str, dict[str, Any]]], replies: Sequence[Reply]
) -> Callable[[], object]:
    """Return a function that sends the requests of the reader, and ignores the replies."""
    if len(sent) != len(replies):
        raise RuntimeError(f"There are {len(replies)} replies to {len(sent)} requests.")
    methods: dict[str, Any] = {"Query": client.query, "BatchGetItem": client.batch_get_item}
    calls = [(methods[name], params) for name, params in sent]
    return lambda: [method(**params) for method, params in calls]


def section(found: dict[int, Found]) -> Section:
    """Return the section on the log's CPU time."""
    (first, *_) = found.values()
    how = (
        f"A reader reads a log of {first.events:,} events in {_STREAMS} streams from end to end, "
        "and returns each event with its position. It is timed like the load, with recorded "
        "replies of the engine. The last column is the ratio of its time to that of a bare "
        "client that sends the same requests and gets the same replies, but does nothing with "
        "the result of botocore."
    )
    rows = [
        [
            str(size),
            f"{one.requests:,}",
            f"{one.reply_bytes / 1024:,.0f}",
            f"{one.samples.seconds(_OURS) * 1e6 / one.events:.1f}",
            f"{one.samples.seconds(_FLOOR) * 1e6 / one.events:.1f}",
            f"{one.rate:,.0f}",
            str(one.samples.ratio(_OURS, _FLOOR)),
        ]
        for size, one in found.items()
    ]
    table = Table(
        [
            "events of a commit",
            "requests",
            "KB of replies",
            "µs of CPU an event",
            "bare requests, µs",
            "events a second of CPU",
            "ratio",
        ],
        rows,
    )
    goals = [
        Goal(
            f"CPU of reading the log, {size} events in a commit, relative to bare requests",
            one.samples.ratio(_OURS, _FLOOR).median,
            TIMES_BARE[size],
        )
        for size, one in found.items()
    ]
    largest = max(found)
    micros = 1e6 / found[largest].rate
    rate = Goal(
        f"µs of CPU for an event of the log, {largest} in a commit",
        micros,
        1e6 / EVENTS_A_SECOND,
        f"{micros:.1f}",
    )
    return Section("Client CPU: the log", how, [table], goals=[*goals, rate])

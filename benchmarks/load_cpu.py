"""Measures the CPU time of a load against that of a bare ``query`` of one-event items."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from boto3.dynamodb.types import TypeDeserializer

from benchmarks.engine import bare_client
from benchmarks.layouts import event_item
from benchmarks.ours import raw_events, stream_id
from benchmarks.pairing import time_in_turns
from benchmarks.replaying import recorded, replay
from benchmarks.report import Goal, Section, Table
from benchmarks.sample import Sample, with_context
from dynamo_es import DynamoBackend, ExplicitVersioning
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb.streams.items import decode_events, make_events, version_of
from dynamo_es.dynamodb.streams.loading.load import SEEN_PAGE
from dynamo_es.dynamodb.streams.requests import query_down
from dynamo_es.dynamodb.wire.boto.parsing import parse_reply
from dynamo_es.dynamodb.wire.client import make_client
from dynamo_es.dynamodb.wire.encoding.compression import unpack
from dynamo_es.dynamodb.wire.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.engine import Engine
    from benchmarks.pairing import Samples
    from benchmarks.replaying import Reply
    from benchmarks.sample import SampleEvent
    from benchmarks.scale import Scale
    from dynamo_es import RawEvent, StorageStrategy
    from dynamo_es.dynamodb.wire.steps import Item, Request, Response

EVENTS_PER_COMMIT: Final = 10
TIMES_FASTER: Final = {"no context": 8, "context of two ids": 7}
"""By kind of events, the goal: how many times as fast as the bare query a load is."""
_OURS: Final = "fetch_events"
_BARE: Final = "query"
_UNCHECKED: Final = "query, no validation"
_BARE_PAGES: Final = "query of the pages that dynamo_es reads, not decoded"
_PAGES: Final = "the same pages by dynamo_es, not decoded"
_DECODE: Final = "decode_events of all commits"
_PARSE: Final = "parse_reply of all bodies"
_INFLATE: Final = "decompress of all commits"
_MAKE: Final = "RawEvent for each event"
_BATCH: Final = 25
_CALLS: Final = 2
_deserialize = TypeDeserializer().deserialize


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements for one kind of events.

    Attributes:
        kind: description of the kind.
        events: number of loaded events.
        samples: CPU times.
        requests: number of requests of dynamo_es and of the bare client.
        reply_bytes: size of all reply bodies, of dynamo_es and of the bare client.
    """

    kind: str
    events: int
    samples: Samples
    requests: tuple[int, int]
    reply_bytes: tuple[int, int]


def measure(engine: Engine, scale: Scale) -> list[Found]:
    """Measure loads of the same events from both layouts."""
    events = Sample().take(scale.loaded_events)
    plain, with_ids = TIMES_FASTER
    return [
        _measure(engine, scale, plain, events),
        _measure(engine, scale, with_ids, with_context(events)),
    ]


def _measure(engine: Engine, scale: Scale, kind: str, events: list[SampleEvent]) -> Found:
    name, number = f"loaded, {kind}", len(events)
    ours = record_ours(engine, name, events)
    table, bare = record_bare(engine, name, events)
    config = replace(engine.config, report_capacity=False, endpoint_url=None)
    client = make_client(config)
    replay(client, ours)
    storage = DynamoBackend(config, client).storage
    bare_pages = bare_client(validating=False)
    replay(bare_pages, ours)
    gateway = Gateway(lambda: client, config)
    commits = _read_pages(bare_pages, config.events_table, name)
    stream = stream_id(name)
    rows = [_row(event) for event in raw_events(stream, events)]
    uuids = [UUID(row[0]) for row in rows]
    subjects = {
        _OURS: lambda: fetch(storage, name, number),
        _BARE: _querying(table, name, bare, number, validating=True),
        _UNCHECKED: _querying(table, name, bare, number, validating=False),
        _BARE_PAGES: lambda: _read_pages(bare_pages, config.events_table, name),
        _PAGES: lambda: gateway.run("pages", "", None, _pages(config.events_table, name)),
        _DECODE: lambda: [decode_events(item, stream, version_of(item)) for item in commits],
        _PARSE: lambda: [parse_reply("Query", reply.body) for reply in ours],
        _INFLATE: lambda: [unpack(item["events"]) for item in commits],
        _MAKE: lambda: make_events(uuids, rows, stream, 1, 1),
    }
    return Found(
        kind,
        number,
        time_in_turns(subjects, rounds=scale.rounds, calls=_CALLS),
        (len(ours), len(bare)),
        (sum(len(reply.body) for reply in ours), sum(len(reply.body) for reply in bare)),
    )


def record_ours(engine: Engine, name: str, events: list[SampleEvent]) -> list[Reply]:
    """Append events to a new stream, and return the replies to a load."""
    stream = stream_id(name)
    client = engine.connect()
    storage = DynamoBackend(replace(engine.config, report_capacity=False), client).storage
    for at in range(0, len(events), EVENTS_PER_COMMIT):
        commit = raw_events(stream, events[at : at + EVENTS_PER_COMMIT])
        storage.insert_events(stream, ExplicitVersioning(at), commit)
    with recorded(client) as replies:
        fetch(storage, name, len(events))
    return replies


def record_bare(engine: Engine, name: str, events: list[SampleEvent]) -> tuple[str, list[Reply]]:
    """Put an item per event; return their table and the replies to a query."""
    client = engine.connect()
    table = engine.layout_table()
    items = [event_item(name, number, event) for number, event in enumerate(events, 1)]
    for at in range(0, len(items), _BATCH):
        puts: Any = [{"PutRequest": {"Item": item}} for item in items[at : at + _BATCH]]
        client.batch_write_item(RequestItems={table: puts})
    with recorded(client) as replies:
        query(client, table, name, len(events))
    return table, replies


def fetch(storage: StorageStrategy, name: str, number: int) -> None:
    """Load a stream, and check that it has ``number`` events."""
    _check(len(storage.fetch_events(stream_id(name))), number)


def _read_pages(client: DynamoDBClient, table: str, name: str) -> list[Item]:
    """Send the requests of a load of dynamo_es; return the items as botocore parses them."""
    steps = _pages(table, name)
    request = next(steps)
    while True:
        page: Any = client.query(**request.params)
        try:
            request = steps.send(page)
        except StopIteration as end:
            items: list[Item] = end.value
            return items


def _pages(table: str, name: str) -> Generator[Request, Response, list[Item]]:
    key = stream_key(tenant_prefix(""), stream_id(name))
    items: list[Item] = []
    after: Any = None
    while True:
        page = yield query_down(table, key, limit=None if after else SEEN_PAGE, after=after)
        items += page["Items"]
        after = page.get("LastEvaluatedKey")
        if after is None:
            return items


def _row(event: RawEvent) -> list[Any]:
    """Return the row that a commit stores for an event."""
    return [event.uuid.hex, event.created_at.isoformat(), event.name, event.data, event.context]


def _querying(
    table: str, name: str, replies: list[Reply], number: int, *, validating: bool
) -> Callable[[], object]:
    client = bare_client(validating=validating)
    replay(client, replies)
    return lambda: query(client, table, name, number)


def query(client: DynamoDBClient, table: str, name: str, number: int) -> None:
    """Query ``number`` items of one event each, and convert them to Python values."""
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "stream_key = :key",
        "ExpressionAttributeValues": {":key": {"S": name}},
        "ConsistentRead": True,
    }
    events: list[dict[str, Any]] = []
    while True:
        page = client.query(**params)
        for item in page["Items"]:
            events.append({name: _deserialize(value) for name, value in item.items()})  # noqa: PERF401 - as everybody writes it
        if "LastEvaluatedKey" not in page:
            break
        params["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    _check(len(events), number)


def _check(found: int, wanted: int) -> None:
    if found != wanted:
        raise RuntimeError(f"{found} events came back instead of {wanted}")


def section(found: Sequence[Found]) -> Section:
    """Return the section on loads."""
    how = (
        f"{found[0].events:,} events of the sample in one stream, timed like the append, "
        "with recorded replies of the engine. `fetch_events` reads commits of "
        f"{EVENTS_PER_COMMIT} and returns `RawEvent`s. The bare client queries one item per "
        "event, with the payload as a map, and converts every attribute to a Python value "
        "with boto3's `TypeDeserializer`, as boto3's resources do; it creates no event "
        "objects. The time of both includes decoding.\n\n"
        "Both are measured twice: without a context, and with a context of two ids, for "
        "correlation and causation, which differ for each event. With it, an item of one event "
        "has eight attributes. The last row of each table is a bare client that sends the same "
        "requests as dynamo_es and gets the same replies, but does nothing with the result of "
        "botocore: dynamo_es parses the replies itself, and loads in less than twice that time."
    )
    goals = [_goal(one) for one in found]
    tables = [*(_loads(one) for one in found), _parts(found)]
    return Section("Client CPU: load", how, tables, _remarks(found), goals=goals)


def _goal(found: Found) -> Goal:
    faster = found.samples.ratio(_BARE, _OURS).median
    return Goal(
        f"CPU of loading {found.events:,} events, {found.kind}, relative to a bare `query`",
        1 / faster,
        1 / TIMES_FASTER[found.kind],
        f"1/{faster:.1f}",
    )


def _loads(found: Found) -> Table:
    def row(text: str, name: str, layout: int) -> list[str]:
        return [
            text,
            str(found.requests[layout]),
            f"{found.reply_bytes[layout] / 1024:.0f}",
            f"{found.samples.seconds(name) * 1000:.1f}",
            "1" if name == _OURS else str(found.samples.ratio(name, _OURS)),
        ]

    return Table(
        [
            found.kind,
            "requests",
            "KB of replies",
            "ms of CPU",
            f"times dynamo_es (goal: {TIMES_FASTER[found.kind]})",
        ],
        [
            row(f"dynamo_es, commits of {EVENTS_PER_COMMIT}", _OURS, 0),
            row("bare `query`, item per event", _BARE, 1),
            row("bare `query`, item per event, validation off", _UNCHECKED, 1),
            row("bare `query` of dynamo_es's pages, nothing decoded", _BARE_PAGES, 0),
        ],
    )


def _parts(found: Sequence[Found]) -> Table:
    def row(text: str, part: Callable[[Samples], float]) -> list[str]:
        return [text, *(f"{part(one.samples) * 1000:.1f}" for one in found)]

    return Table(
        ["of a load, ms of CPU", *(one.kind for one in found)],
        [
            row(
                "botocore: the requests, and the replies without their bodies",
                lambda s: s.seconds(_PAGES) - s.seconds(_PARSE),
            ),
            row("parsing the bodies: JSON, base64", lambda s: s.seconds(_PARSE)),
            row("decompressing the commits", lambda s: s.seconds(_INFLATE)),
            row(
                "parsing their JSON and UUIDs",
                lambda s: s.seconds(_DECODE) - s.seconds(_INFLATE) - s.seconds(_MAKE),
            ),
            row("making the `RawEvent`s, with their times", lambda s: s.seconds(_MAKE)),
            row(
                "walking down the chain of commits, and the rest",
                lambda s: s.seconds(_OURS) - s.seconds(_PAGES) - s.seconds(_DECODE),
            ),
        ],
    )


def _remarks(found: Sequence[Found]) -> str:
    one = found[0]
    ours, pages = one.samples.seconds(_OURS), one.samples.seconds(_PAGES)
    return (
        f"With {one.kind}: of the {ours * 1000:.1f} ms of a load, sending the requests and "
        f"parsing the replies take {pages * 1000:.1f}. If decoding took no time, the bare "
        f"`query` would take {one.samples.ratio(_BARE, _PAGES).median:.0f} times as long. "
        f"The rest, {(ours - pages) * 1000:.1f} ms for {one.events:,} events, is mostly "
        "zlib, a compiled JSON parser, and the creation of a `RawEvent` for each event.\n\n"
        f"{found[-1].kind.capitalize()}: {_added(found, _OURS)} ms more for dynamo_es, "
        f"{_added(found, _BARE)} ms more for the bare `query`."
    )


def _added(found: Sequence[Found], name: str) -> str:
    return f"{(found[-1].samples.seconds(name) - found[0].samples.seconds(name)) * 1000:.1f}"

"""Measures the CPU time of an append against that of a bare ``put_item`` of the same item."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from benchmarks.engine import bare_client
from benchmarks.ours import raw_events, stream_id
from benchmarks.pairing import time_in_turns
from benchmarks.replaying import recorded, replay
from benchmarks.report import Goal, Plot, Section, Table
from benchmarks.sample import Sample
from dynamo_es import DynamoBackend, DynamoConfig, ExplicitVersioning
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb import storage as storage_module
from dynamo_es.dynamodb.streams import items as items_module
from dynamo_es.dynamodb.streams.items import commit_item, encode_events
from dynamo_es.dynamodb.streams.requests import put_commit
from dynamo_es.dynamodb.wire.client import client_config, make_client
from dynamo_es.dynamodb.wire.encoding import compression as compression_module
from dynamo_es.dynamodb.wire.encoding.compression import compress
from dynamo_es.dynamodb.wire.sizes import item_size, write_units

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.engine import Engine
    from benchmarks.pairing import Samples
    from benchmarks.replaying import Reply
    from benchmarks.scale import Scale

COMMIT_SIZES: Final = (1, 3, 10)
LIMIT: Final = 1.10
_OURS: Final = "append"
_BARE: Final = "put_item"
_PLAIN: Final = "put_item, no condition"
_UNCHECKED: Final = "put_item, no validation"
_SAME_CONFIG: Final = "put_item, the same Config"
_SPARED_CHECK: Final = "append, arguments not checked"
_SPARED_ZLIB: Final = "append, compressed before"
_SPARED_CODING: Final = "append, compressed and JSON before"


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements for one size of commits.

    Attributes:
        samples: CPU times.
        units: write units of the item.
        text_units: its write units without compression; None if the item is not compressed.
    """

    samples: Samples
    units: int
    text_units: int | None


def measure(engine: Engine, scale: Scale) -> dict[int, Found]:
    """Return the measurements by number of events in a commit."""
    config = replace(engine.config, report_capacity=False, endpoint_url=None)
    clients = {
        _OURS: make_client(config),
        _BARE: bare_client(),
        _UNCHECKED: bare_client(validating=False),
        _SAME_CONFIG: make_client(config),
    }
    replies = recorded_put(engine)
    for client in clients.values():
        replay(client, replies)
    return {size: _measure(config, clients, size, scale) for size in COMMIT_SIZES}


def recorded_put(engine: Engine) -> list[Reply]:
    """Return the engine's reply to an append to a new stream."""
    stream = stream_id(f"recorded put {uuid4()}")
    client = engine.connect()
    with recorded(client) as replies:
        backend = DynamoBackend(replace(engine.config, report_capacity=False), client)
        backend.storage.insert_events(
            stream, ExplicitVersioning(0), raw_events(stream, Sample().take(1))
        )
    return replies


def _measure(
    config: DynamoConfig, clients: Mapping[str, DynamoDBClient], size: int, scale: Scale
) -> Found:
    stream = stream_id("timed put")
    events = raw_events(stream, Sample().take(size))
    key = stream_key(tenant_prefix(""), stream)
    item, stored_size = commit_item(
        key, stream.name, events, version=1, generation=1763920000123456, versionless=False
    )
    storage = DynamoBackend(config, clients[_OURS]).storage
    version = 0

    def append() -> None:
        nonlocal version
        storage.insert_events(stream, ExplicitVersioning(version), events)
        version += size

    params: dict[str, Any] = put_commit(config.events_table, item).params
    plain: dict[str, Any] = {"TableName": config.events_table, "Item": item}
    text = encode_events(events)
    packed = compress(text)
    no_check = {"check_append": lambda *_: None}
    no_zlib: dict[str, Any] = {"compress": lambda _: packed}
    no_json: dict[str, Any] = {"encode_events": lambda _: text}
    subjects: dict[str, Callable[[], object]] = {
        _OURS: append,
        _BARE: lambda: clients[_BARE].put_item(**params),
        _PLAIN: lambda: clients[_BARE].put_item(**plain),
        _UNCHECKED: lambda: clients[_UNCHECKED].put_item(**params),
        _SAME_CONFIG: lambda: clients[_SAME_CONFIG].put_item(**params),
        _SPARED_CHECK: spared(append, storage_module, no_check),
        _SPARED_ZLIB: spared(append, compression_module, no_zlib),
        _SPARED_CODING: spared(spared(append, compression_module, no_zlib), items_module, no_json),
    }
    text_units = None
    if "B" in item["events"]:
        text_units = write_units(item_size({**item, "events": {"S": text.decode()}}))
    samples = time_in_turns(subjects, rounds=scale.rounds, calls=scale.calls)
    return Found(samples, write_units(stored_size), text_units)


def spared(
    append: Callable[[], None], module: ModuleType, stand_ins: dict[str, Any]
) -> Callable[[], None]:
    """Return an append without a part of its work, so that the difference is the cost of the part.

    Timed by itself, zlib takes half the time that it takes in an append, where the caches are cold.
    """
    originals = {name: getattr(module, name) for name in stand_ins}

    # One by one: dict.update can resize the module's dictionary, which takes longer than JSON.
    def call() -> None:
        for name, stand_in in stand_ins.items():
            setattr(module, name, stand_in)
        try:
            append()
        finally:
            for name, original in originals.items():
                setattr(module, name, original)

    return call


def _user_agent_remark() -> str:
    config = DynamoConfig(events_table="events", log_table="log", keys_table="keys")
    # The stubs of botocore's Config do not have this option.
    if getattr(client_config(config), "user_agent", None) is None:
        return ""
    return ", and with a fixed user agent, which botocore would put together for each request"


def section(found: Mapping[int, Found]) -> Section:
    """Return the section on appends."""
    rows = [
        [
            f"{size}, compressed" if one.text_units else str(size),
            f"{one.samples.seconds(_OURS) * 1e6:.0f} µs",
            f"{one.samples.seconds(_BARE) * 1e6:.0f} µs",
            *(
                str(one.samples.ratio(_OURS, other))
                for other in (_BARE, _PLAIN, _UNCHECKED, _SAME_CONFIG)
            ),
        ]
        for size, one in found.items()
    ]
    how = (
        "CPU time of one thread (`time.thread_time`). Every request gets a recorded reply "
        "of the engine, so neither a server nor a network takes part. The subjects run in "
        "turn, in rounds; the ratio is the median of the rounds' ratios, with quartiles. "
        "The append is `insert_events` of events of the sample, with the head remembered: "
        "checks, JSON, compression where it saves units, request, reply. The bare client "
        "gets the finished item, so it encodes nothing; it has botocore's default `Config` "
        "apart from `retries` (standard mode, as in dynamo_es).\n\n"
        "dynamo_es turns off botocore's parameter validation, because its requests are built "
        f"and tested in one place{_user_agent_remark()}. This saves about the time that encoding "
        "costs. The goal compares with the same request: same item, same condition. The other "
        "ratios compare with a put of the item without the condition, with a bare client "
        "without validation, and with a bare client that has all settings of dynamo_es, so that "
        "the difference is dynamo_es alone. The time of a part is the time that an append saves "
        "without it."
    )
    headers = [
        "events of the commit",
        "dynamo_es",
        "bare `put_item`",
        "ratio (goal: 1.10)",
        "no condition",
        "no validation",
        "same `Config`",
    ]
    goals = [
        Goal(
            f"CPU of an append of {size}, relative to a bare `put_item`",
            one.samples.ratio(_OURS, _BARE).median,
            LIMIT,
        )
        for size, one in found.items()
    ]
    plot = Plot(
        "append-cpu",
        "CPU time of an append",
        "events of the commit",
        "µs of CPU",
        {
            label: (list(found), [one.samples.seconds(name) * 1e6 for one in found.values()])
            for name, label in ((_OURS, "dynamo_es"), (_BARE, "bare put_item of the same item"))
        },
    )
    return Section(
        "Client CPU: append",
        how,
        [Table(headers, rows), _parts(found)],
        "\n\n".join(_remark(size, one) for size, one in found.items() if one.text_units),
        plots=[plot],
        goals=goals,
    )


def _parts(found: Mapping[int, Found]) -> Table:
    def row(text: str, part: Callable[[Found], float]) -> list[str]:
        return [text, *(f"{round(part(one) * 1e6)}" for one in found.values())]

    def rest(one: Found) -> float:
        coding = one.samples.excess(_OURS, _SPARED_CODING)
        check = one.samples.excess(_OURS, _SPARED_CHECK)
        return one.samples.excess(_OURS, _SAME_CONFIG) - coding - check

    return Table(
        ["of an append, µs of CPU", *(_events(size) for size in found)],
        [
            row("botocore, same `Config`", lambda one: one.samples.seconds(_SAME_CONFIG)),
            row("checking the arguments", lambda one: one.samples.excess(_OURS, _SPARED_CHECK)),
            row(
                "events to JSON",
                lambda one: one.samples.excess(_OURS, _SPARED_CODING) - _zlib_seconds(one),
            ),
            row("compressing it", _zlib_seconds),
            row("the rest: key, item, size, heads, request", rest),
        ],
    )


def _zlib_seconds(found: Found) -> float:
    return found.samples.excess(_OURS, _SPARED_ZLIB) if found.text_units else 0.0


def _remark(size: int, found: Found) -> str:
    samples = found.samples
    return (
        f"An append of {size} takes {samples.excess(_OURS, _BARE) * 1e6:.0f} µs more than the "
        f"bare `put_item`. JSON and zlib take {samples.excess(_OURS, _SPARED_CODING) * 1e6:.0f} "
        "µs of it: with JSON and compressed bytes made beforehand, the ratio of the append is "
        f"{samples.ratio(_SPARED_CODING, _BARE)}. The bare client gets the finished item, too. "
        f"Compression takes {_zlib_seconds(found) * 1e6:.0f} µs and saves write units, "
        f"{found.units} instead of {found.text_units}; without compression alone, the ratio is "
        f"{samples.ratio(_SPARED_ZLIB, _BARE).median:.2f}."
    )


def _events(size: int) -> str:
    return "1 event" if size == 1 else f"{size} events"

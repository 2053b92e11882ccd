"""Measures the cost of batches: appends to many streams, an import, and a long deletion."""

from __future__ import annotations

import gc
import json
import time
from dataclasses import dataclass, replace
from io import BytesIO
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from botocore.awsrequest import AWSResponse

from benchmarks.engine import bare_client
from benchmarks.ours import ObserverMeter, raw_events, stream_id
from benchmarks.report import Goal, Section, Table
from benchmarks.sample import Sample
from dynamo_es import DynamoBackend, ExplicitVersioning, StreamId
from dynamo_es.cli.history.importing import Importer, Settings
from dynamo_es.contracts import StreamAppend
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb.streams.requests import put_commit
from dynamo_es.dynamodb.wire.client import make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.engine import Engine
    from benchmarks.metering import Cost
    from benchmarks.scale import Scale
    from dynamo_es import DynamoConfig

STREAMS: Final = 1_000
EVENTS_PER_COMMIT: Final = 3
LINES: Final = 2_000
DOOMED: Final = 10_000
LATENCY: Final = 0.004
"""Time in seconds that each request takes where latency is measured."""
_PAGE: Final = 3_500
"""Number of commits of one event in a page of 1 MB."""
_PUTS: Final = 400
_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements.

    Attributes:
        streams: number of streams appended to.
        many: cost of appending to them in one call.
        alone: cost of the same appends, one by one.
        append_cpu: for each round, CPU seconds of an append among many and of a bare put.
        import_cpu: for each round, CPU seconds of an imported event and of a bare put.
        imported: number of imported events.
        deletion: seconds that the deletion of a stream takes.
        doomed: number of commits of that stream.
    """

    streams: int
    many: Cost
    alone: Cost
    append_cpu: list[tuple[float, float]]
    import_cpu: list[tuple[float, float]]
    imported: int
    deletion: float
    doomed: int


def measure(engine: Engine, scale: Scale, doomed: int = DOOMED, rounds: int = _ROUNDS) -> Found:
    """Measure the costs. For CPU times, this process makes up the replies instead of the engine."""
    streams = min(STREAMS, scale.history_events)
    config = replace(engine.config, report_capacity=False, endpoint_url=None)
    lines = [*_lines(Sample(), LINES)]
    _import_cpu(config, lines)  # loads the modules of an import
    # As in `dynamo-es import`, the garbage collector does not scan what is already loaded.
    gc.collect()
    gc.freeze()
    try:
        timed = [(_append_cpu(config), _import_cpu(config, lines)) for _ in range(rounds)]
    finally:
        gc.unfreeze()
    return Found(
        streams,
        _append(engine, streams, at_once=True),
        _append(engine, streams, at_once=False),
        [append for append, _ in timed],
        [imported for _, imported in timed],
        len(lines),
        _deletion(config, doomed),
        doomed,
    )


def _append(engine: Engine, streams: int, *, at_once: bool) -> Cost:
    """Return the cost of appends to new streams, in one call or in one for each."""
    meter, sample = ObserverMeter(), Sample()
    backend = DynamoBackend(engine.config, engine.connect(), meter.reports.append)
    appends = [*_appends(sample, streams, EVENTS_PER_COMMIT)]
    if at_once:
        backend.storage.insert_many(appends)
    else:
        for one in appends:
            backend.storage.insert_events(one.stream_id, one.versioning, one.events)
    return meter.take()


def _appends(sample: Sample, streams: int, size: int) -> Iterator[StreamAppend]:
    for _ in range(streams):
        stream = StreamId(category="file")
        events = raw_events(stream, sample.take(size))
        yield StreamAppend(stream, ExplicitVersioning(0), events)


def _lines(sample: Sample, events: int) -> Iterator[bytes]:
    """Yield lines of a history, each of a different stream than the line before."""
    for event in sample.take(events):
        tenant, _, name = event.stream.partition("/")
        line = {"tenant": tenant, "category": "file", "stream": name, "type": event.name}
        yield json.dumps(line | {"at": event.created_at, "data": event.data}).encode() + b"\n"


def _append_cpu(config: DynamoConfig) -> tuple[float, float]:
    storage = DynamoBackend(config, _answered(make_client(config))).storage
    appends = [*_appends(Sample(), _PUTS, 1)]
    seconds = _cpu(lambda: storage.insert_many(appends))
    return seconds / _PUTS, _bare_put(config)


def _import_cpu(config: DynamoConfig, lines: list[bytes]) -> tuple[float, float]:
    storage = DynamoBackend(config, _answered(make_client(config))).storage
    storage.head(StreamId())
    seconds = _cpu(lambda: Importer(storage, Settings()).run(lines))
    return seconds / len(lines), _bare_put(config)


def _bare_put(config: DynamoConfig) -> float:
    """Return the CPU seconds of a bare put of a commit with one event."""
    stream = stream_id("README.md")
    client = _answered(bare_client())
    (event,) = raw_events(stream, Sample().take(1))
    backend = DynamoBackend(config, client)
    item: dict[str, Any] = {}
    client.meta.events.register_first(
        "provide-client-params.dynamodb.PutItem", lambda params, **_: item.update(params["Item"])
    )
    backend.storage.insert_events(stream, ExplicitVersioning(0), [event])
    client = _answered(bare_client())
    params: dict[str, Any] = put_commit(config.events_table, item).params
    client.put_item(**params)
    return _cpu(lambda: [client.put_item(**params) for _ in range(_PUTS)]) / _PUTS


def _cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work, in all threads."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _deletion(config: DynamoConfig, doomed: int) -> float:
    """Return the seconds that the deletion of a stream with ``doomed`` commits takes."""
    stream = StreamId()
    client = _answered(make_client(config), _survey(stream, doomed), LATENCY)
    storage = DynamoBackend(config, client).storage
    begin = time.perf_counter()
    storage.delete_stream(stream)
    return time.perf_counter() - begin


def _survey(stream: StreamId, commits: int) -> Iterator[bytes]:
    """Yield the pages of a stream with commits of one event, newest first."""
    key = {"S": stream_key(tenant_prefix(""), stream)}
    for top in range(commits, 0, -_PAGE):
        items = [
            {
                "stream_key": key,
                "version": {"N": str(version)},
                "generation": {"N": "1763920000123456"},
                "event_count": {"N": "1"},
            }
            for version in range(top, max(top - _PAGE, 0), -1)
        ]
        page: dict[str, Any] = {"Items": items, "Count": len(items)}
        if top > _PAGE:
            page["LastEvaluatedKey"] = {name: items[-1][name] for name in ("stream_key", "version")}
        yield json.dumps(page).encode()


def _answered(
    client: DynamoDBClient, pages: Iterable[bytes] = (), seconds: float = 0.0
) -> DynamoDBClient:
    """Let a client's requests be answered after ``seconds``, with success for each write."""
    following = iter(pages)

    def answer(request: Any, **_: Any) -> AWSResponse:
        if seconds:
            time.sleep(seconds)
        operation = request.headers["X-Amz-Target"].rpartition(b".")[2]
        body = b"{}"
        if operation == b"BatchExecuteStatement":
            statements = request.body.count(b'"Statement":')
            body = json.dumps({"Responses": [{"TableName": "events"}] * statements}).encode()
        elif operation == b"Query":
            body = next(following, b'{"Items": [], "Count": 0}')
        headers = {"content-type": "application/x-amz-json-1.0", "content-length": str(len(body))}
        headers["x-amz-crc32"] = str(crc32(body))
        return AWSResponse(request.url, 200, headers, _Raw(body))  # type: ignore[arg-type]

    # If a handler returns a reply, botocore sends no request; the stubs do not know this.
    client.meta.events.register("before-send.dynamodb", answer)  # type: ignore[arg-type]
    return client


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def section(found: Found) -> Section:
    """Return the section on batches."""
    appended, imported = (
        (median(ours for ours, _ in timed), median(ours / bare for ours, bare in timed))
        for timed in (found.append_cpu, found.import_cpu)
    )
    events = found.streams * EVENTS_PER_COMMIT
    how = (
        f"`insert_many` (which `append_many` calls) appends commits of {EVENTS_PER_COMMIT} "
        f"events to {found.streams:,} new streams, in one call and then one by one. CPU times "
        "are those of all threads; the process answers every request itself. They are for an "
        f"append of one event among {_PUTS}, and for an event of an import of {found.imported:,} "
        "lines, in which neighbours are hardly ever of the same stream. They are compared with "
        "a bare `put_item` of a commit with one event, answered in the same way. The stream to "
        f"delete has {found.doomed:,} commits, and every request is answered after "
        f"{LATENCY * 1000:g} ms."
    )
    costs = Table(
        ["append", "requests", "write units", "write units an event"],
        [
            [
                name,
                f"{cost.requests:,}",
                f"{cost.write_units:,g}",
                f"{cost.write_units / events:.3f}",
            ]
            for name, cost in (("in one call", found.many), ("one by one", found.alone))
        ],
    )
    times = Table(
        ["", "CPU, µs", "in bare puts"],
        [
            ["append among many", f"{appended[0] * 1e6:.0f}", f"{appended[1]:.2f}"],
            ["event of an import", f"{imported[0] * 1e6:.0f}", f"{imported[1]:.2f}"],
        ],
    )
    goals = [
        Goal(
            "requests of an append to many streams, in batches of 25",
            found.many.requests / -(-found.streams // 25),
            1.0,
            exact=True,
        ),
        Goal(
            "write units of an append to many streams, relative to the same appends one by one",
            found.many.write_units / found.alone.write_units,
            1.0,
            exact=True,
        ),
        Goal("CPU of an append among many, relative to a bare put", appended[1], 0.45),
        Goal(
            "CPU of an event of an import, in µs",
            imported[0] * 1e6,
            150,
            f"{imported[0] * 1e6:.0f}",
        ),
        Goal(
            f"seconds to delete {found.doomed:,} commits at {LATENCY * 1000:g} ms a request",
            found.deletion,
            3.0,
        ),
    ]
    remarks = (
        "The CPU time of its requests limits an import; a third of that time is spent in botocore. "
        "Near the end of a history, few streams have lines left, so requests hold fewer commits: "
        "at most one of each stream. The time of its requests, four at a time, limits the deletion "
        "to 0.4 s or more."
    )
    return Section("Batches", how, [costs, times], remarks, goals=goals)

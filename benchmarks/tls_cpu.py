"""Measures the CPU time of appends and loads over TLS, against bare boto3."""

from __future__ import annotations

import os
import socket
import ssl
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from benchmarks.append_cpu import COMMIT_SIZES, recorded_put
from benchmarks.canned import CA_BUNDLE, canned
from benchmarks.engine import bare_client
from benchmarks.load_cpu import EVENTS_PER_COMMIT, fetch, query, record_bare, record_ours
from benchmarks.ours import raw_events, stream_id
from benchmarks.pairing import time_in_turns
from benchmarks.report import Goal, Section, Table
from benchmarks.sample import Sample, with_context
from dynamo_es import DynamoBackend, DynamoConfig, ExplicitVersioning
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb.streams.items import commit_item
from dynamo_es.dynamodb.streams.requests import put_commit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.engine import Engine
    from benchmarks.pairing import Samples
    from benchmarks.sample import SampleEvent
    from benchmarks.scale import Scale
    from dynamo_es.dynamodb.config import Transport

APPEND_LIMITS: Final[Mapping[Transport, tuple[float, ...]]] = {
    "default": (0.72, 0.75, 0.85),
    "lean": (0.45, 0.47, 0.55),
}
"""By transport, the goals for appends of each size, as multiples of a bare put."""

TIMES_FASTER: Final[Mapping[Transport, float]] = {"default": 9}
"""By transport, the goal for loads: how many times as fast as the bare query."""

TRANSPORTS: Final[tuple[Transport, ...]] = ("default", "botocore", "lean")
"""The transports to measure."""

_BARE: Final = "bare"
_SOCKET: Final = "socket"
_LOADS: Final = 2
_KINDS: Final = ("no context", "context of two ids")


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements.

    Attributes:
        appends: CPU times by number of events in the commit.
        loads: CPU times by kind of events.
        events: number of events of a load.
    """

    appends: Mapping[int, Samples]
    loads: Mapping[str, Samples]
    events: int


def measure(engine: Engine, scale: Scale) -> Found:
    """Measure the CPU time of this process, by transport."""
    events = Sample().take(scale.loaded_events)
    kinds = dict(zip(_KINDS, (events, with_context(events)), strict=True))
    put = recorded_put(engine)
    ours = {kind: record_ours(engine, f"TLS, {kind}", kinds[kind]) for kind in kinds}
    bare = {kind: record_bare(engine, f"TLS, {kind}", kinds[kind]) for kind in kinds}
    ports = [put, *ours.values(), *(replies for _, replies in bare.values())]
    with canned(*ports) as (put_at, *load_at):
        appends = {size: _appends(engine, put_at, size, scale) for size in COMMIT_SIZES}
        loads = {}
        for kind, ours_at, bare_at in zip(_KINDS, load_at[:2], load_at[2:], strict=True):
            subjects = _loads(engine, f"TLS, {kind}", kinds[kind], ours_at)
            subjects[_BARE] = _query(bare[kind][0], f"TLS, {kind}", len(events), bare_at)
            loads[kind] = _time(subjects, scale.rounds, _LOADS)
    return Found(appends, loads, len(events))


def _appends(engine: Engine, endpoint: str, size: int, scale: Scale) -> Samples:
    stream = stream_id("put over TLS")
    events = raw_events(stream, Sample().take(size))
    key = stream_key(tenant_prefix(""), stream)
    item, _ = commit_item(
        key, stream.name, events, version=1, generation=1763920000123456, versionless=False
    )
    params: dict[str, Any] = put_commit(engine.config.events_table, item).params
    client = bare_client(endpoint_url=endpoint)
    subjects: dict[str, Callable[[], object]] = {_BARE: lambda: client.put_item(**params)}

    def appending(transport: Transport) -> Callable[[], None]:
        storage = DynamoBackend(_config(engine, endpoint, transport)).storage
        version = 0

        def append() -> None:
            nonlocal version
            storage.insert_events(stream, ExplicitVersioning(version), events)
            version += size

        return append

    subjects.update({name: appending(name) for name in TRANSPORTS})
    with _Socket(endpoint, client, params) as bare_socket:
        subjects[_SOCKET] = bare_socket.exchange
        return _time(subjects, scale.rounds, scale.calls)


def _loads(
    engine: Engine, name: str, events: list[SampleEvent], endpoint: str
) -> dict[str, Callable[[], object]]:
    def loading(transport: Transport) -> Callable[[], None]:
        storage = DynamoBackend(_config(engine, endpoint, transport)).storage
        return lambda: fetch(storage, name, len(events))

    return {transport: loading(transport) for transport in TRANSPORTS}


def _query(table: str, name: str, number: int, endpoint: str) -> Callable[[], None]:
    client = bare_client(endpoint_url=endpoint)
    return lambda: query(client, table, name, number)


def _config(engine: Engine, endpoint: str, transport: Transport) -> DynamoConfig:
    return replace(engine.config, report_capacity=False, endpoint_url=endpoint, transport=transport)


def _time(subjects: Mapping[str, Callable[[], object]], rounds: int, calls: int) -> Samples:
    return time_in_turns(subjects, rounds=rounds, calls=calls, clock=time.process_time)


class _Socket:
    """Sends one signed request repeatedly, and ignores the replies: the least CPU time possible."""

    def __init__(self, endpoint: str, client: Any, params: dict[str, Any]) -> None:
        self._at = urlsplit(endpoint)
        self._message = b""
        client.meta.events.register_last("before-send.dynamodb", self._note)
        client.put_item(**params)
        client.meta.events.unregister("before-send.dynamodb", self._note)

    def __enter__(self) -> Self:
        context = ssl.create_default_context(cafile=os.environ[CA_BUNDLE])
        plain = socket.create_connection((self._at.hostname or "", self._at.port or 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain, server_hostname=self._at.hostname)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def exchange(self) -> None:
        """Send the request, and receive the reply."""
        self._socket.sendall(self._message)
        self._socket.recv(65536)

    def _note(self, request: Any, **_: Any) -> None:
        headers = {"Host": self._at.netloc, **dict(request.headers.items())}
        lines = [f"{name}: {_text(value)}" for name, value in headers.items()]
        head = "\r\n".join(["POST / HTTP/1.1", *lines, "", ""])
        self._message = head.encode() + request.body


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def section(found: Found) -> Section:
    """Return the section on appends and loads over TLS."""
    how = (
        "CPU time of the client's process. A server in another process on this machine replays "
        "the engine's replies with DynamoDB's headers over TLS, on connections that stay open. "
        "The subjects run in turn, in rounds; the ratio is the median of the rounds' ratios, "
        "with quartiles. Bare boto3 is a client with botocore's defaults, apart from `retries` "
        "(standard mode, as in dynamo_es): a `put_item` of the finished item with the same "
        "condition, or a `query` of one map item per event that boto3's `TypeDeserializer` "
        f"converts to Python values. A load of dynamo_es reads commits of {EVENTS_PER_COMMIT}. "
        "The floor of appends is a bare TLS socket that sends a request signed beforehand, and "
        "ignores the reply."
    )
    goals = [
        *(_append_goal(found, name, size) for name in APPEND_LIMITS for size in COMMIT_SIZES),
        *(_load_goal(found, name, kind) for name in TIMES_FASTER for kind in _KINDS),
    ]
    return Section(
        "Client CPU over TLS", how, [_append_table(found), _load_table(found)], goals=goals
    )


def _append_table(found: Found) -> Table:
    rows = []
    for name, text in _rows("dynamo_es, transport `{}`", "bare `put_item`"):
        limits = APPEND_LIMITS.get(name, ())  # type: ignore[call-overload]
        cells = [
            f"{samples.seconds(name) * 1e6:.0f} µs · {samples.ratio(name, _BARE)}"
            for samples in found.appends.values()
        ]
        rows.append([text, *cells, " / ".join(f"{limit:.2f}" for limit in limits) or "-"])
    floors = [
        f"{samples.seconds(_SOCKET) * 1e6:.0f} µs · {samples.ratio(_SOCKET, _BARE)}"
        for samples in found.appends.values()
    ]
    rows.append(["floor: the socket", *floors, "-"])
    return Table(["append, CPU", *map(_events, found.appends), "goals"], rows)


def _load_table(found: Found) -> Table:
    rows = []
    for name, text in _rows("dynamo_es, transport `{}`", "bare `query`"):
        limit = TIMES_FASTER.get(name)  # type: ignore[call-overload]
        cells = [
            f"{samples.seconds(name) * 1e3:.1f} ms · 1/{samples.ratio(_BARE, name).median:.1f}"
            for samples in found.loads.values()
        ]
        rows.append([text, *cells, f"1/{limit:g}" if limit else "-"])
    return Table([f"load of {found.events:,} events, CPU", *found.loads, "goal"], rows)


def _rows(ours: str, bare: str) -> list[tuple[str, str]]:
    return [*((name, ours.format(name)) for name in TRANSPORTS), (_BARE, bare)]


def _append_goal(found: Found, name: Transport, size: int) -> Goal:
    ratio = found.appends[size].ratio(name, _BARE).median
    limit = APPEND_LIMITS[name][COMMIT_SIZES.index(size)]
    return Goal(
        f"TLS: CPU of an append of {size}, relative to a bare put, transport {name}", ratio, limit
    )


def _load_goal(found: Found, name: Transport, kind: str) -> Goal:
    faster = found.loads[kind].ratio(_BARE, name).median
    load = f"TLS: CPU of loading {found.events:,} events, {kind}"
    what = f"{load}, relative to a bare query, transport {name}"
    return Goal(what, 1 / faster, 1 / TIMES_FASTER[name], f"1/{faster:.1f}")


def _events(size: int) -> str:
    return "1 event" if size == 1 else f"{size} events"

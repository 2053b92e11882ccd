"""Streams in every state, because requests depend on a stream's state."""

from __future__ import annotations

import time
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Annotated, Any

from dynamo_es import (
    ANY_VERSION,
    NO_VERSIONING,
    DataSubject,
    DynamoBackend,
    Encrypted,
    Event,
    StreamId,
)
from dynamo_es.testing.conformance.language import a_snapshot, an_event, events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamo_es import RawEvent

MANY = 34
"""Commits, or fences, that do not fit in the first page of a load."""


class Joined(Event):
    __event_name__ = "member.joined"

    member: Annotated[str, DataSubject]
    email: Annotated[str | None, Encrypted(mask_value=None)]


WRITES = {
    *("PutItem", "UpdateItem", "DeleteItem"),
    *("TransactWriteItems", "BatchExecuteStatement"),
}


class Crash(BaseException):
    """The process ends here."""


@contextmanager
def crash_at(backend: DynamoBackend, number: int) -> Iterator[None]:
    """End the process at a write, 1-based: it is not sent."""
    writes = 0

    def count(model: Any, **_: Any) -> None:
        nonlocal writes
        writes += model.name in WRITES
        if writes == number:
            raise Crash

    event = "provide-client-params.dynamodb"
    backend.client.meta.events.register(event, count, unique_id="crash")
    try:
        yield
    except Crash:
        pass
    finally:
        backend.client.meta.events.unregister(event, unique_id="crash")


def another_process(
    backend: DynamoBackend,
    outbox: Callable[[RawEvent], bool] | None = None,
    clock: Callable[[], float] = time.time,
) -> DynamoBackend:
    """Return a backend on the same tables that remembers nothing, of the same tenant."""
    fresh = DynamoBackend(
        backend.config,
        client=backend.client,
        streams_client=backend._streams_client(),
        sleep=lambda _: None,
        clock=clock,
    )
    if outbox is not None:
        fresh = fresh.with_outbox(outbox)
    scoped = backend._log_tenant
    return fresh if scoped is None else fresh.in_tenant(scoped)


def append(backend: DynamoBackend, stream: StreamId, commits: int, size: int = 1) -> None:
    for _ in range(commits):
        backend.storage.insert_events(stream, ANY_VERSION, events(stream, size))


def append_split(backend: DynamoBackend, stream: StreamId) -> None:
    """Append a commit of several items."""
    large = [an_event(stream, data={"text": Random(n).randbytes(150_000).hex()}) for n in range(3)]
    backend.storage.insert_events(stream, ANY_VERSION, large)


def short(backend: DynamoBackend, stream: StreamId) -> None:
    append(backend, stream, 1, 3)


def straddling(backend: DynamoBackend, stream: StreamId) -> None:
    append(backend, stream, 5, 3)


def long(backend: DynamoBackend, stream: StreamId) -> None:
    append(backend, stream, 2 * MANY - 30, 2)


def split(backend: DynamoBackend, stream: StreamId) -> None:
    append(backend, stream, 1)
    append_split(backend, stream)


def versionless(backend: DynamoBackend, stream: StreamId) -> None:
    for _ in range(MANY):
        backend.storage.insert_events(stream, NO_VERSIONING, events(stream, 2))


def encrypted(backend: DynamoBackend, stream: StreamId) -> None:
    backend.event_store.append(Joined(member=str(stream), email="m@x"), stream_id=stream)


def with_snapshot(backend: DynamoBackend, stream: StreamId) -> None:
    append(backend, stream, 3)
    backend.storage.save_snapshot(a_snapshot(stream, 3))


def long_after_a_snapshot(backend: DynamoBackend, stream: StreamId) -> None:
    with_snapshot(backend, stream)
    append(backend, stream, MANY)


def deleted(backend: DynamoBackend, stream: StreamId) -> None:
    with_snapshot(backend, stream)
    backend.storage.delete_stream(stream)


def deleted_when_long(backend: DynamoBackend, stream: StreamId) -> None:
    append(backend, stream, MANY)
    backend.storage.delete_stream(stream)


def created_again(backend: DynamoBackend, stream: StreamId) -> None:
    deleted(backend, stream)
    append(backend, stream, 2)


def created_again_below_many_fences(backend: DynamoBackend, stream: StreamId) -> None:
    deleted_when_long(backend, stream)
    append(backend, stream, 2)


def split_below_many_fences(backend: DynamoBackend, stream: StreamId) -> None:
    deleted_when_long(backend, stream)
    append_split(backend, stream)


def crashed(write: int) -> Callable[[DynamoBackend, StreamId], None]:
    """Return what makes a stream whose deletion ended at a write.

    It writes the fence, deletes the snapshot, writes over three commits, and lets the fence expire.
    """

    def make(backend: DynamoBackend, stream: StreamId) -> None:
        with_snapshot(backend, stream)
        with crash_at(backend, write):
            backend.storage.delete_stream(stream)

    return make


KINDS: dict[str, Callable[[DynamoBackend, StreamId], None]] = {
    "missing": lambda *_: None,
    "short": short,
    "straddling": straddling,
    "long": long,
    "split": split,
    "versionless": versionless,
    "encrypted": encrypted,
    "with a snapshot": with_snapshot,
    "long after a snapshot": long_after_a_snapshot,
    "deleted": deleted,
    "deleted when long": deleted_when_long,
    "created again": created_again,
    "created again below many fences": created_again_below_many_fences,
    "split below many fences": split_below_many_fences,
    "deletion that crashed before its fence": crashed(1),
}
CRASHED = {f"deletion that crashed at write {number}": crashed(number) for number in range(2, 7)}
"""What a creation finds in its way, and finishes first."""


def make_all(
    backend: DynamoBackend, kinds: dict[str, Callable[[DynamoBackend, StreamId], None]]
) -> dict[str, StreamId]:
    """Return a stream of each kind, made by another process; a few events are to be published."""
    maker = another_process(backend, lambda event: event.stream_id.name == "straddling")
    streams = {kind: StreamId(name=kind, category="order") for kind in kinds}
    for kind, stream in streams.items():
        kinds[kind](maker, stream)
    return streams

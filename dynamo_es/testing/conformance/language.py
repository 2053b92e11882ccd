"""The language of the conformance suite: given, when, then.

::

    def test_stale_append_is_refused(given, when, then):
        stream = StreamId()
        stored = given.stream(stream).with_commits_of(2, 1)

        when.appending(an_event(stream), to=stream, expecting=1)

        then.it_is_refused(ConcurrentStreamWriteError, stream_id=str(stream), actual=3)
        then.stream(stream).is_(stored)

``when`` keeps an error for ``then``. If no ``then.it_is_refused`` claims the error, the next step
or the end of the test raises it. A refused call must not change the stream: `Then.it_is_refused`
compares what another process sees before and after.

Put ``in_tenant`` and ``in_process`` before a step: ``when.in_process("late").appending``. Processes
share only the tables. In a test, a name always means the same process.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from dynamo_es import (
    DEFAULT_TENANT,
    NO_VERSIONING,
    ExplicitVersioning,
    RawEvent,
    StreamId,
    Versioning,
)
from dynamo_es.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es import Position, StorageStrategy
    from dynamo_es.testing.conformance.engine import Backend, Engine

CREATED_AT = datetime(2024, 2, 29, 23, 59, 59, 999_999)  # noqa: DTZ001 - naive UTC is allowed
_numbers = count(1)


def an_event(stream_id: StreamId, **changes: Any) -> RawEvent:
    """Return a new, unique event of a stream, without a version."""
    number = next(_numbers)
    event = RawEvent(
        uuid=uuid4(),
        stream_id=stream_id,
        created_at=CREATED_AT,
        name="NumberDrawn",
        data={"number": number},
        context={"by": "a test"},
    )
    return replace(event, **changes)


def events(stream_id: StreamId, number: int) -> list[RawEvent]:
    """Return a number of new events of a stream, without versions."""
    return [an_event(stream_id) for _ in range(number)]


def heavy_events(stream_id: StreamId, number: int, size: int) -> list[RawEvent]:
    """Return events of ``size`` bytes each, which do not compress well."""
    random = Random(number)
    return [
        an_event(
            stream_id, data={"blob": base64.b64encode(random.randbytes(size * 3 // 4)).decode()}
        )
        for _ in range(number)
    ]


def a_snapshot(stream_id: StreamId, version: int, **changes: Any) -> RawEvent:
    """Return a snapshot of a stream at a version."""
    return an_event(stream_id, version=version, name="Snapshot", **changes)


def numbered(unnumbered: Sequence[RawEvent], first: int = 1) -> list[RawEvent]:
    """Return the events with the versions that a stream gives them."""
    return [replace(event, version=first + index) for index, event in enumerate(unnumbered)]


def exactly(event: RawEvent) -> dict[str, Any]:
    """Return an event in a form that is equal only if both values and types are equal.

    For plain equality, 1, 1.0, True and Decimal(1) are the same, and so are -0.0 and 0.0.
    """
    return {
        "uuid": event.uuid,
        "stream_id": event.stream_id,
        "created_at": event.created_at,
        "offset": event.created_at.utcoffset(),
        "name": event.name,
        "data": json.dumps(event.data, sort_keys=True),
        "context": json.dumps(event.context, sort_keys=True),
        "version": event.version,
    }


def assert_same(actual: Sequence[RawEvent], expected: Sequence[RawEvent]) -> None:
    """Assert that two lists of events are equal, in values and in types."""
    assert [event.version for event in actual] == [event.version for event in expected]
    assert [exactly(event) for event in actual] == [exactly(event) for event in expected]


@dataclass(slots=True)
class _Refusal:
    error: Exception
    before: object
    look_again: Callable[[], object]


@dataclass(slots=True)
class World:
    """The processes of one test, and the last refusal until a step claims it."""

    engine: Engine
    inline: bool = False
    refusal: _Refusal | None = None
    versions: dict[tuple[str, StreamId], int] = field(default_factory=dict)
    _backends: dict[str, Backend] = field(default_factory=dict)

    def backend(self, process: str = "first") -> Backend:
        """Return a named process."""
        if process not in self._backends:
            self._backends[process] = self.engine.fresh_process(inline=self.inline)
        return self._backends[process]

    def storage(self, process: str, tenant: str) -> StorageStrategy:
        """Return the storage of a tenant in a named process."""
        backend = self.backend(process)
        # Keep one storage for each tenant, because a new one for each step would remember nothing.
        scoped = f"{process} in {tenant!r}"
        if scoped not in self._backends:
            self._backends[scoped] = backend.in_tenant(tenant)
        return self._backends[scoped].storage

    def raise_unclaimed(self) -> None:
        """Raise the error of the last step, unless the test has claimed it."""
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            raise refusal.error


@dataclass(frozen=True, slots=True)
class _Step:
    world: World
    tenant: str = DEFAULT_TENANT
    process: str = "first"

    def in_tenant(self, tenant: str) -> Self:
        """Return the same step for another tenant."""
        return replace(self, tenant=tenant)

    def in_process(self, name: str) -> Self:
        """Return the same step in another process."""
        return replace(self, process=name)

    @property
    def storage(self) -> StorageStrategy:
        """The storage this step acts on."""
        self.world.raise_unclaimed()
        return self.world.storage(self.process, self.tenant)


class Given(_Step):
    """The steps that prepare a test."""

    def stream(self, stream_id: StreamId) -> GivenStream:
        """Return a stream to fill. It begins empty, and later calls add to it."""
        return GivenStream(self, stream_id)


@dataclass(frozen=True, slots=True)
class GivenStream:
    """A stream that a test fills with events."""

    given: Given
    stream_id: StreamId

    def with_commits(self, *commits: Sequence[RawEvent]) -> list[RawEvent]:
        """Append each list of events in a separate append; return all, numbered."""
        versions, key = self.given.world.versions, (self.given.tenant, self.stream_id)
        first = versions.get(key, 0) + 1
        for commit in commits:
            expected = versions.get(key, 0)
            self.given.storage.insert_events(self.stream_id, ExplicitVersioning(expected), commit)
            versions[key] = expected + len(commit)
        return numbered([event for commit in commits for event in commit], first)

    def with_commits_of(self, *sizes: int) -> list[RawEvent]:
        """Append new events, in commits of the given sizes; return them, numbered."""
        return self.with_commits(*(events(self.stream_id, size) for size in sizes))

    def with_events(self, *commit: RawEvent) -> list[RawEvent]:
        """Append events in one append; return them, numbered."""
        return self.with_commits(commit)

    def without_versions(self, *sizes: int) -> list[RawEvent]:
        """Append new events with ``NO_VERSIONING``, in commits of the given sizes; return them."""
        stored = []
        for size in sizes:
            commit = events(self.stream_id, size)
            self.given.storage.insert_events(self.stream_id, NO_VERSIONING, commit)
            stored += commit
        return stored

    def with_snapshot(self, version: int) -> RawEvent:
        """Save a snapshot at a version and return it."""
        snapshot = a_snapshot(self.stream_id, version)
        self.given.storage.save_snapshot(snapshot)
        return snapshot

    def deleted(self) -> Self:
        """Delete the stream. Later steps fill its next generation."""
        self.given.storage.delete_stream(self.stream_id)
        self.given.world.versions.pop((self.given.tenant, self.stream_id), None)
        return self

    def loaded(self) -> Self:
        """Load the stream, so that the process knows its version."""
        self.given.storage.fetch_events(self.stream_id)
        return self


class When(_Step):
    """The steps that act. Errors wait for ``then``."""

    def appending(self, *appended: RawEvent, to: StreamId, expecting: int | Versioning) -> None:
        """Append events. A number means ``ExplicitVersioning``."""
        versioning = ExplicitVersioning(expecting) if isinstance(expecting, int) else expecting
        self._do(to, lambda storage: storage.insert_events(to, versioning, appended))

    def saving(self, snapshot: RawEvent) -> None:
        """Save a snapshot."""
        self._do(snapshot.stream_id, lambda storage: storage.save_snapshot(snapshot))

    def deleting(self, stream_id: StreamId) -> None:
        """Delete a stream."""
        self._do(stream_id, lambda storage: storage.delete_stream(stream_id))

    def loading(
        self, stream_id: StreamId, start: int | None = None, stop: int | None = None
    ) -> None:
        """Fetch events, to get an error or to make the process remember them."""
        self._do(stream_id, lambda storage: storage.fetch_events(stream_id, start, stop))

    def _do(self, stream_id: StreamId, action: Callable[[StorageStrategy], object]) -> None:
        storage = self.storage
        observer = self.world.storage("observer", self.tenant)
        before = _picture(observer, stream_id)
        try:
            action(storage)
        except Exception as error:  # noqa: BLE001 - every error waits to be claimed
            self.world.refusal = _Refusal(error, before, lambda: _picture(observer, stream_id))


class Then(_Step):
    """The steps that assert."""

    def it_is_refused(self, error: type[Exception], **attributes: object) -> None:
        """Assert that the last step raised an error and changed nothing.

        Args:
            error: the exact class of the error.
            attributes: the attributes that the error must have.
        """
        refusal, self.world.refusal = self.world.refusal, None
        assert refusal is not None, f"nothing was refused, expected {error.__name__}"
        if type(refusal.error) is not error:
            raise refusal.error
        assert {name: getattr(refusal.error, name) for name in attributes} == attributes
        assert refusal.look_again() == refusal.before, "the refused call wrote something"

    def stream(self, stream_id: StreamId) -> ThenStream:
        """Return a stream to make assertions on."""
        return ThenStream(self, stream_id)

    def position_is(self, position: Position | None) -> None:
        """Assert that the log ends at a position."""
        assert self.storage.current_position == position


@dataclass(frozen=True, slots=True)
class ThenStream:
    """A stream, seen both by the process that acted and by one that remembers nothing."""

    then: Then
    stream_id: StreamId

    def is_(self, expected: Sequence[RawEvent]) -> Self:
        """Assert that the stream has exactly these events, numbered from 1."""
        return self._both_give(numbered(expected), 1)

    def is_versionless(self, expected: Sequence[RawEvent]) -> Self:
        """Assert that the stream has exactly these events, without versions."""
        unnumbered = [replace(event, version=None) for event in expected]
        return self._both_give(unnumbered, 1)._both_give(unnumbered, None)

    def is_missing(self) -> Self:
        """Assert that the stream does not exist."""
        return self._both_give([], 1)._both_give([], None)

    def loads(self, *expected: RawEvent) -> Self:
        """Assert that a load without a range returns these events, with their versions."""
        return self._both_give(expected, None)

    def gives(
        self, expected: Sequence[RawEvent], start: int | None = None, stop: int | None = None
    ) -> Self:
        """Assert that a range of the stream has these events, with their versions."""
        assert_same(self.then.storage.fetch_events(self.stream_id, start, stop), expected)
        return self

    def _both_give(self, expected: Sequence[RawEvent], start: int | None) -> Self:
        self.then.world.raise_unclaimed()
        fresh = self.then.world.engine.fresh_process().in_tenant(self.then.tenant)
        assert_same(fresh.storage.fetch_events(self.stream_id, start), expected)
        return self.gives(expected, start)


def _picture(storage: StorageStrategy, stream_id: StreamId) -> object:
    try:
        seen = [exactly(event) for event in storage.fetch_events(stream_id)]
    except InputError:  # an invalid stream id has no stream to show
        return None
    return seen, storage.current_position

"""Inserting events: from what a call has to the appends of its originators' streams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from eventsourcing.persistence import IntegrityError

from dynamo_es.adapters.eventsourcing.coding import initial_of, raw_events, stream_of
from dynamo_es.adapters.eventsourcing.several import Part, append_to_several
from dynamo_es.dynamodb.streams.append import Append
from dynamo_es.dynamodb.streams.load import newest_commit
from dynamo_es.exceptions import ConcurrentStreamWriteError
from dynamo_es.values import ExplicitVersioning

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from eventsourcing.persistence import StoredEvent

    from dynamo_es.adapters.eventsourcing.settings import InitialVersions, Runtime
    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps

# Originators begin with one of these, as a rule: then an insertion of such a version is tried as
# the first one, without a read.
_USUAL = (0, 1)


class Batch(NamedTuple):
    """The events of one originator in one call.

    Attributes:
        originator_id: whose.
        events: of consecutive versions.
    """

    originator_id: UUID | str
    events: list[StoredEvent]


@dataclass(slots=True)
class Stored:
    """What one stream got of a call; as `InlineSequencer` takes it.

    Attributes:
        stream: which.
        commits: what was put.
        last: version of its last event, as the store counts.
    """

    stream: Stream
    commits: list[Commit]
    last: int


class _Place(NamedTuple):
    initial: int
    expected: int
    guessed: bool


def batches_of(events: Sequence[StoredEvent]) -> list[Batch]:
    """Return the events of each originator, in the order in which those first appear.

    Raises:
        IntegrityError: the versions of an originator's events are not consecutive.
    """
    found: dict[UUID | str, list[StoredEvent]] = {}
    for event in events:
        of_originator = found.setdefault(event.originator_id, [])
        if of_originator and event.originator_version != of_originator[-1].originator_version + 1:
            raise IntegrityError(
                f"Originator {event.originator_id}: version {event.originator_version} comes after "
                f"{of_originator[-1].originator_version} in one call. Versions have to be "
                "consecutive. Nothing was written."
            )
        of_originator.append(event)
    return [Batch(originator_id, some) for originator_id, some in found.items()]


def insert(
    runtime: Runtime, category: str, batches: Sequence[Batch], enlisted: Sequence[EnlistedWrite]
) -> Steps[list[Append | Stored]]:
    """Append every batch to its stream, all or none.

    Raises:
        ConcurrentStreamWriteError: a version is there already, or one before it is missing.
        EnlistedWriteRefusedError: the condition of a write that goes along is not met.
    """
    streams = [runtime.stream(stream_of(batch.originator_id, category)) for batch in batches]
    places: list[_Place] = []
    for stream, batch in zip(streams, batches, strict=True):
        places.append((yield from _place(runtime.initials, stream, batch)))
    while True:
        try:
            stored = yield from _append(runtime, streams, batches, places, enlisted)
        except ConcurrentStreamWriteError:
            corrected: list[_Place] = []
            for stream, batch, place in zip(streams, batches, places, strict=True):
                corrected.append((yield from _correct(runtime.initials, stream, batch, place)))
            if [place[:2] for place in corrected] == [place[:2] for place in places]:
                raise
            places = corrected
        else:
            for stream, place in zip(streams, places, strict=True):
                runtime.initials.remember(stream.key, place.initial)
            return stored


def _place(initials: InitialVersions, stream: Stream, batch: Batch) -> Steps[_Place]:
    first = batch.events[0].originator_version
    initial = initials.get(stream.key)
    if initial is None and first in _USUAL:
        return _Place(first, 0, guessed=True)
    if initial is None:
        newest = yield from newest_commit(stream)
        initial = first if newest is None else initial_of(newest, stream.id)
    return _checked(stream, initial, first)


def _correct(
    initials: InitialVersions, stream: Stream, batch: Batch, place: _Place
) -> Steps[_Place]:
    """Look up what was guessed, after a conflict."""
    initials.forget(stream.key)
    if not place.guessed:
        return place
    newest = yield from newest_commit(stream)
    if newest is None:
        return place._replace(guessed=False)
    initial = initial_of(newest, stream.id)
    initials.remember(stream.key, initial)
    return _checked(stream, initial, batch.events[0].originator_version)


def _checked(stream: Stream, initial: int, first: int) -> _Place:
    if first < initial:
        raise ConcurrentStreamWriteError(
            stream.id, first - 1, None, f"Its first version is {initial}."
        )
    return _Place(initial, first - initial, guessed=False)


def _append(
    runtime: Runtime,
    streams: Sequence[Stream],
    batches: Sequence[Batch],
    places: Sequence[_Place],
    enlisted: Sequence[EnlistedWrite],
) -> Steps[list[Append | Stored]]:
    now = datetime.fromtimestamp(runtime.clock(), UTC)
    parts = [
        Part(stream, place.expected, raw_events(stream.id, batch.events, place.initial, now))
        for stream, batch, place in zip(streams, batches, places, strict=True)
    ]
    if len(parts) == 1:
        (part,) = parts
        versioning = ExplicitVersioning(part.expected)
        append = Append.of(part.stream, versioning, part.events, enlisted)
        yield from append.run()
        return [append]
    commits = yield from append_to_several(parts, enlisted)
    return [
        Stored(part.stream, some, part.expected + len(part.events))
        for part, some in zip(parts, commits, strict=True)
    ]

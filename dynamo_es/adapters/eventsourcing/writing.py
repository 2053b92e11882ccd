"""Inserts events with one append to the streams of their originators, all or none."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from eventsourcing.persistence import IntegrityError

from dynamo_es.adapters.eventsourcing.coding import initial_of, raw_events, stream_of
from dynamo_es.adapters.eventsourcing.versions import DataError, uuid_of
from dynamo_es.contracts import AppendHooks, StreamAppend
from dynamo_es.dynamodb.streams.loading.load import newest_commit
from dynamo_es.exceptions import ConcurrentStreamWriteError
from dynamo_es.values import ExplicitVersioning

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from eventsourcing.persistence import StoredEvent

    from dynamo_es.adapters.eventsourcing.settings import Runtime
    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.storage import DynamoStorage
    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.values import Position, RawEvent, TenantId

# Most originators begin with one of these versions. An insertion that begins with one of them is
# first tried as the originator's first, without a read.
_USUAL = (0, 1)


class Batch(NamedTuple):
    """The events of one originator in one call.

    Attributes:
        originator_id: the originator.
        events: events with consecutive versions.
    """

    originator_id: UUID | str
    events: list[StoredEvent]


@dataclass(slots=True)
class Positions:
    """A listener that collects the positions of one call's events.

    Attributes:
        of_streams: the positions of each stream's events, in the order of the streams; None: not
            known.
    """

    of_streams: list[range | None] = field(default_factory=list)

    def __bool__(self) -> bool:
        return True

    def __call__(
        self,
        events: Sequence[RawEvent],
        tenant_id: TenantId,  # noqa: ARG002
        first_position: Position | None,
        generation: int,  # noqa: ARG002
    ) -> None:
        """Keep the positions of one stream's events."""
        self.of_streams.append(
            None if first_position is None else range(first_position, first_position + len(events))
        )

    def in_order_of(
        self, stored_events: Sequence[StoredEvent], batches: Sequence[Batch]
    ) -> list[int] | None:
        """Return the positions in the order of the events; None if one is not known."""
        left: dict[str, list[int]] = {}
        for batch, positions in zip(batches, self.of_streams, strict=True):
            if positions is None:
                return None
            left[str(batch.originator_id)] = list(reversed(positions))
        return [left[str(event.originator_id)].pop() for event in stored_events]


class _Place(NamedTuple):
    initial: int
    expected: int
    guessed: bool


def batches_of(events: Sequence[StoredEvent]) -> list[Batch]:
    """Return the events of each originator, in the order in which the originators first appear.

    Raises:
        IntegrityError: the versions of an originator's events are not consecutive.
        DataError: two events of an originator have the same uuid.
    """
    found: dict[str, list[StoredEvent]] = {}
    for event in events:
        of_originator = found.setdefault(str(event.originator_id), [])
        if of_originator and event.originator_version != of_originator[-1].originator_version + 1:
            raise IntegrityError(
                f"Originator {event.originator_id}: version {event.originator_version} comes after "
                f"{of_originator[-1].originator_version} in one call. Versions must be "
                "consecutive. Nothing was written."
            )
        of_originator.append(event)
    batches = [Batch(some[0].originator_id, some) for some in found.values()]
    for batch in batches:
        _check_uuids(batch)
    return batches


def insert(
    runtime: Runtime,
    category: str,
    batches: Sequence[Batch],
    enlisted: Sequence[EnlistedWrite],
    positions: Positions | None = None,
) -> bool:
    """Append every batch to its stream, all or none; return whether this call stored the events.

    The result is False if an earlier call had stored them all.

    Args:
        runtime: tables and client.
        category: category of the streams.
        batches: one batch or more.
        enlisted: writes in the same transaction.
        positions: collects the positions of the events; None: the events get no positions.

    Raises:
        ConcurrentStreamWriteError: a version is stored already, or an earlier one is missing.
        EnlistedWriteRefusedError: the condition of an enlisted write is not met.
    """
    storage = runtime.unnumbered if positions is None else runtime.storage
    storage = storage.with_hooks(AppendHooks(listener=positions))
    inserting = _Inserting(runtime, storage, category, batches)
    places = [inserting.place(stream, batch) for stream, batch in inserting.pairs]
    while True:
        try:
            stored = inserting.append(places, enlisted)
        except ConcurrentStreamWriteError:
            corrected = [
                inserting.correct(stream, batch, place)
                for (stream, batch), place in zip(inserting.pairs, places, strict=True)
            ]
            if [place[:2] for place in corrected] == [place[:2] for place in places]:
                raise
            places = corrected
        else:
            for (stream, _), place in zip(inserting.pairs, places, strict=True):
                runtime.initials.remember(stream.key, place.initial)
            return stored


class _Inserting:
    """One insertion: finds the place of each batch in its stream, and appends all batches."""

    def __init__(
        self, runtime: Runtime, storage: DynamoStorage, category: str, batches: Sequence[Batch]
    ) -> None:
        self._runtime = runtime
        self._initials = runtime.initials
        self._storage = storage
        self.pairs = [
            (runtime.stream(stream_of(batch.originator_id, category)), batch) for batch in batches
        ]

    def place(self, stream: Stream, batch: Batch) -> _Place:
        first = batch.events[0].originator_version
        initial = self._initials.get(stream.key)
        if initial is None and first in _USUAL:
            return _Place(first, 0, guessed=True)
        if initial is None:
            newest = self._newest(stream)
            initial = first if newest is None else initial_of(newest, stream.id)
        return _checked(stream, initial, first)

    def correct(self, stream: Stream, batch: Batch, place: _Place) -> _Place:
        """Read the stream and return the right place, after a conflict at a guessed one."""
        self._initials.forget(stream.key)
        if not place.guessed:
            return place
        newest = self._newest(stream)
        if newest is None:
            return place._replace(guessed=False)
        initial = initial_of(newest, stream.id)
        self._initials.remember(stream.key, initial)
        return _checked(stream, initial, batch.events[0].originator_version)

    def append(self, places: Sequence[_Place], enlisted: Sequence[EnlistedWrite]) -> bool:
        now = datetime.fromtimestamp(self._runtime.clock(), UTC)
        versions = self._storage.append(
            [
                StreamAppend(
                    stream.id,
                    ExplicitVersioning(place.expected),
                    raw_events(stream.id, batch.events, place.initial, now),
                )
                for (stream, batch), place in zip(self.pairs, places, strict=True)
            ],
            enlisted,
        )
        return not all(version is not None and version.repeated for version in versions)

    def _newest(self, stream: Stream) -> Commit | None:
        return self._runtime.run("insert_events", newest_commit(stream), stream.id)


def _check_uuids(batch: Batch) -> None:
    uuids = [uuid for uuid in map(uuid_of, batch.events) if uuid is not None]
    if len(set(uuids)) < len(uuids):
        raise DataError(
            f"Originator {batch.originator_id}: two events have the same uuid. Give each event a "
            "uuid of its own. Nothing was written."
        )


def _checked(stream: Stream, initial: int, first: int) -> _Place:
    if first < initial:
        raise ConcurrentStreamWriteError(
            stream.id, first - 1, None, f"Its first version is {initial}."
        )
    return _Place(initial, first - initial, guessed=False)

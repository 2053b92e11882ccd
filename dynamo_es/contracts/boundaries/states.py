"""`StateStrategy`: saved states of decision models, and reads that begin with them.

A state is the result of the events that match one query, up to a version. It only saves time: the
events lead to the same state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynamo_es.contracts.boundaries.strategy import (
    BOUNDARY_CATEGORY,
    BoundaryStrategy,
    Matching,
    check_after,
    check_query,
    refuse_unreached,
)
from dynamo_es.contracts.checks.arguments import check_kind, check_stream
from dynamo_es.contracts.checks.events import check_snapshot
from dynamo_es.exceptions import (
    InputError,
    InvalidEventError,
    InvalidStreamIdError,
    describe_stream,
)
from dynamo_es.values import Query, matches_event
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.values import RawEvent, StreamId


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a read: the events after a version that match a query.

    Attributes:
        query: selects the events. Its types are names, not classes.
        after: leave out the events up to this version, inclusive, such as that of a saved state; a
            `StoredVersion` checks the generation too. None: begin with the first event.
    """

    query: Query
    after: int | None = None

    @property
    def floor(self) -> int:
        """Version above which the part wants events."""
        return int(self.after or 0)

    def wants(self, event: RawEvent) -> bool:
        """Return whether a stored event belongs to this part."""
        return (event.version or 0) > self.floor and matches_event(self.query, event)


class StateStrategy(BoundaryStrategy):
    """The part of the storage contract for decisions. A backend may keep no saved states."""

    def fetch_parts(self, stream_id: StreamId, parts: Sequence[Part]) -> Matching:
        """Return the events that belong to any of several parts, and the version of the stream.

        It does what `fetch_matching` does, but in one read for all parts. So their events and the
        head are from the same moment.

        Args:
            stream_id: the stream; it has versions, or does not exist.
            parts: one part or more.

        Returns:
            Each event once, in the order of the versions.

        Raises:
            BoundaryConflictError: the stream has not reached the ``after`` of a part, or is in
                another generation: it was deleted since.
            InputError: ``parts`` is not a list of one part or more, or a part has a wrong query or
                version.

        Other errors are those of `fetch_matching`.

        Cost on DynamoDB: that of `fetch_matching` for the lowest ``after``. With the tag index, a
        part whose alternatives all have tags costs only the reads of its own events.
        """
        check_parts(parts)
        found = self.fetch_matching(stream_id, query_of(parts), lowest_of(parts))
        return wanted_of(stream_id, parts, found)

    def fetch_states(self, stream_id: StreamId, keys: Sequence[str]) -> list[RawEvent | None]:
        """Return the newest state that was saved under each key, if the backend still has it.

        A state may be old, or from an earlier generation of the boundary. So pass its version and
        generation to `fetch_parts`, to read the events after it: that call refuses a state of a
        boundary that was deleted since.

        Args:
            stream_id: the stream of a boundary.
            keys: the keys, texts of one character or more.

        Returns:
            For each key the state with its version and generation, or None.

        Raises:
            InvalidStreamIdError: it is not the stream of a boundary, or a key is too long.
            InputError: ``keys`` is not a list of texts.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 request for the keys that this process has not read before, and half a
        read unit per 4 KB of each; nothing after that.
        """
        check_boundary(stream_id)
        check_keys(keys)
        return [None] * len(keys)

    def save_state(self, key: str, state: RawEvent) -> None:
        """Save a state under a key, with its version and generation.

        An older state never replaces a newer one. The deletion of the boundary deletes its states.

        Args:
            key: text of one character or more.
            state: the state; its stream is that of the boundary.

        Raises:
            InvalidStreamIdError: it is not the stream of a boundary, or a key is too long.
            InvalidEventError: the state has no version or no generation, or its payload is not
                JSON.
            InputError: the key is not text, or is empty.
            CommitTooLargeError: the state takes more than 400 KB, after compression.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 request, and 1 write unit per KB of the state.
        """
        check_state(key, state)


def query_of(parts: Sequence[Part]) -> Query:
    """Return one query that matches the events of all the parts' queries."""
    return Query.of_items(item for part in parts for item in part.query.items)


def lowest_of(parts: Sequence[Part]) -> int | None:
    """Return the version after which a read for all parts must begin; None: at the first event."""
    return min(parts, key=lambda part: part.floor).after


def wanted_of(stream_id: StreamId, parts: Sequence[Part], found: Matching) -> Matching:
    """Return those of the events above `lowest_of` that belong to a part.

    Raises:
        BoundaryConflictError: the stream has not reached the ``after`` of a part.
    """
    for part in parts:
        refuse_unreached(stream_id, query_of(parts), part.after, found.head)
    wanted = (event for event in found.events if any(part.wants(event) for part in parts))
    return Matching(tuple(wanted), found.head)


def check_parts(parts: Sequence[Part]) -> None:
    """Raise `InputError` unless a value is a list of one part or more that a storage can read."""
    check_kind("parts", parts, (list, tuple))
    if not parts:
        raise InputError("parts must be a list of one part or more, not an empty one.")
    for part in parts:
        check_kind("A part", part, Part)
        check_query(part.query)
        check_after(part.after)


def check_keys(keys: Sequence[str]) -> None:
    """Raise `InputError` unless a value is a list of keys of states."""
    check_kind("keys", keys, (list, tuple))
    for key in keys:
        if not isinstance(key, str) or not key:
            raise InputError(
                f"A key of a state must be text of one character or more, not {shown(key)}."
            )


def check_state(key: str, state: RawEvent) -> int:
    """Return the version of a state; raise if the state cannot be stored.

    Raises:
        EventStoreError: the errors of `StateStrategy.save_state`.
    """
    check_keys([key])
    version = check_snapshot(state)
    check_boundary(state.stream_id)
    if type(state.generation) is not int or state.generation < 0:
        raise InvalidEventError(
            state.stream_id,
            "a state must have the generation of the boundary that it was read from, "
            f"not {shown(state.generation)}.",
        )
    return version


def check_boundary(stream_id: StreamId) -> None:
    """Raise `InvalidStreamIdError` unless a value is the stream of a boundary."""
    check_stream(stream_id)
    if stream_id.category != BOUNDARY_CATEGORY:
        raise InvalidStreamIdError(
            f"Stream {describe_stream(stream_id)} is not a boundary: only boundaries have saved "
            "states. boundary_stream(name) returns the stream of one."
        )

"""`BoundaryStrategy`: appends with a query as their condition, for dynamic consistency boundaries.

A boundary is one stream. An append to it succeeds at any version, unless its query matches an event
that the caller has not seen.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from dynamo_es.contracts.checks.arguments import check_count, check_kind, check_stream
from dynamo_es.contracts.checks.events import check_append
from dynamo_es.exceptions import (
    BoundaryConflictError,
    InputError,
    InvalidEventError,
    InvalidStreamIdError,
    InvalidVersioningError,
)
from dynamo_es.values import ANY_VERSION, Query, StoredVersion, StreamId
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.values import RawEvent


@dataclass(frozen=True, slots=True)
class ConditionalAppend:
    """Events to append to the end of a stream, unless a query matches an unseen event.

    Attributes:
        events: one event or more, without versions.
        query: refuses the append if it matches an event above ``after``. Its types are names, not
            classes. None: no condition.
        after: version up to which the caller has seen the stream, such as `Matching.head`; a
            `StoredVersion` checks the generation too. None: the caller has seen nothing. The append
            looks for its own events above ``after``, so that a repeated call stores nothing twice.
            It does not look for them if there is neither a query nor ``after``.
    """

    events: Sequence[RawEvent]
    query: Query | None = None
    after: int | None = None


BoundaryResult: TypeAlias = StoredVersion | Exception
"""The result of a conditional append: the version of its last event, or its error.

The error is an `EventStoreError`, or the error that the outbox filter raised for one of its events.
"""


@dataclass(frozen=True, slots=True)
class Matching:
    """The events of a stream that match a query.

    Attributes:
        events: the events, in the order of their versions.
        head: version of the stream up to which ``events`` is complete, with its generation; 0 if
            the stream does not exist. Give it as ``after`` to an append that depends on these
            events.
    """

    events: tuple[RawEvent, ...]
    head: StoredVersion


NO_STREAM = StoredVersion(0, 0)
"""The head of a stream that does not exist."""

BOUNDARY_CATEGORY: Final = "$boundary"
"""Category of the streams that hold boundaries."""


def boundary_stream(name: str) -> StreamId:
    """Return the stream that holds the events of a boundary.

    Raises:
        InvalidStreamIdError: the name is not text or is empty.
    """
    if not isinstance(name, str) or not name:
        raise InvalidStreamIdError(
            f"A boundary's name must be text of one character or more, not {shown(name, str)}."
        )
    return StreamId(name=name, category=BOUNDARY_CATEGORY)


class BoundaryStrategy:
    """The part of the storage contract that boundaries need."""

    def insert_unless(
        self, stream_id: StreamId, appends: Sequence[ConditionalAppend]
    ) -> list[BoundaryResult]:
        """Carry out appends to the end of a stream, each unless its query matches an unseen event.

        Each append is accepted or refused on its own, in the order given. The query of an append is
        also matched with the events of accepted appends before it. All accepted appends become one
        commit, in one conditional put. If another writer is faster, the put is tried again at the
        next version, after the queries have been matched with the new events.

        You can repeat an append with the same events (same UUIDs): if they are stored above
        ``after`` already, the call succeeds and writes nothing, whatever has been stored since.

        Args:
            stream_id: the stream; it has versions, or does not exist yet.
            appends: the appends, each with one event or more. No appends: no request.

        Returns:
            For each append the version of its last event, with the generation and whether it was
            stored already; or its error: `BoundaryConflictError` with the events that match,
            `AppendOutcomeUnknownError`, `CommitTooLargeError`, `InvalidEventError` if only some of
            its events are stored already, `ExpectedVersionUsedOnVersionlessStream`,
            `StoredItemError`, or a `ServiceError`; or the error that the outbox filter raised. An
            append with an error has stored nothing, unless its outcome is unknown.

        Raises:
            InvalidStreamIdError: it is not a stream id, or its key is longer than DynamoDB takes.
            InvalidEventError: an event cannot be stored.
            InputError: another argument is wrong; nothing was written.

        Cost on DynamoDB: 1 request and 1 write unit per KB of the item, if this process knows the
        head and has seen the events after ``after``; else 1 read more. 1 read more, too, if the
        append is refused because of events that this process has seen, or was stored already. Each
        faster writer costs a refused put. The second refused put and every third one after it also
        cost a read.
        """
        raise NotImplementedError

    def fetch_matching(
        self, stream_id: StreamId, query: Query, after: int | None = None
    ) -> Matching:
        """Return the events of a stream that match a query, and the version of the stream.

        Args:
            stream_id: the stream; it has versions, or does not exist.
            query: selects the events. Its types are names, not classes.
            after: leave out the events up to this version. None: begin with the first event.

        Raises:
            BoundaryConflictError: the stream has not reached ``after``, or is in another
                generation: it was deleted since, or ``after`` comes from another stream.
            ExpectedVersionUsedOnVersionlessStream: the stream has no versions.
            InvalidStreamIdError: it is not a stream id, or its key is longer than DynamoDB takes.
            StoredItemError: this release cannot read an item of the stream.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 read of the events that this process has not seen; 1 request per MB.
        """
        raise NotImplementedError

    def index_tags(self, stream_id: StreamId, most: int = 1_000) -> int:
        """Add events of a boundary to its tag index; return how many were added.

        The index makes the first read of a process cheap, however long the boundary is. Events that
        are not yet in the index are read from the stream. Call this method until it returns 0. Any
        number of processes may do so.

        Args:
            stream_id: the stream of the boundary.
            most: about how many events to index, 1 or more. The last commit is indexed whole, so
                there may be some more.

        Returns:
            0 if the index has all events, the boundary has none, or the backend needs no index.

        Raises:
            InputError: ``most`` is not an integer of 1 or more.
            InvalidStreamIdError: it is not a stream id.
            StoredItemError: this release cannot read an item.
            ServiceError: AWS refused a request or did not answer. Call it again.

        Cost on DynamoDB: 3 to 4 requests for each call. For each different tag, 1 request and 1
        read unit to read its newest page, and 1 request and 1 write unit per KB to write it.
        """
        check_stream(stream_id)
        check_count("most", most)
        return 0


def copied(event: RawEvent) -> RawEvent:
    """Return a copy of an event with its own payload, for a caller that may change it."""
    return replace(event, data=deepcopy(event.data), context=deepcopy(event.context))


def is_before(head: StoredVersion, after: int | None) -> bool:
    """Return whether a stream has not reached ``after``, or is in another generation."""
    if after is None or after == 0:
        return False
    if isinstance(after, StoredVersion) and head.generation != after.generation:
        return True
    return head < after


def refuse_unreached(
    stream_id: StreamId, query: Query, after: int | None, head: StoredVersion
) -> None:
    """Raise `BoundaryConflictError` if a stream with this head has not reached ``after``."""
    if is_before(head, after):
        hint = unreached_hint(int(after or 0), head)
        raise BoundaryConflictError(stream_id, query, int(after or 0), head, hint=hint)


def unreached_hint(after: int, head: StoredVersion) -> str:
    """Return the advice for a caller whose ``after`` is one that `is_before` finds wrong."""
    if head == 0:
        found = "but the boundary does not exist"
    elif head < after:
        found = f"but the boundary has version {head}"
    else:
        found = "but of another generation"
    return (
        f"after is version {after}, {found}. Either the boundary was deleted since you read it, or "
        "after does not come from a read of this boundary. Read the boundary again, decide again, "
        "and give the head of that read as after."
    )


def check_conditional(stream_id: StreamId, append: ConditionalAppend) -> None:
    """Raise unless a storage can carry out the append.

    Raises:
        InvalidStreamIdError: it is not a stream id.
        InvalidEventError: there are no events, or one cannot be stored.
        InvalidVersioningError: ``after`` is not a version.
        InputError: it is not a `ConditionalAppend`, or its query is wrong.
    """
    check_kind("An append", append, ConditionalAppend)
    check_append(stream_id, ANY_VERSION, append.events)
    if not append.events:
        raise InvalidEventError(stream_id, "no events to append: leave the append out.")
    if append.query is not None:
        check_query(append.query)
    check_after(append.after)


def check_conditionals(stream_id: StreamId, appends: Sequence[ConditionalAppend]) -> None:
    """Raise unless a storage can carry out each of the appends; see `check_conditional`.

    Raises:
        InputError: it is not a list of appends, or `check_conditional` refuses one.
    """
    check_stream(stream_id)
    check_kind("appends", appends, (list, tuple))
    for append in appends:
        check_conditional(stream_id, append)


def check_query(query: Query) -> None:
    """Raise `InputError` unless a value is a query whose types are names, not classes."""
    check_kind("query", query, Query)
    for item in query.items:
        for each in item.types:
            if not isinstance(each, str):
                raise InputError(
                    f"A storage knows event types by their names, not {shown(each)}: use a "
                    "Boundary, or give the names."
                )


def check_after(after: int | None) -> None:
    """Raise `InvalidVersioningError` unless a value is a version of 0 or more, or None."""
    if after is None:
        return
    if type(after) not in {int, StoredVersion} or after < 0:
        raise InvalidVersioningError(
            f"after must be the version of an event, 0 (none) or more, or None, not {shown(after)}."
        )

"""`BoundaryStrategy`: appends under a condition on a query, for dynamic consistency boundaries.

A boundary is one stream. An append goes to its end, unless an event that its caller has not seen
matches its query.
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
    """Events to append to the end of a stream, unless an event that matches a query is there.

    Attributes:
        events: one event or more, without versions.
        query: the append is refused if it matches an event above ``after``; it names types by
            text. None: no condition.
        after: version up to which the caller has seen the stream, such as `Matching.head`; a
            `StoredVersion` has its generation too. None: nothing seen. The append looks for its
            own events above ``after``, so that a repeated call stores nothing twice. With neither
            a query nor ``after``, it does not look for them.
    """

    events: Sequence[RawEvent]
    query: Query | None = None
    after: int | None = None


BoundaryResult: TypeAlias = StoredVersion | Exception
"""The result of a conditional append: the version of its last event, or its error.

The error is an `EventStoreError`, or what the outbox filter raised for one of its events.
"""


@dataclass(frozen=True, slots=True)
class Matching:
    """The events of a stream that match a query.

    Attributes:
        events: the events, in the order of their versions.
        head: version of the stream up to which the answer is complete, with its generation; 0 if
            the stream does not exist. Give it as ``after`` to an append that depends on the answer.
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
        InvalidStreamIdError: the name is not text, or is empty.
    """
    if not isinstance(name, str) or not name:
        raise InvalidStreamIdError(
            f"A boundary's name must be text of one character or more, not {shown(name, str)}."
        )
    return StreamId(name=name, category=BOUNDARY_CATEGORY)


class BoundaryStrategy:
    """The part of a storage that boundaries need."""

    def insert_unless(
        self, stream_id: StreamId, appends: Sequence[ConditionalAppend]
    ) -> list[BoundaryResult]:
        """Append to the end of a stream, each append unless an unseen event matches its query.

        Each append is accepted or refused on its own, in the order given: the query of an append is
        also matched with the events of accepted appends before it. All accepted appends become one
        commit, in one conditional put. A put that is refused because another writer was faster
        goes to the next version, once everything up to there has been matched.

        You can repeat an append with the same events (same UUIDs): if they are stored above
        ``after`` already, the call succeeds and writes nothing, whatever has been stored since.

        Args:
            stream_id: the stream; it has versions, or does not exist yet.
            appends: the appends, each with one event or more. No appends: no request.

        Returns:
            For each append the version of its last event, with the generation and whether it was
            stored already; or the error that it would have raised alone:
            `BoundaryConflictError` with the events that match, `AppendOutcomeUnknownError`,
            `CommitTooLargeError`, `InvalidEventError` if only some of its events are stored
            already, `ExpectedVersionUsedOnVersionlessStream`, `StoredItemError`, or a
            `ServiceError`; or what the outbox filter raised. An append with an error has stored
            nothing, except if its outcome is unknown.

        Raises:
            InvalidStreamIdError: not a stream id, or a key longer than DynamoDB takes.
            InvalidEventError: an event that cannot be stored.
            InputError: another wrong argument; nothing was written.

        Cost on DynamoDB: 1 request and 1 write unit per KB of the item, if this process knows the
        head and has seen the events after ``after``. Otherwise 1 read more. 1 read more, too, if
        events that it has seen refuse the append, or are its own. Each time that another writer
        was faster costs a refused put; the second time and every third one after it also cost a
        read.
        """
        raise NotImplementedError

    def fetch_matching(
        self, stream_id: StreamId, query: Query, after: int | None = None
    ) -> Matching:
        """Return the events of a stream that match a query, and the version up to which it looked.

        Args:
            stream_id: the stream; it has versions, or does not exist.
            query: which events; it names types by text.
            after: leave out the events up to this version. None: begin with the first event.

        Raises:
            BoundaryConflictError: the stream has not reached ``after``, or is in another
                generation: it was deleted since, or ``after`` is of another stream.
            ExpectedVersionUsedOnVersionlessStream: the stream has no versions.
            InvalidStreamIdError: not a stream id, or a key longer than DynamoDB takes.
            StoredItemError: an item of the stream that this release cannot read.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 read of the events that this process has not seen; 1 request per MB.
        """
        raise NotImplementedError

    def index_tags(self, stream_id: StreamId, most: int = 1_000) -> int:
        """Bring the index of a boundary's tags forward; return by how many events.

        The index makes the first read of a process cheap, whatever the length of the boundary. What
        it lacks so far is read from the stream. Call it again until it returns 0. Any number of
        processes may do so.

        Args:
            stream_id: the stream of the boundary.
            most: how many events to index, about: 1 or more. The last commit is indexed whole.

        Returns:
            0 if the index has all events, if there are none, or if the backend needs no index.

        Raises:
            InputError: ``most`` is not an integer of 1 or more.
            InvalidStreamIdError: not a stream id.
            StoredItemError: an item that this release cannot read.
            ServiceError: AWS refused a request or did not answer. Call it again.

        Cost on DynamoDB: for each call 3 to 4 requests; for each different tag 1 request and 1 unit
        to read its newest page, and 1 request and 1 write unit per KB to write it.
        """
        check_stream(stream_id)
        check_count("most", most)
        return 0


def copied(event: RawEvent) -> RawEvent:
    """Return an event whose payload is its own, for a caller who may change it."""
    return replace(event, data=deepcopy(event.data), context=deepcopy(event.context))


def is_before(head: StoredVersion, after: int | None) -> bool:
    """Whether a stream with this head has not reached a version, or is in another generation."""
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
    """Return what to do if a stream with this head has not reached ``after``; see `is_before`."""
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
        InvalidStreamIdError: not a stream id.
        InvalidEventError: no events, or an event that cannot be stored.
        InputError: not a `ConditionalAppend`, or a query or version that is not one.
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
        InputError: not a list of appends, or one that `check_conditional` refuses.
    """
    check_stream(stream_id)
    check_kind("appends", appends, (list, tuple))
    for append in appends:
        check_conditional(stream_id, append)


def check_query(query: Query) -> None:
    """Raise `InputError` unless a value is a query that names its types by text."""
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

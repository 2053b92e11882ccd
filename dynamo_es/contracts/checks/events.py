"""Checks of events and snapshots. Every backend makes them before it writes anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from dynamo_es.contracts.appends import StreamAppend, StreamCheck
from dynamo_es.contracts.checks.arguments import check_kind, check_stream
from dynamo_es.contracts.checks.payload import NotJsonError, check_json, check_text
from dynamo_es.exceptions import (
    InputError,
    InvalidEventError,
    InvalidVersioningError,
    describe_stream,
)
from dynamo_es.values import (
    ANY_VERSION,
    NO_VERSIONING,
    ExplicitVersioning,
    RawEvent,
    StreamId,
)
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.values import Versioning


def check_append(stream_id: StreamId, versioning: Versioning, events: Sequence[RawEvent]) -> None:
    """Raise unless a storage can append the events to the stream.

    Raises:
        InvalidStreamIdError: it is not a stream id.
        InvalidVersioningError: ``versioning`` is not one of the three ways to append.
        InvalidEventError: an event cannot be stored; the message says which, by its 0-based index,
            and why.
    """
    check_stream(stream_id)
    if isinstance(versioning, ExplicitVersioning):
        first = versioning.expected_version + 1
    elif versioning is ANY_VERSION or versioning is NO_VERSIONING:
        first = None
    else:
        raise InvalidVersioningError(
            "versioning must be ExplicitVersioning(n), ANY_VERSION or NO_VERSIONING, "
            f"not {shown(versioning)}."
        )
    if not isinstance(events, list | tuple):
        raise InvalidEventError(
            stream_id,
            f"events must be a list or a tuple, not {type(events).__name__}: a retry reads them "
            "again.",
        )
    if not events:
        return
    aware = None
    for index, event in enumerate(events):
        check_event(stream_id, event, index)
        version = event.version
        if version is not None and (first is None or version != first + index):
            raise InvalidEventError(
                stream_id,
                f"event {index} has version {shown(version)}, but "
                + (
                    f"{versioning!r} takes events without versions: leave it None."
                    if first is None
                    else f"after expected version {first - 1} it must be {first + index} or None."
                ),
            )
        if aware is None:
            aware = event.created_at.tzinfo is not None
        elif aware is not (event.created_at.tzinfo is not None):
            raise InvalidEventError(
                stream_id,
                f"event {index} mixes naive and aware created_at in one append: "
                "give all events a time zone, or none.",
            )
    if len(events) > 1 and len({event.uuid for event in events}) < len(events):
        raise InvalidEventError(
            stream_id, "two events have the same uuid: give each event a uuid of its own."
        )


def check_all(appends: Sequence[StreamAppend], unchanged: Sequence[StreamCheck]) -> None:
    """Raise unless a storage can append to several streams while others stay unchanged.

    Raises:
        InputError: an argument is not a list of `StreamAppend` or of `StreamCheck`, a stream is in
            both lists or in ``unchanged`` twice, or there are checks but no appends.
        InvalidStreamIdError: a stream is not a `StreamId`.
        InvalidVersioningError: a stream has no explicit version.
        InvalidEventError: an append has no events, a stream is in ``appends`` twice, or an event is
            wrong.
    """
    check_kind("appends", appends, (list, tuple))
    check_kind("unchanged", unchanged, (list, tuple))
    streams = set()
    for index, append in enumerate(appends):
        check_kind(f"append {index}", append, StreamAppend)
        stream_id = append.stream_id
        check_append(stream_id, append.versioning, append.events)
        _check_explicit(append.versioning)
        if not append.events:
            raise InvalidEventError(
                stream_id,
                "no events to append: leave the stream out, or put it into unchanged.",
            )
        if stream_id in streams:
            raise InvalidEventError(
                stream_id, "the stream is given twice: put all its events into one."
            )
        streams.add(stream_id)
    _check_unchanged(unchanged, streams)
    if unchanged and not appends:
        raise InputError(
            "unchanged needs appends to other streams. To see whether streams have changed, "
            "read their versions."
        )


def _check_unchanged(unchanged: Sequence[StreamCheck], appended: set[StreamId]) -> None:
    checked = set()
    for index, check in enumerate(unchanged):
        check_kind(f"check {index}", check, StreamCheck)
        stream_id = check.stream_id
        check_stream(stream_id)
        _check_explicit(check.versioning)
        if stream_id in appended:
            raise InputError(
                f"Stream {describe_stream(stream_id)} is in the appends and in unchanged: leave it "
                "out of unchanged, because its append is refused if it has changed."
            )
        if stream_id in checked:
            raise InputError(
                f"Stream {describe_stream(stream_id)} is in unchanged twice: give it once."
            )
        checked.add(stream_id)


def _check_explicit(versioning: object) -> None:
    if not isinstance(versioning, ExplicitVersioning):
        given = shown(versioning, type(ANY_VERSION), type(NO_VERSIONING))
        raise InvalidVersioningError(
            f"An append to several streams needs ExplicitVersioning(n) for each, not {given}. "
            "Without versions, you could not repeat it safely."
        )


def check_many(appends: Sequence[StreamAppend]) -> None:
    """Raise unless a storage can carry out each of the appends.

    Raises:
        InputError: it is not a list of `StreamAppend`, or `check_append` refuses one.
    """
    check_kind("appends", appends, (list, tuple))
    for index, append in enumerate(appends):
        check_kind(f"append {index}", append, StreamAppend)
        check_append(append.stream_id, append.versioning, append.events)


def check_snapshot(snapshot: RawEvent) -> int:
    """Return the version of a snapshot; raise if the snapshot cannot be stored.

    Raises:
        InvalidEventError: the snapshot cannot be stored; the message says why.
    """
    if not isinstance(snapshot, RawEvent):
        kind = type(snapshot).__name__
        raise InvalidEventError(None, f"A snapshot must be a RawEvent, not {kind}.")
    check_stream(snapshot.stream_id)
    check_event(snapshot.stream_id, snapshot, None)
    if type(snapshot.version) is not int or snapshot.version < 1:
        raise InvalidEventError(
            snapshot.stream_id,
            "a snapshot must have the version of the last event in it, 1 or more, "
            f"not {shown(snapshot.version)}.",
        )
    return snapshot.version


def check_event(stream_id: StreamId, event: RawEvent, index: int | None) -> None:
    """Raise `InvalidEventError` unless one event, or a snapshot, can be stored in the stream."""
    label = "the snapshot" if index is None else f"event {index}"
    if not isinstance(event, RawEvent):
        kind = type(event).__name__
        raise InvalidEventError(stream_id, f"{label} must be a RawEvent, not {kind}.")
    if event.stream_id is not stream_id and event.stream_id != stream_id:
        other = event.stream_id
        named = describe_stream(other) if isinstance(other, StreamId) else shown(other)
        raise InvalidEventError(stream_id, f"{label} belongs to another stream, {named}.")
    if not isinstance(event.uuid, UUID):
        raise InvalidEventError(
            stream_id, f"{label} has the uuid {shown(event.uuid)}: give a UUID."
        )
    if not isinstance(event.created_at, datetime):
        raise InvalidEventError(
            stream_id, f"{label} has the created_at {shown(event.created_at)}: give a datetime."
        )
    if event.created_at.tzinfo is not None and event.created_at.tzinfo is not UTC:
        offset = event.created_at.utcoffset() or timedelta()
        if offset and abs(offset) < timedelta(seconds=1):
            raise InvalidEventError(
                stream_id,
                f"{label} has a created_at {offset!r} off UTC, which ISO 8601 cannot express: "
                "use UTC.",
            )
    name = event.name
    if not isinstance(name, str) or not name:
        raise InvalidEventError(
            stream_id, f"{label} has the name {shown(name, str)}: give text, not empty."
        )
    part = "name"
    try:
        if not name.isascii():
            check_text(name)
        part = "data"
        _check_object(event.data)
        part = "context"
        _check_object(event.context)
    except NotJsonError as error:
        raise InvalidEventError(
            stream_id, f"{label} ({shown(name, str)}): {error.describe(part)}"
        ) from None


def _check_object(value: object) -> None:
    if type(value) is not dict:
        raise NotJsonError(f"must be a JSON object (a dict), not {type(value).__name__}.")
    check_json(value)

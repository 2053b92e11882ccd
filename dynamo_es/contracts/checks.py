"""The checks every backend makes on a call's arguments, before anything is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from dynamo_es.contracts.payload import NotJsonError, check_json, check_text
from dynamo_es.exceptions import (
    InputError,
    InvalidConsumerError,
    InvalidEventError,
    InvalidPositionError,
    InvalidRangeError,
    InvalidStreamIdError,
    InvalidSubjectError,
    InvalidSubscriptionError,
    InvalidVersioningError,
)
from dynamo_es.values import (
    ANY_VERSION,
    NO_VERSIONING,
    ExplicitVersioning,
    RawEvent,
    StreamId,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts.storage import StreamAppend
    from dynamo_es.exceptions import EventStoreError
    from dynamo_es.values import Position, Versioning

MAX_SUBJECT_BYTES: Final = 1024
"""DynamoDB's limit for a sort key, which a subject is; kept by every key storage."""

MAX_CONSUMER_BYTES: Final = 255
"""Of a consumer's name: keys are made of it and of more."""


def check_kind(
    label: str,
    value: object,
    kind: type | tuple[type, ...],
    error: type[EventStoreError] = InputError,
) -> None:
    """Raise ``error`` unless a value is of a class, or of one of several.

    Args:
        label: what it is, as the subject of the message.
        value: to be checked; the message names its class only, for it may be anybody's data.
        kind: the class, or several.
        error: class of the error; it takes the message alone.
    """
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join(each.__name__ for each in kinds)
        raise error(f"{label} must be of the class {wanted}, not {type(value).__name__}.")


def check_callable(label: str, value: object, error: type[EventStoreError] = InputError) -> None:
    """Raise ``error`` unless a value can be called."""
    if not callable(value):
        raise error(f"{label} must be a function, not {type(value).__name__}.")


def check_count(label: str, value: object) -> None:
    """Raise `InputError` unless a value is an integer of 1 or more."""
    if type(value) is not int or value < 1:
        raise InputError(f"{label} must be an integer of 1 or more, not {value!r:.40}.")


def check_range(start: int | None, stop: int | None) -> None:
    """Raise `InvalidRangeError` unless both are None or integers of 1 or more."""
    for name, bound in (("start", start), ("stop", stop)):
        if bound is not None and (type(bound) is not int or bound < 1):
            raise InvalidRangeError(
                f"{name} is a version of 1 or more, or None; not {bound!r}. "
                "start is inclusive, stop exclusive."
            )


def check_stream(stream_id: StreamId) -> None:
    """Raise `InvalidStreamIdError` unless it is a `StreamId` whose category is Unicode."""
    if not isinstance(stream_id, StreamId):
        raise InvalidStreamIdError(f"Give a StreamId, not {stream_id!r}: StreamId(name=…).")
    if stream_id.category:
        _check_identity(stream_id.category, f"The category {stream_id.category!r}")


def check_tenant(tenant_id: str) -> None:
    """Raise `InvalidStreamIdError` unless it is text."""
    if not isinstance(tenant_id, str):
        raise InvalidStreamIdError(f"A tenant id is text, not {tenant_id!r}.")
    _check_identity(tenant_id, f"The tenant id {tenant_id!r}")


def check_scope(tenant_id: str, scope: str | None) -> None:
    """Raise `InvalidSubscriptionError` if a tenant is not the one that a scope is of.

    Args:
        tenant_id: whose events are asked for.
        scope: the only tenant whose events may be read; None: all tenants' may.
    """
    check_tenant(tenant_id)
    if scope is not None and tenant_id != scope:
        raise InvalidSubscriptionError(
            f"This backend reads the events of tenant {scope!r} only, not those of {tenant_id!r}: "
            "call in_tenant for the other one."
        )


def check_subject(subject: str) -> None:
    """Raise `InvalidSubjectError` unless it is text of 1 to 1,024 bytes."""
    if not isinstance(subject, str) or not subject:
        # Without the value: it may come out of an event.
        raise InvalidSubjectError(
            f"A subject is text, not empty; this one is {type(subject).__name__}."
        )
    try:
        size = len(subject.encode())
    except UnicodeEncodeError:
        raise InvalidSubjectError(
            "The subject holds a lone surrogate, which is not Unicode: replace it."
        ) from None
    if size > MAX_SUBJECT_BYTES:
        raise InvalidSubjectError(
            f"The subject is {size:,} bytes long; "
            f"a key takes {MAX_SUBJECT_BYTES:,}: use a shorter id."
        )


def check_position(position: Position, last_position: Position | None = None) -> None:
    """Raise `InvalidPositionError` unless it is 0 or more, and one that the log has reached.

    Args:
        position: to be checked.
        last_position: where the log ends, 0 if it is empty; None: that does not matter.
    """
    if type(position) is not int or position < 0:
        raise InvalidPositionError(position)
    if last_position is not None and position > last_position:
        raise InvalidPositionError(position, last_position)


def check_consumer(name: str) -> None:
    """Raise `InvalidConsumerError` unless it is a name that makes a key."""
    if not isinstance(name, str) or not name or "#" in name:
        raise InvalidConsumerError(
            f"A consumer's name is text, not empty, without '#'; not {name!r}."
        )
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise InvalidConsumerError(
            f"The name {name!r} holds a lone surrogate, which is not Unicode: replace it."
        ) from None
    if size > MAX_CONSUMER_BYTES:
        raise InvalidConsumerError(
            f"The name {name[:40]!r}… is {size:,} bytes long; a consumer's name has at most "
            f"{MAX_CONSUMER_BYTES}: use a shorter one."
        )


def check_append(stream_id: StreamId, versioning: Versioning, events: Sequence[RawEvent]) -> None:
    """Raise unless the events can be stored as they are, all of one stream and one clock.

    Raises:
        InvalidVersioningError: none of the three ways to append.
        InvalidEventError: names the first event that is wrong, and why.
    """
    check_stream(stream_id)
    if isinstance(versioning, ExplicitVersioning):
        first = versioning.expected_version + 1
    elif versioning is ANY_VERSION or versioning is NO_VERSIONING:
        first = None
    else:
        raise InvalidVersioningError(
            f"Give ExplicitVersioning(n), ANY_VERSION or NO_VERSIONING, not {versioning!r}."
        )
    if not isinstance(events, list | tuple):
        raise InvalidEventError(
            stream_id,
            f"the events are a {type(events).__name__}, which may be empty when they are appended "
            "again: give a list or a tuple.",
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
                f"event {index} has version {version!r}, but "
                + (
                    f"{versioning!r} takes events without one: leave it None."
                    if first is None
                    else f"behind expected version {first - 1} it must be {first + index} or None."
                ),
            )
        if aware is None:
            aware = event.created_at.tzinfo is not None
        elif aware is not (event.created_at.tzinfo is not None):
            raise InvalidEventError(
                stream_id,
                f"event {index} mixes naive and aware created_at in one append: use one kind.",
            )
    if len(events) > 1 and len({event.uuid for event in events}) < len(events):
        raise InvalidEventError(stream_id, "two events have the same uuid: give each its own.")


def check_appends(appends: Sequence[StreamAppend]) -> None:
    """Raise unless the events of several streams can be stored, each stream given once.

    Raises:
        InvalidVersioningError: a stream without an explicit version.
        InvalidEventError: a stream without events, or given twice, or an event that is wrong.
    """
    streams = set()
    for append in appends:
        stream_id, versioning = append.stream_id, append.versioning
        check_append(stream_id, versioning, append.events)
        if not isinstance(versioning, ExplicitVersioning):
            raise InvalidVersioningError(
                "An append to several streams needs ExplicitVersioning(n) for each, "
                f"not {versioning!r}."
            )
        if not append.events:
            raise InvalidEventError(stream_id, "no events to append: leave the stream out.")
        if stream_id in streams:
            raise InvalidEventError(stream_id, "the stream is given twice: join its events.")
        streams.add(stream_id)


def check_snapshot(snapshot: RawEvent) -> int:
    """Return the version of a snapshot that can be stored as it is; raise otherwise.

    Raises:
        InvalidEventError: says what is wrong.
    """
    if not isinstance(snapshot, RawEvent):
        raise InvalidEventError("?", f"a snapshot is a RawEvent, not {snapshot!r}.")
    check_stream(snapshot.stream_id)
    check_event(snapshot.stream_id, snapshot, None)
    if type(snapshot.version) is not int or snapshot.version < 1:
        raise InvalidEventError(
            snapshot.stream_id,
            f"a snapshot has the version of the last event in it, 1 or more, "
            f"not {snapshot.version!r}.",
        )
    return snapshot.version


def check_event(stream_id: StreamId, event: RawEvent, index: int | None) -> None:
    """Raise `InvalidEventError` unless one event of the stream can be stored as it is."""
    label = "the snapshot" if index is None else f"event {index}"
    if not isinstance(event, RawEvent):
        raise InvalidEventError(
            stream_id, f"{label} is of type {type(event).__name__}, not a RawEvent."
        )
    if event.stream_id is not stream_id and event.stream_id != stream_id:
        raise InvalidEventError(stream_id, f"{label} is of the stream {event.stream_id!r}.")
    if not isinstance(event.uuid, UUID):
        raise InvalidEventError(stream_id, f"{label} has the uuid {event.uuid!r}: give a UUID.")
    if not isinstance(event.created_at, datetime):
        raise InvalidEventError(
            stream_id, f"{label} has the created_at {event.created_at!r}: give a datetime."
        )
    if event.created_at.tzinfo is not None and event.created_at.tzinfo is not UTC:
        offset = event.created_at.utcoffset() or timedelta()
        if offset and abs(offset) < timedelta(seconds=1):
            raise InvalidEventError(
                stream_id, f"{label} is {offset!r} off UTC, which ISO 8601 cannot say: use UTC."
            )
    name = event.name
    if not isinstance(name, str) or not name:
        raise InvalidEventError(stream_id, f"{label} has the name {name!r}: give text, not empty.")
    part = "name"
    try:
        if not name.isascii():
            check_text(name)
        part = "data"
        _check_object(event.data)
        part = "context"
        _check_object(event.context)
    except NotJsonError as error:
        raise InvalidEventError(stream_id, f"{label} ({name!r}): {error.describe(part)}") from None


def _check_object(value: object) -> None:
    if type(value) is not dict:
        raise NotJsonError(f"must be a JSON object (a dict), not {type(value).__name__}.")
    check_json(value)


def _check_identity(text: str, label: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidStreamIdError(
            f"{label} holds a lone surrogate, which is not Unicode: replace it."
        ) from None

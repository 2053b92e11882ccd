"""Checks of arguments, except for events and snapshots, which `events` checks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from dynamo_es.exceptions import (
    InputError,
    InvalidConsumerError,
    InvalidPositionError,
    InvalidRangeError,
    InvalidStreamIdError,
    InvalidSubjectError,
    InvalidSubscriptionError,
)
from dynamo_es.values import StreamId
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from dynamo_es.exceptions import EventStoreError
    from dynamo_es.values import Position

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

MAX_SUBJECT_BYTES: Final = 1024
"""Most bytes of a subject: DynamoDB's limit for a sort key. Every key storage has this limit."""

MAX_CONSUMER_BYTES: Final = 255
"""Most bytes of a consumer's name, which becomes a part of keys."""


def check_kind(
    label: str,
    value: object,
    kind: type | tuple[type, ...],
    error: type[EventStoreError] = InputError,
) -> None:
    """Raise ``error`` unless a value is an instance of a class, or of one of several classes.

    Args:
        label: name of the value, the subject of the message.
        value: the value; the message names only its class, because it may be personal data.
        kind: the class, or several classes.
        error: class of the error; a message must be its only argument.
    """
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join(each.__name__ for each in kinds)
        article = "an" if wanted[0] in "AEIOUaeiou" else "a"
        given = shown(value) if isinstance(value, type) else type(value).__name__
        raise error(f"{label} must be {article} {wanted}, not {given}.")


def check_callable(label: str, value: object, error: type[EventStoreError] = InputError) -> None:
    """Raise ``error`` unless a value is callable."""
    if not callable(value):
        raise error(f"{label} must be callable, not {type(value).__name__}.")


def check_count(label: str, value: object) -> None:
    """Raise `InputError` unless a value is an integer of 1 or more."""
    if type(value) is not int or value < 1:
        raise InputError(f"{label} must be an integer of 1 or more, not {shown(value)}.")


def microseconds_of(label: str, moment: object) -> int:
    """Return a moment in microseconds since the epoch.

    Args:
        label: name of the parameter, as the subject of the message.
        moment: a datetime with a time zone.

    Raises:
        InputError: it is not a datetime, or has no time zone and so means no single moment.
    """
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise InputError(
            f"{label} must be a datetime with a time zone, such as datetime.now(UTC), "
            f"not {shown(moment)}."
        )
    return (moment - _EPOCH) // timedelta(microseconds=1)


def seconds_of(
    label: str,
    value: timedelta | float,
    at_least: float = 0,
    error: type[EventStoreError] = InvalidSubscriptionError,
) -> float:
    """Return a duration in seconds.

    Args:
        label: name of the parameter, as the subject of the message.
        value: a timedelta, or a number of seconds.
        at_least: shortest duration, in seconds.
        error: class of the error that is raised if the value is neither, is too short or is not
            finite.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if type(seconds) not in {int, float} or not at_least <= seconds < float("inf"):
        raise error(
            f"{label} must be a timedelta or a number of seconds, {at_least} or more, "
            f"not {shown(value, timedelta)}."
        )
    return seconds


def check_range(start: int | None, stop: int | None) -> None:
    """Raise `InvalidRangeError` unless both are None or integers of 1 or more."""
    for name, bound in (("start", start), ("stop", stop)):
        if bound is not None and (type(bound) is not int or bound < 1):
            raise InvalidRangeError(
                f"{name} must be a version of 1 or more, or None, not {shown(bound)}. "
                "start is inclusive, stop is exclusive."
            )


def check_iteration(
    start: int | None, stop: int | None, page_size: int, *, newest_first: bool
) -> None:
    """Raise unless `StorageStrategy.iter_events` can work with these arguments.

    Raises:
        InvalidRangeError: the range is wrong, or ``newest_first`` comes without a start.
        InputError: the page size is not an integer of 1 or more.
    """
    check_range(start, stop)
    check_count("page_size", page_size)
    if newest_first and start is None:
        raise InvalidRangeError(
            "newest_first needs a start: give start=1 for the whole stream, without its snapshot."
        )


def check_stream(stream_id: StreamId) -> None:
    """Raise `InvalidStreamIdError` unless a value is a `StreamId` whose category is Unicode."""
    if not isinstance(stream_id, StreamId):
        raise InvalidStreamIdError(
            f"stream_id must be a StreamId, such as StreamId(name=…), not {shown(stream_id, str)}."
        )
    if stream_id.category:
        _check_identity(stream_id.category, "The category")


def check_tenant(tenant_id: str) -> None:
    """Raise `InvalidStreamIdError` unless a tenant id is Unicode text."""
    if not isinstance(tenant_id, str):
        raise InvalidStreamIdError(f"A tenant id must be text, not {shown(tenant_id)}.")
    _check_identity(tenant_id, "The tenant id")


def check_scope(tenant_id: str, scope: str | None) -> None:
    """Raise `InvalidSubscriptionError` if a backend of tenant ``scope`` must not read a tenant."""
    check_tenant(tenant_id)
    if scope is not None and tenant_id != scope:
        raise InvalidSubscriptionError(
            f"This backend reads the events of tenant {shown(scope, str)} only, not those of "
            f"{shown(tenant_id, str)}: call in_tenant({shown(tenant_id, str)})."
        )


def check_subject(subject: str) -> None:
    """Raise `InvalidSubjectError` unless a subject is text of 1 to 1,024 bytes in UTF-8."""
    if not isinstance(subject, str) or not subject:
        # The message leaves the value out, because it may come from an event.
        kind = "empty text" if subject == "" else type(subject).__name__
        raise InvalidSubjectError(f"A subject must be text of one character or more, not {kind}.")
    try:
        size = len(subject.encode())
    except UnicodeEncodeError:
        raise InvalidSubjectError(
            "The subject holds a lone surrogate, which is not Unicode: replace it."
        ) from None
    if size > MAX_SUBJECT_BYTES:
        raise InvalidSubjectError(
            f"The subject is {size:,} bytes long; "
            f"a key takes at most {MAX_SUBJECT_BYTES:,}: use a shorter id."
        )


def check_position(position: Position, last_position: Position | None = None) -> None:
    """Raise `InvalidPositionError` unless a position is 0 or more and the log has reached it.

    ``last_position`` is the last position of the log, 0 if the log is empty; None: no upper limit.
    """
    if type(position) is not int or position < 0:
        raise InvalidPositionError(position)
    if last_position is not None and position > last_position:
        raise InvalidPositionError(position, last_position)


def check_consumer(name: str) -> None:
    """Raise `InvalidConsumerError` unless a consumer's name can be a part of keys."""
    if not isinstance(name, str) or not name or "#" in name:
        raise InvalidConsumerError(
            "A consumer's name must be text of one character or more, without '#', not "
            f"{shown(name, str)}."
        )
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise InvalidConsumerError(
            f"The name {shown(name, str)} holds a lone surrogate, which is not Unicode: replace it."
        ) from None
    if size > MAX_CONSUMER_BYTES:
        raise InvalidConsumerError(
            f"The name {name[:40]!r}… is {size:,} bytes long; a consumer's name has at most "
            f"{MAX_CONSUMER_BYTES}: use a shorter one."
        )


def _check_identity(text: str, label: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidStreamIdError(
            f"{label} {shown(text, str)} holds a lone surrogate, which is not Unicode: replace it."
        ) from None

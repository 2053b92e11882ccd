"""Failures of consumers: the event that could not be handled, and the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.contracts.error_texts import describe_error

if TYPE_CHECKING:
    from datetime import datetime

MAX_REASON_CHARACTERS: Final = 500
"""Most characters of a stored reason."""


@dataclass(frozen=True, slots=True)
class ConsumerFailure:
    """An event that a consumer could not handle, and why.

    Attributes:
        place: position of the event in the log; for a cursor, version of the event in its stream.
        attempts: number of failures at this event without a success in between, 1 or more.
        reason: reason of the last failure, at most 500 characters, without values of the event.
        failed_at: time of the last failure, aware UTC.
    """

    place: int
    attempts: int
    reason: str
    failed_at: datetime


class NewFailure(NamedTuple):
    """A failure to store.

    Attributes:
        place: see `ConsumerFailure`.
        reason: see `ConsumerFailure`.
        at_ms: time of the failure, milliseconds since the epoch.
    """

    place: int
    reason: str
    at_ms: int


def reason_of(error: BaseException) -> str:
    """Return the reason to store for an error: its description, cut to 500 characters."""
    return describe_error(error)[:MAX_REASON_CHARACTERS]

"""Times of events and commits."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from dynamo_es.values import RawEvent


def latest(events: Iterable[RawEvent]) -> datetime:
    """Return when the events of a commit were made: the latest time among them, in UTC."""
    return max(in_utc(event.created_at) for event in events)


def in_utc(when: datetime) -> datetime:
    """Return a time in UTC; a time without a zone is one in UTC."""
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)

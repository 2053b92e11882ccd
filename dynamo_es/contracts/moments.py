"""Times of events and commits."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from dynamo_es.values import RawEvent


def latest(events: Iterable[RawEvent]) -> datetime:
    """Return the latest ``created_at`` of the events of a commit, in UTC."""
    return max(in_utc(event.created_at) for event in events)


def in_utc(when: datetime) -> datetime:
    """Return a time in UTC; a time without a zone counts as UTC."""
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)

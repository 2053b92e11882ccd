"""Appends as values: the events to append, the cost, and the results of many appends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from dynamo_es.exceptions import AppendsFailedError, ServiceError
from dynamo_es.values import StoredVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dynamo_es.values import ExplicitVersioning, RawEvent, StreamId, Versioning


@dataclass(frozen=True, slots=True)
class StreamAppend:
    """The events to append to one stream, for a call that appends to several.

    Attributes:
        stream_id: the stream.
        versioning: the version that the stream must have.
        events: the events, in order.
    """

    stream_id: StreamId
    versioning: Versioning
    events: Sequence[RawEvent]


@dataclass(frozen=True, slots=True)
class StreamCheck:
    """A stream that must not have changed, for a call that appends to other streams.

    Attributes:
        stream_id: the stream.
        versioning: the version that the stream must have; 0: it must not exist. With a generation,
            the stream must be in that generation too.
    """

    stream_id: StreamId
    versioning: ExplicitVersioning


@dataclass(frozen=True, slots=True)
class AppendCost:
    """The cost of one append, if this process already knows the stream's version.

    Attributes:
        events: events appended.
        items: items written, in one request.
        size: bytes of these items, by DynamoDB's rules.
        compressed: whether the events of an item are compressed.
        write_units: write units charged.
    """

    events: int
    items: int
    size: int
    compressed: bool
    write_units: int

    @property
    def write_units_per_event(self) -> float:
        """Write units for each event; 0.0 without events."""
        return self.write_units / self.events if self.events else 0.0

    def price(self, per_million_write_units: float) -> float:
        """Return the price of this append, in the currency of the argument.

        Args:
            per_million_write_units: the price of a million write request units in your
                region and table class.
        """
        return self.write_units * per_million_write_units / 1_000_000


AppendResult: TypeAlias = StoredVersion | Exception | None
"""The result of an append: the stream's new version (None if it has no versions), or an error."""


def one_by_one(
    appends: Iterable[StreamAppend], insert: Callable[[StreamAppend], StoredVersion | None]
) -> list[AppendResult]:
    """Carry out appends one after the other, and return the result of each.

    After a `ServiceError`, no further append is tried, and each gets the same error: it would fail
    in the same way, after all its retries.
    """
    results: list[AppendResult] = []
    down: ServiceError | None = None
    for append in appends:
        if down is not None:
            results.append(down)
            continue
        try:
            results.append(insert(append))
        except Exception as error:  # noqa: BLE001 - the others go on, and the caller gets it
            results.append(error)
            if isinstance(error, ServiceError):
                down = error
    return results


def versions_of(
    appends: Sequence[StreamAppend], results: Sequence[AppendResult]
) -> list[StoredVersion | None]:
    """Return the new version of each stream, if every append succeeded.

    Raises:
        AppendsFailedError: an append failed.
    """
    if any(isinstance(result, Exception) for result in results):
        raise AppendsFailedError(tuple(append.stream_id for append in appends), tuple(results))
    return cast("list[StoredVersion | None]", list(results))

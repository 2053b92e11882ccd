"""Puts waiting appends to one stream into one commit. Each keeps its own condition."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from dynamo_es.contracts.boundaries.strategy import ConditionalAppend, check_conditional
from dynamo_es.exceptions import AppendOutcomeUnknownError
from dynamo_es.grouping.groups import Work
from dynamo_es.values import StoredVersion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.contracts.boundaries.strategy import BoundaryResult
    from dynamo_es.grouping.groups import Groups
    from dynamo_es.values import RawEvent, StreamId, TenantId

HEAVIEST: Final = 300_000
"""Most bytes of uncompressed JSON in one item. More would need a transaction, at twice the units.
"""

_METADATA: Final = 200
"""Approximate bytes of an event's id, name and time."""


@dataclass(frozen=True, slots=True)
class AppendTogether(Work[ConditionalAppend, StoredVersion]):
    """Carries out conditional appends to one stream.

    Attributes:
        storage: storage of the stream.
        stream_id: the stream.
    """

    heaviest: ClassVar[int | None] = HEAVIEST

    storage: StorageStrategy
    stream_id: StreamId

    def carry_out(self, items: Sequence[ConditionalAppend]) -> Sequence[BoundaryResult]:
        """Return the version or the error of each append; see `BoundaryStrategy.insert_unless`."""
        return self.storage.insert_unless(self.stream_id, items)

    def after_interrupt(self, item: ConditionalAppend) -> Exception | None:
        """Return an error if the events may be stored and a new try would not find them."""
        if item.query is not None or item.after is not None:
            return None
        return AppendOutcomeUnknownError(
            self.stream_id,
            None,
            "the call that stored them with its own events was interrupted.",
        )

    def left_unknown(self, item: ConditionalAppend) -> Exception | None:  # noqa: ARG002
        """Return the error for a caller that was interrupted; see `Work.left_unknown`."""
        return AppendOutcomeUnknownError(
            self.stream_id, None, "this call was interrupted while another one stored its events."
        )


def append_in_group(
    groups: Groups,
    storage: StorageStrategy,
    tenant_id: TenantId,
    stream_id: StreamId,
    append: ConditionalAppend,
) -> StoredVersion:
    """Append in one commit with other appends of this process that wait for the same stream.

    Args:
        groups: the queues in which calls wait for each other.
        storage: the tenant's storage.
        tenant_id: the tenant.
        stream_id: the stream.
        append: the events and their condition.

    Returns:
        The version of the append's last event.

    Raises:
        ContentionError: the appends before it took too long; nothing was written.
        EventStoreError: the append's error, as `BoundaryStrategy.insert_unless` returns it.
    """
    check_conditional(stream_id, append)
    return groups.submit(
        (AppendTogether, tenant_id, stream_id),
        append,
        AppendTogether(storage, stream_id),
        weight=sum(map(_weight_of, append.events)),
    )


def _weight_of(event: RawEvent) -> int:
    return _METADATA + _size_of(event.data) + (_size_of(event.context) if event.context else 0)


def _size_of(data: object) -> int:
    return len(json.dumps(data))

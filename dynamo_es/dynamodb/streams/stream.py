"""One stream as the algorithms see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynamo_es.dynamodb.wire.compression import MAX_TEXT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts import OutboxFilter
    from dynamo_es.dynamodb.streams.heads import RememberedHeads
    from dynamo_es.values import StreamId


@dataclass(frozen=True, slots=True)
class Stream:
    """Where a stream is stored, and what this process knows of it.

    Attributes:
        table: the events table.
        key: its partition key there.
        id: its identity within the tenant.
        heads: what this process remembers of it.
        clock: seconds since the epoch.
        outbox: which of the events appended to it are to be published; None: none of them.
        most_bytes: what the events of an append, or of a stored commit, may take uncompressed.
    """

    table: str
    key: str
    id: StreamId
    heads: RememberedHeads
    clock: Callable[[], float]
    outbox: OutboxFilter | None = None
    most_bytes: int = MAX_TEXT_BYTES

    def now_in_microseconds(self) -> int:
        """Return the number a generation gets that begins now."""
        return int(self.clock() * 1_000_000)

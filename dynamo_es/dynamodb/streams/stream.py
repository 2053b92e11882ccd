"""`Stream`: what the algorithms need to know about a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynamo_es.dynamodb.wire.encoding.compression import MAX_TEXT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts import OutboxFilter
    from dynamo_es.dynamodb.config import Compression
    from dynamo_es.dynamodb.streams.remembered.heads import RememberedHeads
    from dynamo_es.values import StreamId


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream: its place in the table, its settings, and the heads that this process remembers.

    Attributes:
        table: name of the events table.
        key: partition key of the stream.
        id: identity of the stream within its tenant.
        heads: the heads that this process remembers.
        clock: returns seconds since the epoch.
        outbox: returns whether to publish an appended event; None: publish no event.
        most_bytes: the most bytes of the events of an append or a stored commit, uncompressed.
        compression: when to compress the events of an append, or a snapshot.
        is_replica: whether items of the stream may arrive later than others, in any order.
    """

    table: str
    key: str
    id: StreamId
    heads: RememberedHeads
    clock: Callable[[], float]
    outbox: OutboxFilter | None = None
    most_bytes: int = MAX_TEXT_BYTES
    compression: Compression = "units"
    is_replica: bool = False

    def now_in_microseconds(self) -> int:
        """Return the time in microseconds since the epoch: the number of a new generation."""
        return int(self.clock() * 1_000_000)

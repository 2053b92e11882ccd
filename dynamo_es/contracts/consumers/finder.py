"""`ConsumerFinder`: the contract for finding the cursors of read models, and the outboxes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.failures import ConsumerFailure
    from dynamo_es.values import StreamId, TenantId


@dataclass(frozen=True, slots=True)
class CursorInfo:
    """A read model's place in a stream.

    Attributes:
        name: name of the read model.
        version: version of the last applied event; 0 before the first one.
        generation: generation of the stream, 1 or more; 0: unknown.
        tenant_id: tenant of the stream; None: unknown, like the stream.
        stream_id: the stream, without its name; None: unknown, because the stream's key was too
            long for the cursor's key, which then holds a hash.
        failure: the event after the cursor that could not be applied; None: no event failed.
        busy: whether a process holds the cursor's lease, or died while it held the lease.
    """

    name: str
    version: int
    generation: int
    tenant_id: TenantId | None
    stream_id: StreamId | None
    failure: ConsumerFailure | None = None
    busy: bool = False


@dataclass(frozen=True, slots=True)
class OutboxInfo:
    """An outbox that has run before.

    Attributes:
        name: name of the outbox.
        tenant_id: the tenant whose events it publishes; None: all tenants.
        position: the outbox has tried every event up to this position, inclusive.
    """

    name: str
    tenant_id: TenantId | None
    position: int


class FoundConsumers(NamedTuple):
    """One part of a list of consumers.

    Attributes:
        cursors: cursors of read models, in any order.
        outboxes: outboxes, in any order.
        after: pass it to `ConsumerFinder.find` to get the next part; None: this is the last part.
    """

    cursors: tuple[CursorInfo, ...]
    outboxes: tuple[OutboxInfo, ...]
    after: str | None


class ConsumerFinder(ABC):
    """Finds the cursors of read models, and the outboxes. Safe to share between threads.

    `CheckpointStrategy.all` returns the other consumers: those with a checkpoint in the log.
    """

    @abstractmethod
    def find(self, after: str | None = None) -> FoundConsumers:
        """Return one part of the cursors and outboxes. A part may be empty and yet not be the last.

        Args:
            after: `FoundConsumers.after` of the previous part; None: begin with the first part.

        Raises:
            InputError: ``after`` does not come from a previous part.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 1 request, a scan of 1 MB of the log's table.
        """

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a finder of one tenant's cursors and outboxes; this object does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """

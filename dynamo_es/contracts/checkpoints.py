"""The contract of checkpoints: each consumer's position in the log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from datetime import datetime

    from dynamo_es.contracts.failures import ConsumerFailure, NewFailure
    from dynamo_es.values import Position, TenantId


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A consumer's position in the log.

    Attributes:
        name: name of the consumer.
        position: the consumer has handled the log up to this position, or began after it.
        moved_at: when the position last moved, aware UTC. Until the first success, when the
            consumer last failed.
        tenant_id: the tenant whose events the consumer handles; None: all tenants.
        failure: the event after the position that the consumer could not handle; None: none
            failed since the position last moved.
    """

    name: str
    position: Position
    moved_at: datetime
    tenant_id: TenantId | None = None
    failure: ConsumerFailure | None = None


def in_order(checkpoint: Checkpoint) -> tuple[str, bool, str]:
    """Return the sort key of checkpoints: by name, and the one for all tenants first."""
    tenant_id = checkpoint.tenant_id
    return checkpoint.name, tenant_id is not None, tenant_id or ""


class CheckpointStrategy(ABC):
    """Keeps the consumers' positions. Safe to share between threads.

    A name has one checkpoint for each tenant, and another one for all tenants.
    """

    @abstractmethod
    def position(self, name: str) -> Position | None:
        """Return a consumer's position; None if it has never saved one.

        Raises:
            InvalidConsumerError: a name that cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def move(self, name: str, position: Position) -> Position:
        """Save a consumer's position, unless a higher one is saved; return the saved position.

        If the position moves, the consumer's failure is forgotten.

        Raises:
            InvalidPositionError: a negative position.
            InvalidConsumerError: a name that cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def fail(self, name: str, position: Position, failure: NewFailure) -> None:
        """Store that a consumer could not handle an event, unless it is past that event.

        A failure at the same event adds one to `ConsumerFailure.attempts`. A consumer that failed
        at its first event is one of `all`, but its `position` is still None.

        Args:
            name: name of the consumer.
            position: position that the consumer began after, if it has saved none.
            failure: the event and the reason.

        Raises:
            InvalidConsumerError: a name that cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def reset(self, name: str, position: Position) -> None:
        """Set a consumer's position back or forward, and forget its failure.

        Raises:
            UnknownConsumerError: the consumer has neither saved a position nor failed.
            InvalidPositionError: a negative position.
            InvalidConsumerError: a name that cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def all(self) -> list[Checkpoint]:
        """Return the checkpoints of all consumers, in the order of their names.

        If this object is limited to a tenant, you get that tenant's checkpoints only; otherwise
        those of all tenants.

        Raises:
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the checkpoints of one tenant's consumers; this object does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """

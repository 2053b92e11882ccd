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
        name: of the consumer.
        position: the consumer is done with the log up to here, or began after it.
        moved_at: when the position last moved, aware UTC; before the first success, when the
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

        Raises: as `position`.
        """

    @abstractmethod
    def fail(self, name: str, position: Position, failure: NewFailure) -> None:
        """Store that a consumer could not handle an event, unless it is past that event.

        A failure at the same event adds one to `ConsumerFailure.attempts`. A consumer that failed
        at its first event is one of `all`, but its `position` is still None.

        Args:
            name: of the consumer.
            position: that the consumer began after, if it has saved none.
            failure: the event and the reason.

        Raises: as `position`.
        """

    @abstractmethod
    def reset(self, name: str, position: Position) -> None:
        """Set a consumer back or forward, by hand, and forget its failure.

        Raises: as `position`, and
            UnknownConsumerError: the consumer has never saved a position, nor failed.
            InvalidPositionError: negative.
        """

    @abstractmethod
    def all(self) -> list[Checkpoint]:
        """Return the checkpoints of all consumers, in the order of their names.

        The checkpoints of one tenant are limited to that tenant. Those of all tenants include
        each tenant's.
        """

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the checkpoints of one tenant's consumers; this object does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """

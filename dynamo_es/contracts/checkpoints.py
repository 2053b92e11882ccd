"""The contract of checkpoints: how far each consumer of the log is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from datetime import datetime

    from dynamo_es.values import Position, TenantId


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a consumer is.

    Attributes:
        consumer: its name.
        position: up to here it has dealt with the log.
        moved_at: when it last moved, aware UTC.
        tenant_id: the tenant whose events it handles; None: those of all tenants.
    """

    consumer: str
    position: Position
    moved_at: datetime
    tenant_id: TenantId | None = None


def in_order(checkpoint: Checkpoint) -> tuple[str, bool, str]:
    """Return what checkpoints are sorted by: names; for one name, that of all tenants first."""
    tenant_id = checkpoint.tenant_id
    return checkpoint.consumer, tenant_id is not None, tenant_id or ""


class CheckpointStrategy(ABC):
    """Where consumers keep how far they are. Safe to share between threads.

    A consumer of one tenant's events and one of all tenants' have different checkpoints, even
    under the same name; so have the consumers of two tenants.
    """

    @abstractmethod
    def position(self, consumer: str) -> Position | None:
        """Return how far a consumer is; None if it has never saved that.

        Raises:
            InvalidConsumerError: a name that cannot make a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def move(self, consumer: str, position: Position) -> Position:
        """Save how far a consumer is, unless it is further; return how far it is now.

        Raises: as `position`.
        """

    @abstractmethod
    def reset(self, consumer: str, position: Position) -> None:
        """Set a consumer back, or forward, by hand.

        Raises: as `position`, and
            UnknownConsumerError: it has never saved a position.
            InvalidPositionError: negative.
        """

    @abstractmethod
    def all(self) -> list[Checkpoint]:
        """Return the checkpoints of all consumers, in the order of their names.

        Those of one tenant are of that tenant only; those of all tenants are of each of them, too.
        """

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the checkpoints of the consumers of one tenant's events; these stay as they are.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """

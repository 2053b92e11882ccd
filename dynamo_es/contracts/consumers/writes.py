"""The contract of a read model's writes, which are carried out with its checkpoint or cursor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from dynamo_es.exceptions import InvalidSubscriptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.values import Position


class ReturnedWrites:
    """What a handler returns with the writes of an event; see `dynamo_es.Writes`."""


def refuse_writes(returned: object, role: str) -> None:
    """Raise `InvalidSubscriptionError` if a function returned writes that would not be made.

    Args:
        returned: the object that the function returned.
        role: role of the function, the subject of the message: "A handler".
    """
    if isinstance(returned, ReturnedWrites):
        raise InvalidSubscriptionError(
            f"{role} returned Writes, which would not be made. Projections, projectors, "
            "project_log and project_streams make them if you give them writes=True."
        )


class WriteBatch(ABC):
    """The writes of consecutive events, to be carried out in one transaction with the checkpoint.

    For a consumer that follows single streams, the cursor takes the place of the checkpoint, and
    the version that of the position. Used in one thread.
    """

    @abstractmethod
    def add(self, position: Position, writes: object) -> bool:
        """Add the writes of one event.

        Args:
            position: position of the event, above those before.
            writes: what the handler returned.

        Returns:
            Whether the writes fit with those before; if not, nothing was added.

        Raises:
            InvalidEnlistedWriteError: the writes are wrong, or too many for one transaction.
        """

    @abstractmethod
    def one_by_one(self) -> Iterator[tuple[Position, Self]]:
        """Yield each event's position and a batch with its writes alone."""

    @property
    @abstractmethod
    def events(self) -> int:
        """Number of events."""

    @property
    @abstractmethod
    def empty(self) -> bool:
        """Whether the events have no writes."""

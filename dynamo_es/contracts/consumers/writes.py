"""`WriteBatch`: a read model's writes, made in one transaction with its checkpoint or cursor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from dynamo_es.exceptions import InvalidSubscriptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.values import Position


class ReturnedWrites:
    """Base of the object in which a handler returns the writes of an event: `dynamo_es.Writes`."""


def refuse_writes(returned: object, role: str) -> None:
    """Raise `InvalidSubscriptionError` if a function returned writes where none are made.

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
    """The writes of consecutive events, for one transaction with the checkpoint.

    A projector has a cursor in place of the checkpoint, and versions in place of positions. Use a
    batch in one thread only.
    """

    @abstractmethod
    def add(self, position: Position, writes: object) -> bool:
        """Add the writes of one event.

        Args:
            position: position of the event, above that of the event before.
            writes: the object that the handler returned.

        Returns:
            Whether the writes fit into the batch; if not, nothing was added.

        Raises:
            InvalidEnlistedWriteError: the writes are wrong, or too many for one transaction.
        """

    @abstractmethod
    def one_by_one(self) -> Iterator[tuple[Position, Self]]:
        """Yield the position of each event, with a batch of only its writes."""

    @property
    @abstractmethod
    def events(self) -> int:
        """Number of events."""

    @property
    @abstractmethod
    def empty(self) -> bool:
        """Whether the events have no writes."""

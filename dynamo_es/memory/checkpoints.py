"""Checkpoints in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dynamo_es.contracts import Checkpoint, CheckpointStrategy
from dynamo_es.contracts.checks import check_consumer, check_position
from dynamo_es.exceptions import UnknownConsumerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.memory.data import Data
    from dynamo_es.values import Position


class MemoryCheckpoints(CheckpointStrategy):
    """How far the consumers of a backend in memory are.

    Args:
        data: of the backend's storages.
        clock: seconds since the epoch.
    """

    def __init__(self, data: Data, clock: Callable[[], float]) -> None:
        self._data = data
        self._clock = clock

    def position(self, consumer: str) -> Position | None:
        """Return how far a consumer is; see `CheckpointStrategy.position`."""
        check_consumer(consumer)
        with self._data.lock:
            saved = self._data.checkpoints.get(consumer)
        return None if saved is None else saved[0]

    def move(self, consumer: str, position: Position) -> Position:
        """Move a consumer forward; see `CheckpointStrategy.move`."""
        check_consumer(consumer)
        check_position(position)
        with self._data.lock:
            saved = self._data.checkpoints.get(consumer)
            if saved is not None and saved[0] >= position:
                return saved[0]
            self._data.checkpoints[consumer] = (position, self._now())
        return position

    def reset(self, consumer: str, position: Position) -> None:
        """Set a consumer back; see `CheckpointStrategy.reset`."""
        check_consumer(consumer)
        check_position(position)
        with self._data.lock:
            if consumer not in self._data.checkpoints:
                raise UnknownConsumerError(consumer, sorted(self._data.checkpoints))
            self._data.checkpoints[consumer] = (position, self._now())

    def all(self) -> list[Checkpoint]:
        """Return all checkpoints; see `CheckpointStrategy.all`."""
        with self._data.lock:
            return [
                Checkpoint(consumer, position, moved_at)
                for consumer, (position, moved_at) in sorted(self._data.checkpoints.items())
            ]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

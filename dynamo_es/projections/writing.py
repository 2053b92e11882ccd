"""Carries out the writes that a projection's handler returns, together with the checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.exceptions import ProjectionWriteRefusedError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from dynamo_es.contracts.writes import WriteBatch
    from dynamo_es.projections.holding import Holding
    from dynamo_es.values import Position


class Writing:
    """The writes of the events since the last checkpoint.

    Args:
        holding: the lease of the log.

    Attributes:
        applied: number of events whose writes were carried out.
    """

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self._batch = holding.new_writes()
        self.applied = 0

    def drop(self) -> None:
        """Forget the writes: the handler is called for their events again."""
        self._batch = self._holding.new_writes()

    def add(self, position: Position, writes: object) -> bool:
        """Add the writes of an event; False: carry out those before first."""
        return self._batch.add(position, writes)

    def save(
        self,
        position: Position,
        noting_failure_at: Callable[[Position], AbstractContextManager[None]],
    ) -> Position:
        """Carry out the writes and save a position, both or neither; return the saved position.

        If they are refused together, they are carried out event by event, to find the failing one.

        Args:
            position: to save.
            noting_failure_at: notes that the writes of an event failed.
        """
        batch = self._batch
        self.drop()
        if batch.empty:
            there = self._holding.save(position)
        else:
            try:
                there = self._holding.apply(position, batch)
            except (ServiceError, ProjectionWriteRefusedError) as error:
                if isinstance(error, ServiceError) and type(error) is not ServiceError:
                    raise  # it is about no single write
                return self._one_by_one(batch, noting_failure_at)
        if there == position:
            self.applied += batch.events
        return there

    def _one_by_one(
        self,
        batch: WriteBatch,
        noting_failure_at: Callable[[Position], AbstractContextManager[None]],
    ) -> Position:
        there: Position = 0
        for position, alone in batch.one_by_one():
            with noting_failure_at(position):
                save = self._holding.save
                there = save(position) if alone.empty else self._holding.apply(position, alone)
            if there != position:
                break  # it was moved on, so the run goes on from there
            self.applied += 1
        return there

"""Carries out the writes that handlers return, in one transaction with checkpoint or cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dynamo_es.exceptions import (
    InvalidSubscriptionError,
    ProjectionWriteRefusedError,
    ServiceError,
)
from dynamo_es.projections.failure_policy import STOP
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from dynamo_es.contracts.consumers.writes import WriteBatch
    from dynamo_es.projections.failure_policy import FailurePolicy
    from dynamo_es.values import Position


class Holds(Protocol):
    """The lease of a checkpoint or a cursor. For a cursor, a position is a version."""

    def new_writes(self) -> WriteBatch:
        """Return an empty batch of writes for `apply`."""

    def save(self, position: Position) -> Position:
        """Save a position; return the saved position, which may be higher."""

    def apply(self, position: Position, writes: WriteBatch) -> Position:
        """Save a position and carry out writes: both or neither; return the saved position."""


class Writing:
    """The writes of the events after the checkpoint or the cursor.

    Args:
        holding: the lease of the log, or of the stream's cursor.

    Attributes:
        applied: number of events whose writes were carried out.
    """

    def __init__(self, holding: Holds) -> None:
        self._holding = holding
        self._batch = holding.new_writes()
        self.applied = 0

    def drop(self) -> None:
        """Forget the writes, because their events will be handled again."""
        self._batch = self._holding.new_writes()

    def add(self, position: Position, writes: object) -> bool:
        """Add the writes of an event; return False if the earlier ones must be saved first."""
        return self._batch.add(position, writes)

    def save(
        self,
        position: Position,
        noting_failure_at: Callable[[Position], AbstractContextManager[None]],
    ) -> Position:
        """Carry out the writes and save a position: both or neither; return the saved position.

        If the writes are refused together, they are carried out event by event, to find the event
        that fails.

        Args:
            position: position to save.
            noting_failure_at: context that records a failure of the event at a position.
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
                    raise  # no single write caused it
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
                break  # the position was moved, so the run goes on from there
            self.applied += 1
        return there


def check_flag(writes: object) -> None:
    """Raise `InvalidSubscriptionError` unless ``writes`` is True or False."""
    if type(writes) is not bool:
        raise InvalidSubscriptionError(f"writes must be True or False, not {shown(writes)}.")


def refuse_setting_aside(policy: FailurePolicy) -> None:
    """Raise `InvalidSubscriptionError` unless a policy stops before the first failure."""
    if policy != STOP:
        raise InvalidSubscriptionError(
            'With writes=True, on_failure must be "stop": the writes of many events go into one '
            "transaction with the checkpoint or cursor, so none can be set aside."
        )

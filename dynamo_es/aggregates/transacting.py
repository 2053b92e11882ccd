"""Carries out `Repository.transact`: loads, decides, saves, and decides again after conflicts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dynamo_es.aggregates.aggregate import Aggregate
from dynamo_es.aggregates.deciding import DECIDE, OutdatedError, decide_on
from dynamo_es.aggregates.retries import Retries, append_surely
from dynamo_es.aggregates.saving import append, has_emitted, writes_of
from dynamo_es.contracts.checks.functions import refuse_unfinished
from dynamo_es.exceptions import CommandDecidedError, ConcurrentStreamWriteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.aggregates.commands import Command, CommandId, Decided
    from dynamo_es.aggregates.opening import Opening
    from dynamo_es.aggregates.saving import TransactWith
    from dynamo_es.aggregates.streams import AggregateId, AggregateStream
    from dynamo_es.event_store.wrapped import Context
    from dynamo_es.values import RawEvent

TAggregate = TypeVar("TAggregate", bound=Aggregate)


@dataclass(frozen=True, slots=True, eq=False)
class Decision(Generic[TAggregate]):
    """The checked arguments of one `Repository.transact` call.

    Attributes:
        id: the aggregate's id.
        decide: function that calls methods that emit events.
        factory: makes a new aggregate; None: the repository's factory does.
        attempts: most attempts; None: as many as the time allows.
        context: metadata for the saved events.
        transact_with: writes to your own tables with the events.
        command_id: id of the command; None: it has none.
    """

    id: AggregateId
    decide: Callable[[TAggregate], Any]
    factory: Callable[[], TAggregate] | None
    attempts: int | None
    context: Context | None
    transact_with: TransactWith[TAggregate]
    command_id: CommandId | None


@dataclass(frozen=True, slots=True)
class Transacting(Generic[TAggregate]):
    """Carries out one decision at a time.

    Attributes:
        opening: makes the aggregates.
        retry_s: time budget for the attempts, in seconds.
        sleep: called with the seconds to wait.
        monotonic: returns seconds of a clock that only goes forward.
    """

    opening: Opening[TAggregate]
    retry_s: float
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]

    def retries(self, attempts: int | None = None) -> Retries:
        """Return retries whose time begins now."""
        return Retries(self.retry_s, attempts, self.monotonic, self.sleep)

    def carry_out(self, decision: Decision[TAggregate]) -> Any:
        """Decide and save; return the result of the decision. See `Repository.transact`."""
        opening = self.opening
        retries = self.retries(decision.attempts)
        raws: list[RawEvent] | None = None
        again = False
        while True:
            aggregate = opening.new(decision.factory)
            stream = opening.stream(decision.id, aggregate)
            if again:  # read now the events that the first load missed
                stream = replace(stream, consistent=True)
            again = True
            command = stream.command(decision.command_id)
            raws = stream.load(command) if raws is None else raws
            decided = None if command is None else stream.commands_in(raws).find(command)
            if command is not None and decided is not None:
                return self._repeat(stream, aggregate, decision.decide, raws, command, decided)
            opening.replay(stream, aggregate, raws)
            try:
                result = decide_on(stream, raws, aggregate, decision.decide)
            except OutdatedError:
                raws = stream.follow(raws, (), command)
                continue
            writes = writes_of(decision.transact_with, aggregate)
            try:
                stored = append_surely(
                    partial(append, stream, aggregate, decision.context, writes, command), retries
                )
            except ConcurrentStreamWriteError as refused:
                waited = retries.wait_or_raise(refused)
                raws = stream.follow(raws, () if waited else refused.winning, command)
                continue
            if stored:
                opening.snapshots.apply(opening.store, stream.id, aggregate)
                return result
            raws = None  # another run of the command was faster, so return that run's result

    def _repeat(
        self,
        stream: AggregateStream,
        aggregate: TAggregate,
        decide: Callable[[TAggregate], Any],
        raws: list[RawEvent],
        command: Command,
        decided: Decided,
    ) -> Any:
        """Decide on the state before the command; return the result if the events are the same."""
        self.opening.replay(stream, aggregate, stream.before(raws, decided))
        aggregate._generation = raws[-1].generation  # noqa: SLF001 - before its first event, too
        result = decide(aggregate)
        refuse_unfinished(result, decide, DECIDE)
        if result is None:
            return result
        stored = stream.events_of(raws, decided)
        if not has_emitted(aggregate, stored):
            raise CommandDecidedError(stream.id, command.id, decided.last, tuple(stored))
        return result

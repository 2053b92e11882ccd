"""Carries out several decisions about one aggregate, with one load and one append for all.

The decisions are made one after the other. Each gets its own aggregate, in the state after the
decisions before it. A decision that raises fails alone. No caller gets a result, or a refusal,
before all events are stored, because it may depend on them.
"""

from __future__ import annotations

from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from dynamo_es.aggregates.aggregate import Aggregate
from dynamo_es.aggregates.deciding import DECIDE
from dynamo_es.aggregates.retries import append_surely
from dynamo_es.aggregates.saving import identified
from dynamo_es.contracts.checks.functions import refuse_unfinished
from dynamo_es.event_store.wrapped import copy_of
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    EventDefinitionError,
    EventStoreError,
    InputError,
    PrivacyError,
)
from dynamo_es.grouping.groups import Work, own_copy, run_inside
from dynamo_es.values import ExplicitVersioning, StoredVersion
from dynamo_es.waiting import is_interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from contextvars import Context as Variables
    from uuid import UUID

    from dynamo_es.aggregates.commands import Command
    from dynamo_es.aggregates.retries import Retries
    from dynamo_es.aggregates.streams import AggregateStream
    from dynamo_es.aggregates.transacting import Decision, Transacting
    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.grouping.groups import Groups
    from dynamo_es.values import RawEvent

TAggregate = TypeVar("TAggregate", bound=Aggregate)

_REFUSED: Final = (InputError, EventDefinitionError, PrivacyError)
"""Errors that are about the events of one decision, raised before anything is sent."""


class _NotSentError(Exception):
    """The outbox filter raised an error for an event; nothing was sent."""


@dataclass(slots=True, eq=False)
class Joint(Generic[TAggregate]):
    """A decision that is carried out with others.

    Attributes:
        decision: the decision.
        stream: the aggregate's stream.
        variables: context variables of the caller, because another thread may run the decision.
        maybe_stored: whether its events may have been stored with those of others.
    """

    decision: Decision[TAggregate]
    stream: AggregateStream
    variables: Variables
    maybe_stored: bool = False


@dataclass(slots=True)
class _Decided:
    """A decision of a group, with its outcome.

    Attributes:
        joint: the decision.
        command: the command; None: the decision has no command id.
        aggregate: the aggregate that was decided on; None: it was not decided in this round.
        outcome: the result or the error.
        events: the emitted events, with the ids to store them with.
        rests_on: number of the round's events before its own. The outcome is valid only if they are
            stored.
    """

    joint: Joint[Any]
    command: Command | None
    aggregate: Any = None
    outcome: object = None
    events: list[WrappedEvent[Any]] = field(default_factory=list)
    rests_on: int = 0

    @property
    def is_safe(self) -> bool:
        """Whether the outcome is valid even if no event of the round is stored."""
        return self.aggregate is not None and not self.events and not self.rests_on


@dataclass(frozen=True, slots=True)
class Together(Work[Joint[TAggregate], Any], Generic[TAggregate]):
    """Carries out decisions about one aggregate.

    Attributes:
        alone: carries out a single decision.
    """

    alone: Transacting[TAggregate]

    def submit(self, groups: Groups, decision: Decision[TAggregate]) -> Any:
        """Carry out a decision together with others that wait, and return its result."""
        opening = self.alone.opening
        # All settings that matter: the repository of the leader carries out the whole group.
        stream = opening.stream(decision.id, opening.new(decision.factory))
        joint = Joint(decision, replace(stream, consistent=True), copy_context())
        factory = decision.factory
        key: Hashable = (
            Together,
            opening.store.tenant_id,
            stream.id,
            factory if isinstance(factory, type) else id(factory),
            opening.snapshots.settings,
        )
        alone = decision.attempts is not None or decision.transact_with != ()
        return groups.submit(key, joint, self, alone=alone)

    def carry_out(self, items: Sequence[Joint[TAggregate]]) -> Sequence[object]:
        """Return the result or the error of each decision; see `Work.carry_out`."""
        if len(items) == 1:
            return [self._decide_alone(items[0])]
        stream = items[0].stream
        entries = [_Decided(each, stream.command(each.decision.command_id)) for each in items]
        command = next((each.command for each in entries if each.command is not None), None)
        retries = self.alone.retries()
        raws = stream.load(command)
        while True:
            entries = [_Decided(each.joint, each.command) for each in entries]
            self._decide_all(stream, raws, entries)
            try:
                self._append(stream, raws, entries, retries)
            except ConcurrentStreamWriteError as refused:
                try:
                    waited = retries.wait_or_raise(refused)
                except ConcurrentStreamWriteError as error:
                    return _failed(entries, error)
                raws = stream.follow(raws, () if waited else refused.winning, command)
            except (*_REFUSED, _NotSentError):
                return [self._decide_alone(each) for each in items]
            except EventStoreError as error:
                return _failed(entries, error)
            else:
                return [
                    self._decide_alone(each.joint) if each.aggregate is None else each.outcome
                    for each in entries
                ]

    def after_interrupt(self, item: Joint[TAggregate]) -> Exception | None:
        """Return an error if the events may be stored and a new try would not recognize them."""
        if not item.maybe_stored or item.decision.command_id is not None:
            return None
        return AppendOutcomeUnknownError(
            item.stream.id,
            None,
            "the call that stored them with its own events was interrupted.",
        )

    def left_unknown(self, item: Joint[TAggregate]) -> Exception | None:
        """Return the error for a caller that was interrupted; see `Work.left_unknown`."""
        if not item.maybe_stored:
            return None
        return AppendOutcomeUnknownError(
            item.stream.id, None, "this call was interrupted while another one stored its events."
        )

    def _decide_alone(self, joint: Joint[TAggregate]) -> object:
        """Carry out a decision with its own append; return its result or its error."""
        try:
            return run_inside(joint.variables, self.alone.carry_out, joint.decision)
        except BaseException as error:
            if is_interrupt(error):
                raise  # an interrupt is for this thread or task
            return error  # its caller gets it

    def _decide_all(
        self, stream: AggregateStream, raws: list[RawEvent], entries: Sequence[_Decided]
    ) -> None:
        """Make the decisions in order; leave out commands that were decided before or repeated."""
        known = stream.commands_in(raws)
        seen: set[UUID] = set()
        emitted: list[_Decided] = []
        for each in entries:
            command = each.command
            if command is not None:
                if known.find(command) is not None or command.first in seen:
                    continue
                seen.add(command.first)
            self._decide(stream, raws, emitted, each)
            if each.events:
                emitted.append(each)

    def _decide(
        self,
        stream: AggregateStream,
        raws: list[RawEvent],
        emitted: Sequence[_Decided],
        this: _Decided,
    ) -> None:
        """Decide on the state after the stored events and those of the decisions before."""
        decision = this.joint.decision
        aggregate = self.alone.opening.new(decision.factory)
        self.alone.opening.replay(stream, aggregate, raws)
        for other in emitted:
            for wrapped in other.events:
                aggregate._run("__apply__", copy_of(wrapped.event))  # noqa: SLF001 - of its own
            _note(aggregate, other, aggregate._generation)  # noqa: SLF001 - package
        this.aggregate = aggregate
        this.rests_on = sum(len(other.events) for other in emitted)
        try:
            this.outcome = run_inside(this.joint.variables, decision.decide, aggregate)
            refuse_unfinished(this.outcome, decision.decide, DECIDE)
        except BaseException as error:
            if is_interrupt(error):
                raise  # an interrupt is for this thread or task
            this.outcome = error  # its caller gets it
            return
        pending = aggregate._pending_events()  # noqa: SLF001
        this.events = [
            identified(one, index, decision.context, this.command)
            for index, one in enumerate(pending)
        ]

    def _append(
        self,
        stream: AggregateStream,
        raws: list[RawEvent],
        entries: Sequence[_Decided],
        retries: Retries,
    ) -> None:
        """Store the events of all decisions, and take a snapshot if one is due."""
        emitted = [each for each in entries if each.events]
        if not emitted:
            return
        for each in entries:
            each.joint.maybe_stored = True
        events = [wrapped for each in emitted for wrapped in each.events]
        first = (raws[-1].version or 0) if raws else 0
        expected = ExplicitVersioning(first, raws[-1].generation if first else None)
        sent = 0

        def append() -> StoredVersion | None:
            nonlocal sent
            sent += 1
            return stream.store.append(*events, stream_id=stream.id, expected_version=expected)

        try:
            version = _sent(append, retries)
        except ConcurrentStreamWriteError:
            for each in entries:
                each.joint.maybe_stored = False
            raise
        if version is None or (version.repeated and sent == 1):
            # Another process decided the same commands first: each gets the result of that run.
            for each in entries:
                each.aggregate = None
            return
        for each in emitted:
            _note(each.aggregate, each, version.generation)
        last = emitted[-1].aggregate
        self.alone.opening.snapshots.apply(stream.store, stream.id, last)


def _sent(append: Callable[[], StoredVersion | None], retries: Retries) -> StoredVersion | None:
    """Append as `append_surely` does.

    Raises:
        _NotSentError: the outbox filter raised an error.
    """
    try:
        return append_surely(append, retries)
    except EventStoreError:
        raise
    except Exception as error:
        if isinstance(error.__cause__, AppendOutcomeUnknownError):
            raise
        raise _NotSentError from error


def _note(aggregate: Aggregate, decided: _Decided, generation: int | None) -> None:
    """Record that an aggregate's state has the events of a decision."""
    version = None if generation is None else StoredVersion(0, generation)
    of_command = decided.command is not None
    aggregate._stored(decided.events, version, of_command=of_command)  # noqa: SLF001 - its package


def _failed(entries: Sequence[_Decided], error: Exception) -> list[object]:
    """Return the outcomes of decisions whose events were not stored."""
    return [each.outcome if each.is_safe else own_copy(error) for each in entries]

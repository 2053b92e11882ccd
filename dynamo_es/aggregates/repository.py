"""`Repository`: loads and saves aggregates, and decides again after conflicts."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from dynamo_es.aggregates.aggregate import Aggregate
from dynamo_es.aggregates.deciding import DECIDE
from dynamo_es.aggregates.joint_decisions import Together
from dynamo_es.aggregates.opening import Opening
from dynamo_es.aggregates.retries import RETRY_FOR, check_attempts, check_waiting
from dynamo_es.aggregates.saving import kept, save, take_as_decided
from dynamo_es.aggregates.several import SeveralAggregates
from dynamo_es.aggregates.snapshots import SnapshotPolicy
from dynamo_es.aggregates.transacting import Decision, Transacting
from dynamo_es.contracts.checks.arguments import check_callable, check_kind, seconds_of
from dynamo_es.contracts.checks.functions import refuse_asynchronous
from dynamo_es.event_store.store import EventStore
from dynamo_es.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

    from dynamo_es.aggregates.commands import Command, CommandId
    from dynamo_es.aggregates.saving import TransactWith
    from dynamo_es.aggregates.streams import AggregateId, AggregateStream
    from dynamo_es.event_store.wrapped import Context

TAggregate = TypeVar("TAggregate", bound=Aggregate)
R = TypeVar("R")


class Repository(SeveralAggregates[TAggregate]):
    """Loads and saves the aggregates of one tenant. Safe to share between threads.

    Args:
        event_store: event store with the aggregates' streams, such as ``backend.event_store``.
        factory: returns a new aggregate, without events; usually the class itself. Leave it out if
            you give each call an aggregate or a factory.
        every: take a snapshot after a save if there are this number of events or more since the
            last one.
        snapshot_when: called after a save with the aggregate and the number of events since its
            last snapshot; returns whether to take one. Give it or ``every``, not both.
        retry_for: how long `transact` goes on trying after a conflict or a lost answer, a
            timedelta or seconds.
        consistent: whether loads include every append that succeeded before. False: loads cost
            half, but other processes' appends of the last second may be missing. This is safe: a
            decision that missed one is refused when it is saved, and `transact` goes on from the
            events in the refusal. If ``decide`` raises or emits nothing, `transact` checks whether
            the stream has newer events, and then decides again. None: as configured
            (``DynamoConfig.consistent_loads``).
        group: whether to carry out waiting `transact` calls of this process for the same aggregate
            together: up to 25 decisions share one load and one append. Each decision sees the
            events of the decisions before it. Use it for aggregates with many concurrent commands.
        sleep: called with the seconds to wait.
        monotonic: returns seconds of a clock that only goes forward.

    Raises:
        InputError: an argument is of a wrong type or out of range.
        AggregateDefinitionError: you gave ``every`` or ``snapshot_when``, but the class does not
            define ``__snapshot__``. If the factory is a function, this is raised with its first
            aggregate.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        event_store: EventStore,
        factory: Callable[[], TAggregate] | None = None,
        *,
        every: int | None = None,
        snapshot_when: Callable[[TAggregate, int], bool] | None = None,
        retry_for: timedelta | float = RETRY_FOR,
        consistent: bool | None = None,
        group: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        check_kind("event_store", event_store, EventStore)
        check_waiting(sleep, monotonic)
        self._store = event_store
        self._consistent = event_store.is_consistent(consistent)
        self._factory = factory
        self._snapshots = SnapshotPolicy(every, snapshot_when)
        opening = Opening(event_store, self._consistent, self._snapshots)
        retry_s = seconds_of("retry_for", retry_for, error=InputError)
        self._opening = opening
        self._transacting = Transacting(opening, retry_s, sleep, monotonic)
        check_kind("group", group, bool)
        self._together = Together(self._transacting) if group else None
        if isinstance(factory, type):
            self._snapshots.check(factory)
        if snapshot_when is not None:
            refuse_asynchronous(snapshot_when, "snapshot_when")
        if factory is not None:
            check_callable("factory", factory)
            refuse_asynchronous(factory, "A factory")

    @contextmanager
    def aggregate(
        self,
        id: AggregateId,  # noqa: A002 - the usual word
        aggregate: TAggregate | None = None,
        context: Context | None = None,
        *,
        transact_with: TransactWith[TAggregate] = (),
        command_id: CommandId | None = None,
    ) -> Iterator[TAggregate]:
        """Load an aggregate, and save the events that it emits in the ``with`` block.

        Args:
            id: the aggregate's id: UUID, `StreamId` or name.
            aggregate: a new aggregate, without events; None: the factory makes one.
            context: metadata for the saved events.
            transact_with: as for `save`.
            command_id: as for `save`. If the command was decided before, the block gets the
                aggregate in the state before that command, and nothing is saved.

        Yields:
            The aggregate.

        Raises:
            ConcurrentStreamWriteError: another writer was faster. The aggregate keeps its changes.

        If the block raises, nothing is saved. Other errors and the cost: see `load` and `save`.
        """
        loaded = self._opening.given(aggregate, self._factory)
        stream = self._opening.stream(id, loaded)
        command = stream.command(command_id)
        raws = stream.load(command)
        decided = None if command is None else stream.commands_in(raws).find(command)
        if decided is None:
            self._opening.replay(stream, loaded, raws)
            yield loaded
            self._save(stream, loaded, context, transact_with, command)
        else:
            self._opening.replay(stream, loaded, stream.before(raws, decided))
            yield loaded
            take_as_decided(loaded, stream, raws, decided)

    def load(
        self,
        id: AggregateId,  # noqa: A002
        aggregate: TAggregate | None = None,
        *,
        at_version: int | None = None,
        as_of: datetime | None = None,
    ) -> TAggregate:
        """Return an aggregate with the state of its stream.

        Args:
            id: the aggregate's id: UUID, `StreamId` or name.
            aggregate: a new aggregate, without events; None: the factory makes one.
            at_version: load the state at this version, inclusive, which must be the last one of a
                commit; 0: before the first event.
            as_of: load the state after the commits that were appended up to this moment, inclusive;
                a datetime with a time zone. The time of a commit is the latest ``created_at`` of
                its events.

        The load begins with the newest snapshot that is not too new. An aggregate that you loaded
        with ``at_version`` or ``as_of`` is only for reading: `save` refuses it.

        Raises:
            InputError: there is no factory, you gave both ``at_version`` and ``as_of``, the version
                is wrong, or the moment has no time zone.
            StreamGapError: also raised if the stream was deleted while its past was read.

        Other errors and the cost are those of `EventStore.load_stream`. ``at_version`` costs 2
        requests more; ``as_of`` costs 2, and 1 for each step of a binary search among the commits.
        """
        fresh = self._opening.given(aggregate, self._factory)
        stream = self._opening.stream(id, fresh)
        past = at_version is not None or as_of is not None
        raws = stream.load_past(at_version, as_of) if past else stream.load()
        self._opening.replay(stream, fresh, raws)
        fresh._past = past  # noqa: SLF001 - of its own package
        return fresh

    def save(
        self,
        id: AggregateId,  # noqa: A002
        aggregate: TAggregate,
        context: Context | None = None,
        *,
        transact_with: TransactWith[TAggregate] = (),
        command_id: CommandId | None = None,
    ) -> None:
        """Append the events that an aggregate emitted, then take a snapshot if one is due.

        Args:
            id: the aggregate's id: UUID, `StreamId` or name.
            aggregate: a loaded or a new aggregate.
            context: metadata for the saved events.
            transact_with: writes to your own tables, in the same transaction as the events; or a
                callable that takes the aggregate and returns such writes.
            command_id: id of the command that you decided on. The ids of the events derive from it.
                So a command that is delivered twice is stored once: if its events are in the stream
                already, nothing is written.

        After success, the aggregate has no changes left. After a failure, it keeps them: after an
        `AppendOutcomeUnknownError`, save it again. If the stream already had the command's events,
        the aggregate no longer matches the stream, so load it again.

        Raises:
            InputError: the aggregate no longer matches its stream, or belongs to another stream.

        Other errors and the cost: see `EventStore.append`. A snapshot costs as much as
        `EventStore.save_snapshot`. If it fails, the error is logged and not raised, because the
        events are stored.
        """
        check_kind("aggregate", aggregate, Aggregate)
        self._snapshots.check(type(aggregate))
        stream = self._opening.stream(id, aggregate)
        self._save(stream, aggregate, context, transact_with, stream.command(command_id))

    def transact(  # noqa: PLR0913 - options, each by its name
        self,
        id: AggregateId,  # noqa: A002
        decide: Callable[[TAggregate], R],
        factory: Callable[[], TAggregate] | None = None,
        *,
        attempts: int | None = None,
        context: Context | None = None,
        transact_with: TransactWith[TAggregate] = (),
        command_id: CommandId | None = None,
    ) -> R:
        """Load an aggregate, decide, and save; after a conflict, decide again on the new state.

        ``accounts.transact("ann", lambda account: account.deposit(5))``

        Args:
            id: the aggregate's id: UUID, `StreamId` or name.
            decide: called with the aggregate; calls methods that emit events. After each conflict
                it is called again, with a new aggregate, so it must have no other effects.
            factory: returns a new aggregate; None: the repository's factory.
            attempts: most attempts, 1 or more; None: as many as ``retry_for`` allows.
            context: metadata for the saved events.
            transact_with: as for `save`; a callable is called at each attempt.
            command_id: as for `save`. If the command was decided before, ``decide`` is called with
                the aggregate in the state before that command, and nothing is saved.

        Returns:
            The result of the ``decide`` call whose events were saved.

        Raises:
            ConcurrentStreamWriteError: other writers were faster at every attempt.
            AppendOutcomeUnknownError: the answer was lost at every attempt.
            CommandDecidedError: the command was decided before, but this time ``decide`` emitted
                other events. The error has the stored ones.

        A repeated command is recognized if its events come after the newest snapshot, or if it is
        one of the last 100 commands before that snapshot. A command that emitted nothing is decided
        again.

        With ``group=True``, calls that wait for the same aggregate share a load and an append.
        Another thread may run ``decide``, with your context variables. A decision that raises fails
        alone, after the events that it depends on are stored. A call with ``attempts`` or
        ``transact_with`` gets an append of its own.

        Cost: a load and an append. The first retry costs only an append if the refusal had the
        winning events; otherwise a load and an append. A repeated command costs a load, and one
        more load if a snapshot was taken after the command. After a snapshot that you saved
        yourself with `EventStore.save_snapshot`, a command costs one more load, of the whole
        stream.
        """
        check_attempts(attempts)
        check_callable("decide", decide)
        refuse_asynchronous(decide, DECIDE)
        decision = Decision(
            id,
            decide,
            factory or self._factory,
            attempts,
            context,
            kept(transact_with),
            command_id,
        )
        result: R = (
            self._transacting.carry_out(decision)
            if self._together is None
            else self._together.submit(self._store.groups, decision)
        )
        return result

    def _save(
        self,
        stream: AggregateStream,
        aggregate: TAggregate,
        context: Context | None,
        transact_with: TransactWith[TAggregate],
        command: Command | None,
    ) -> None:
        if save(stream, aggregate, context, transact_with, command):
            self._snapshots.apply(self._store, stream.id, aggregate)

"""`AsyncRepository`: scripts/async-interface writes it, from `Repository`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, overload

from dynamo_es.aggregates.repository import TAggregate
from dynamo_es.aio.interface.by_hand.repository import MakesRepository

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from dynamo_es.aggregates.aggregate import Aggregate
    from dynamo_es.aggregates.commands import CommandId
    from dynamo_es.aggregates.repository import Repository
    from dynamo_es.aggregates.saving import TransactWith
    from dynamo_es.aggregates.streams import AggregateId
    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.event_store.wrapped import Context

R = TypeVar("R")


class AsyncRepository(MakesRepository[TAggregate]):
    """Loads and saves the aggregates of one tenant; see `Repository`.

    Args are those of `Repository`: an `AsyncEventStore` is the first.
    """

    _sync: Repository[TAggregate]

    async def load(
        self,
        id: AggregateId,
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
        return await self._bridge.run(
            self._sync.load, id, aggregate, at_version=at_version, as_of=as_of
        )

    async def save(
        self,
        id: AggregateId,
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
        await self._bridge.run(
            self._sync.save,
            id,
            aggregate,
            context,
            transact_with=transact_with,
            command_id=command_id,
        )

    async def save_all(
        self,
        aggregates: Mapping[AggregateId, Aggregate],
        context: Context | None = None,
        *,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> None:
        """Append the events that several aggregates emitted: all or none.

        ``repository.save_all({"ann": ann, "bob": bob})``. An aggregate that emitted nothing is only
        checked: if its stream has changed since it was loaded, nothing is saved.

        Args:
            aggregates: the aggregates by their ids, as in `Repository.save`; their classes may
                differ.
            context: metadata for the saved events.
            transact_with: writes to your own tables, in the same transaction as the events. The
                aggregates and the writes are at most 100 together.

        Raises:
            AppendAllConflictError: one or more streams have changed; each aggregate keeps its
                changes. A single aggregate raises `ConcurrentStreamWriteError` instead, as in
                `Repository.save`.
            InputError: an aggregate no longer matches its stream, or a stream or an aggregate is
                given twice.

        Other errors and the cost: see `EventStore.append_all` and `Repository.save`. If no
        aggregate emitted anything, nothing is sent.
        """
        await self._bridge.run(
            self._sync.save_all, aggregates, context, transact_with=transact_with
        )

    @overload
    async def transact(
        self,
        id: AggregateId,
        decide: Callable[[TAggregate], Awaitable[R]],
        factory: Callable[[], TAggregate] | None = None,
        *,
        attempts: int | None = None,
        context: Context | None = None,
        transact_with: TransactWith[TAggregate] = (),
        command_id: CommandId | None = None,
    ) -> R: ...

    @overload
    async def transact(
        self,
        id: AggregateId,
        decide: Callable[[TAggregate], R],
        factory: Callable[[], TAggregate] | None = None,
        *,
        attempts: int | None = None,
        context: Context | None = None,
        transact_with: TransactWith[TAggregate] = (),
        command_id: CommandId | None = None,
    ) -> R: ...

    async def transact(  # noqa: PLR0913
        self,
        id: AggregateId,
        decide: Callable[[TAggregate], Awaitable[R]] | Callable[[TAggregate], R],
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
        call: Any = self._sync.transact
        return await self._bridge.run(
            call,
            id,
            self._plain(decide),
            factory,
            attempts=attempts,
            context=context,
            transact_with=transact_with,
            command_id=command_id,
        )

    @overload
    async def transact_all(
        self,
        ids: Sequence[AggregateId],
        decide: Callable[..., Awaitable[R]],
        factory: Callable[[], TAggregate] | None = None,
        *,
        attempts: int | None = None,
        context: Context | None = None,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> R: ...

    @overload
    async def transact_all(
        self,
        ids: Sequence[AggregateId],
        decide: Callable[..., R],
        factory: Callable[[], TAggregate] | None = None,
        *,
        attempts: int | None = None,
        context: Context | None = None,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> R: ...

    async def transact_all(
        self,
        ids: Sequence[AggregateId],
        decide: Callable[..., Awaitable[R]] | Callable[..., R],
        factory: Callable[[], TAggregate] | None = None,
        *,
        attempts: int | None = None,
        context: Context | None = None,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> R:
        """Load several aggregates, decide, and save all; after a conflict, decide again.

        ``wallets.transact_all(["ann", "bob"], lambda ann, bob: ann.send(bob, 5))``. The decision is
        based on the states of all aggregates at one moment, even of those that emit nothing.

        Args:
            ids: the ids of the aggregates.
            decide: called with the aggregates in the order of ``ids``; otherwise as in
                `Repository.transact`.
            factory: returns a new aggregate; None: the repository's factory.
            attempts: most attempts, 1 or more; None: as many as ``retry_for`` allows.
            context: metadata for the saved events.
            transact_with: as for `Repository.save_all`.

        Returns:
            The result of the ``decide`` call whose events were saved.

        Raises:
            ConcurrentStreamWriteError: other writers were faster at every attempt.
            AppendOutcomeUnknownError: the answer was lost at every attempt.

        There is no ``command_id``. To recognize a command that is delivered twice, look for its
        effects in the aggregates.

        Cost: a consistent load of each aggregate, and a `Repository.save_all`. If ``decide`` raises
        or emits nothing, also 1 request for each aggregate but the last, because they may have
        changed while the others were loaded.
        """
        call: Any = self._sync.transact_all
        return await self._bridge.run(
            call,
            ids,
            self._plain(decide),
            factory,
            attempts=attempts,
            context=context,
            transact_with=transact_with,
        )

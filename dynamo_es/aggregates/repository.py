"""Loading, saving and deciding again: aggregates and their streams."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from dynamo_es.aggregates.aggregate import Aggregate, category_of, replay
from dynamo_es.aggregates.commands import DecidedCommands
from dynamo_es.aggregates.retries import RETRY_SECONDS, Retries, check_attempts, check_seconds
from dynamo_es.aggregates.saving import append, kept, take_as_decided, writes_of
from dynamo_es.aggregates.snapshots import SnapshotPolicy
from dynamo_es.aggregates.streams import AggregateStream, stream_id_of
from dynamo_es.contracts import ANOTHER_GENERATION
from dynamo_es.contracts.checks import check_callable, check_kind
from dynamo_es.contracts.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    CommandDecidedError,
    ConcurrentStreamWriteError,
    InputError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dynamo_es.aggregates.commands import Command, CommandId, Decided
    from dynamo_es.aggregates.saving import TransactWith
    from dynamo_es.aggregates.streams import AggregateId
    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.wrapped import Context
    from dynamo_es.values import RawEvent

TAggregate = TypeVar("TAggregate", bound=Aggregate)
R = TypeVar("R")

_DECIDE: Final = "What decides"


class Repository(Generic[TAggregate]):
    """Aggregates of one tenant. Safe to share between threads.

    Args:
        event_store: where their streams are.
        factory: makes an aggregate as it is before its first event, a new one each time; mostly
            its class. `transact` needs it, or is given one.
        every: take a snapshot when a save leaves so many events or more since the last one.
        snapshot_when: called after a save with the aggregate and the number of events since
            its last snapshot; whether to take one. In the place of ``every``.
        retry_seconds: how long `transact` tries again when others are faster, or no answer comes.
        sleep: waits so many seconds.
        monotonic: seconds since any moment.

    Raises:
        InputError: an argument that is none of these.
        AggregateDefinitionError: snapshots of a class without ``__snapshot__``. A factory that
            is no class is found out when it makes the first aggregate, before anything is stored.
    """

    def __init__(  # noqa: PLR0913 - what is set, each by its name
        self,
        event_store: EventStore,
        factory: Callable[[], TAggregate] | None = None,
        *,
        every: int | None = None,
        snapshot_when: Callable[[TAggregate, int], bool] | None = None,
        retry_seconds: float = RETRY_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        check_seconds(retry_seconds)
        self._store = event_store
        self._factory = factory
        self._snapshots = SnapshotPolicy(every, snapshot_when)
        self._retry_seconds = retry_seconds
        self._sleep = sleep
        self._monotonic = monotonic
        if isinstance(factory, type):
            self._snapshots.check(factory)
        if snapshot_when is not None:
            refuse_asynchronous(snapshot_when, "What decides on snapshots")
        if factory is not None:
            refuse_asynchronous(factory, "A factory")

    @contextmanager
    def aggregate(
        self,
        id: AggregateId,  # noqa: A002 - the word that everybody has for it
        aggregate: TAggregate | None = None,
        context: Context | None = None,
        *,
        transact_with: TransactWith[TAggregate] = (),
        command_id: CommandId | None = None,
    ) -> Iterator[TAggregate]:
        """Load an aggregate, and save what it emits while the context lasts.

        Args:
            id: of the stream.
            aggregate: as it is before its first event; None: the factory makes one.
            context: metadata for what is saved.
            transact_with: as for `save`.
            command_id: as for `save`. For a command that was decided before, the aggregate is
                as it was before it, so that the body can do again what it did; nothing is saved.

        Yields:
            The aggregate.

        Raises:
            ConcurrentStreamWriteError: another one was faster; the aggregate keeps its changes.

        If the body fails, nothing is saved. The rest as `load` and `save`; so is the cost.
        """
        loaded = self._new(self._factory) if aggregate is None else self._fresh(aggregate)
        stream = self._stream(id, loaded)
        command = stream.command(command_id)
        raws = stream.load()
        decided = None if command is None else DecidedCommands(raws).find(command)
        if decided is None:
            self._replay(stream, loaded, raws)
            yield loaded
            self._save(stream, loaded, context, transact_with, command)
        else:
            self._replay(stream, loaded, stream.before(raws, decided))
            yield loaded
            take_as_decided(loaded, stream, raws, decided)

    def load(
        self,
        id: AggregateId,  # noqa: A002
        aggregate: TAggregate | None = None,
    ) -> TAggregate:
        """Return an aggregate as its stream has it, from the newest snapshot on.

        Raises and costs as `EventStore.load_stream`.
        """
        fresh = self._new(self._factory) if aggregate is None else self._fresh(aggregate)
        stream = self._stream(id, fresh)
        self._replay(stream, fresh, stream.load())
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
        """Append what an aggregate emitted, then take a snapshot if it is time for one.

        Args:
            id: of the stream.
            aggregate: loaded before, or new.
            context: metadata for what is saved.
            transact_with: writes to tables of your own that are carried out with the events or
                not at all, or a callable that makes them of the aggregate.
            command_id: what identifies the command that was decided. The ids of the events
                derive from it, so a command that is delivered twice is stored once: if its
                events are in the stream, nothing is written.

        Its changes are cleared by success and kept by failure: after an
        `AppendOutcomeUnknownError`, save it again. An aggregate that has emitted the events of a
        command twice is not what its stream is: load it again.

        Raises:
            InputError: the aggregate is not what its stream is, or was loaded from another one.

        Raises and costs as `EventStore.append`; a snapshot costs as `EventStore.save_snapshot`,
        and its failure is logged, not raised: the events are stored.
        """
        check_kind("aggregate", aggregate, Aggregate)
        self._snapshots.check(type(aggregate))
        stream = self._stream(id, aggregate)
        self._save(stream, aggregate, context, transact_with, stream.command(command_id))

    def transact(  # noqa: PLR0913 - each by its name
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
        """Load, decide, save; if another one was faster, decide again on what it left.

        Args:
            id: of the stream.
            decide: is given the aggregate and has it emit; called again, on a new one, after
                each conflict: it must not have other effects.
            factory: makes an aggregate as it is before its first event; None: the repository's.
            attempts: how often to try at most; None: as often as ``retry_seconds`` allow.
            context: metadata for what is saved.
            transact_with: as for `save`; a callable is called for each attempt.
            command_id: as for `save`. For a command that was decided before, ``decide`` is called
                on the aggregate as it was then, and nothing is saved.

        Returns:
            What ``decide`` returned when its changes were saved.

        Raises:
            ConcurrentStreamWriteError: others were faster for as long as it tried.
            AppendOutcomeUnknownError: no answer came for as long as it tried.
            CommandDecidedError: the command was decided before, and ``decide`` returned something
                for other events than those stored; the error has those.

        A command is known as long as its events are after the newest snapshot, or it is among the
        latest 100 commands up to the snapshot. One that emitted nothing is decided again.

        Cost: a load and an append; after the first conflict an append only, if the refusal shows
        what was faster, else both again. A repeated command costs a load, and one more where
        there is a snapshot after it.
        """
        check_attempts(attempts)
        check_callable("decide", decide)
        refuse_asynchronous(decide, _DECIDE)
        transact_with = kept(transact_with)
        retries = Retries(self._retry_seconds, attempts, self._monotonic, self._sleep)
        raws: list[RawEvent] | None = None
        while True:
            aggregate = self._new(factory or self._factory)
            stream = self._stream(id, aggregate)
            command = stream.command(command_id)
            raws = stream.load() if raws is None else raws
            decided = None if command is None else DecidedCommands(raws).find(command)
            if command is not None and decided is not None:
                return self._repeat(stream, aggregate, decide, raws, command, decided)
            self._replay(stream, aggregate, raws)
            result = decide(aggregate)
            refuse_unfinished(result, decide, _DECIDE)
            writes = writes_of(transact_with, aggregate)
            try:
                stored = self._append_surely(stream, aggregate, context, writes, command, retries)
            except ConcurrentStreamWriteError as refused:
                waited = retries.wait_or_raise(refused)
                raws = stream.follow(raws, () if waited else refused.winning)
                continue
            if stored:
                self._snapshots.apply(self._store, stream.id, aggregate)
                return result
            raws = None  # Another run of the same command was faster: its outcome counts.

    def _repeat(
        self,
        stream: AggregateStream,
        aggregate: TAggregate,
        decide: Callable[[TAggregate], R],
        raws: list[RawEvent],
        command: Command,
        decided: Decided,
    ) -> R:
        """Return what ``decide`` returned when a command was decided first."""
        self._replay(stream, aggregate, stream.before(raws, decided))
        result = decide(aggregate)
        refuse_unfinished(result, decide, _DECIDE)
        if result is None:
            return result
        stored = stream.events_of(raws, decided)
        if aggregate.__changes__ != stored:
            raise CommandDecidedError(stream.id, command.id, decided.last, tuple(stored))
        return result

    def _save(
        self,
        stream: AggregateStream,
        aggregate: TAggregate,
        context: Context | None,
        transact_with: TransactWith[TAggregate],
        command: Command | None,
    ) -> None:
        writes = writes_of(transact_with, aggregate)
        if command is not None and aggregate._known_commands().find(command):  # noqa: SLF001
            # Decided on a state that has its events already, and applied to it once more.
            aggregate._outdated = bool(aggregate.__changes__)  # noqa: SLF001
            aggregate._pending_events().clear()  # noqa: SLF001
            return
        expected = aggregate.stored_version
        if append(stream, aggregate, context, writes, command):
            self._snapshots.apply(self._store, stream.id, aggregate)
            return
        raws = self._store.load_raw(stream.id, expected + 1)
        decided = None if command is None else DecidedCommands(raws).find(command)
        if decided is None:
            raise ConcurrentStreamWriteError(stream.id, expected, None, ANOTHER_GENERATION)
        take_as_decided(aggregate, stream, raws, decided)

    def _append_surely(
        self,
        stream: AggregateStream,
        aggregate: TAggregate,
        context: Context | None,
        writes: Sequence[EnlistedWrite],
        command: Command | None,
        retries: Retries,
    ) -> bool:
        while True:
            try:
                return append(stream, aggregate, context, writes, command)
            except AppendOutcomeUnknownError as unknown:
                retries.wait_or_raise(unknown)

    def _replay(self, stream: AggregateStream, aggregate: TAggregate, raws: list[RawEvent]) -> None:
        aggregate._stream_id = stream.id  # noqa: SLF001 - of its own package
        replay(aggregate, raws, self._store.read(raws))

    def _new(self, factory: Callable[[], TAggregate] | None) -> TAggregate:
        if factory is None:
            raise InputError(
                "What makes a new aggregate is not known: give it here, or Repository(store, "
                "Account) its factory."
            )
        check_callable("factory", factory)
        return self._fresh(factory())

    def _fresh(self, aggregate: TAggregate) -> TAggregate:
        """Return an aggregate that can be loaded into, or raise."""
        if not isinstance(aggregate, Aggregate):
            raise InputError(f"An aggregate is an object of an Aggregate class, not {aggregate!r}.")
        if not aggregate._is_new():  # noqa: SLF001
            raise InputError(
                f"This {type(aggregate).__qualname__} was loaded, or has emitted events, before: "
                "give one as it is before its first event. A factory makes a new one each time."
            )
        self._snapshots.check(type(aggregate))
        return aggregate

    def _stream(self, id: AggregateId, aggregate: Aggregate) -> AggregateStream:  # noqa: A002
        return AggregateStream(self._store, stream_id_of(id, category_of(type(aggregate))))

"""Loading, saving and deciding again: aggregates and their streams."""

from __future__ import annotations

import logging
import random
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar
from uuid import UUID

from dynamo_es.aggregates.aggregate import Aggregate, replay
from dynamo_es.contracts.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.event_store.wrapped import WrappedEvent
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    EventStoreError,
)
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.wrapped import Context

TAggregate = TypeVar("TAggregate", bound=Aggregate)
R = TypeVar("R")

AggregateId: TypeAlias = UUID | str
"""UUID of the stream (a `StreamId` or `StreamUUID` is one), or the name that derives it."""

_LOG: Final = logging.getLogger(__name__)
_LONGEST_PAUSE: Final = 1.0
_DECIDE: Final = "What decides"


class Repository(Generic[TAggregate]):
    """Aggregates of one tenant. Safe to share between threads.

    Args:
        event_store: where their streams are.
        factory: makes an aggregate as it is before its first event, mostly its class;
            `transact` needs it, or is given one.
        every: take a snapshot when a save leaves so many events or more since the last one.
        snapshot_when: called after a save with the aggregate and the number of events since
            its last snapshot; whether to take one. In the place of ``every``.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        event_store: EventStore,
        factory: Callable[[], TAggregate] | None = None,
        *,
        every: int | None = None,
        snapshot_when: Callable[[TAggregate, int], bool] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if every is not None and snapshot_when is not None:
            raise ValueError("Snapshots: give every or snapshot_when, not both.")
        if every is not None and every < 1:
            raise ValueError(f"every is {every}: give a number of events from 1.")
        self._store = event_store
        self._factory = factory
        self._snapshot_when = (
            snapshot_when if every is None else lambda _, events_since: events_since >= every
        )
        self._sleep = sleep
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
    ) -> Iterator[TAggregate]:
        """Load an aggregate, and save what it emits while the context lasts.

        Args:
            id: of the stream.
            aggregate: as it is before its first event; None: the factory makes one.
            context: metadata for what is saved.

        Yields:
            The aggregate.

        Raises:
            ConcurrentStreamWriteError: another one was faster; the aggregate keeps its changes.

        If the body fails, nothing is saved. The rest as `load` and `save`; so is the cost.
        """
        loaded = self.load(id, aggregate)
        yield loaded
        self.save(id, loaded, context)

    def load(
        self,
        id: AggregateId,  # noqa: A002
        aggregate: TAggregate | None = None,
    ) -> TAggregate:
        """Return an aggregate as its stream has it, from the newest snapshot on.

        Raises and costs as `EventStore.load_stream`.
        """
        fresh = self._new(self._factory) if aggregate is None else aggregate
        replay(fresh, self._store.load_stream(_stream_id(id, fresh)))
        return fresh

    def save(
        self,
        id: AggregateId,  # noqa: A002
        aggregate: TAggregate,
        context: Context | None = None,
    ) -> None:
        """Append what an aggregate emitted, then take a snapshot if it is time for one.

        Its changes are cleared by success and kept by failure: after an
        `AppendOutcomeUnknownError`, save it again.

        Raises and costs as `EventStore.append`; a snapshot costs as `EventStore.save_snapshot`,
        and its failure is logged, not raised: the events are stored.
        """
        pending = aggregate._pending_events()  # noqa: SLF001 - of its own room
        if not pending:
            return
        events = pending if context is None else [replace(one, context=context) for one in pending]
        stream_id = _stream_id(id, aggregate)
        self._store.append(*events, stream_id=stream_id, expected_version=aggregate.stored_version)
        aggregate._stored_version += len(pending)  # noqa: SLF001
        pending.clear()
        self._take_snapshot(stream_id, aggregate)

    def transact(
        self,
        id: AggregateId,  # noqa: A002
        decide: Callable[[TAggregate], R],
        factory: Callable[[], TAggregate] | None = None,
        *,
        attempts: int = 5,
        context: Context | None = None,
    ) -> R:
        """Load, decide, save; if another one was faster, decide again on what it left.

        Args:
            id: of the stream.
            decide: is given the aggregate and has it emit; called again, on a new one, after
                each conflict: it must not have other effects.
            factory: makes an aggregate as it is before its first event; None: the repository's.
            attempts: how often to try in all.
            context: metadata for what is saved.

        Returns:
            What ``decide`` returned when its changes were saved.

        Raises:
            ConcurrentStreamWriteError: another one was faster each time.
            AppendOutcomeUnknownError: the answer was lost each time.

        Cost: a load and an append; after a conflict an append only, if the refusal shows what
        was faster, else both again.
        """
        refuse_asynchronous(decide, _DECIDE)
        if attempts < 1:
            raise ValueError(f"attempts is {attempts}: give a number from 1.")
        history: list[WrappedEvent[Any]] | None = None
        for attempt in range(1, attempts + 1):
            aggregate = self._new(factory or self._factory)
            if history is None:
                history = self._store.load_stream(_stream_id(id, aggregate))
            replay(aggregate, history)
            decided = decide(aggregate)
            refuse_unfinished(decided, decide, _DECIDE)
            try:
                self._save_surely(id, aggregate, context, attempts)
            except ConcurrentStreamWriteError as refused:
                if attempt == attempts:
                    raise
                faster = self._store.read(refused.winning)
                history = [*history, *faster] if faster else None
                self._pause(attempt)
            else:
                return decided
        raise AssertionError("the last attempt returns or raises")

    def _save_surely(
        self,
        id: AggregateId,  # noqa: A002
        aggregate: TAggregate,
        context: Context | None,
        attempts: int,
    ) -> None:
        for attempt in range(1, attempts + 1):
            try:
                return self.save(id, aggregate, context)
            except AppendOutcomeUnknownError:
                if attempt == attempts:
                    raise
                self._pause(attempt)
        return None

    def _take_snapshot(self, stream_id: StreamId, aggregate: TAggregate) -> None:
        version = aggregate.stored_version
        since = version - aggregate._snapshot_version  # noqa: SLF001
        if self._snapshot_when is None or not self._snapshot_when(aggregate, since):
            return
        snapshot = WrappedEvent(aggregate.__snapshot__(), version)
        try:
            self._store.save_snapshot(stream_id, snapshot)
        except EventStoreError:
            _LOG.warning("No snapshot of stream %s at %s", stream_id, version, exc_info=True)
        else:
            aggregate._snapshot_version = version  # noqa: SLF001

    def _pause(self, attempt: int) -> None:
        """Wait at random, so that two do not go on hindering each other; not the first time."""
        if attempt > 1:
            self._sleep(random.uniform(0, min(0.02 * 2**attempt, _LONGEST_PAUSE)))  # noqa: S311

    def _new(self, factory: Callable[[], TAggregate] | None) -> TAggregate:
        if factory is None:
            raise TypeError(
                "What makes a new aggregate is not known: give it here, or Repository(store, "
                "Account) its factory."
            )
        return factory()


def _stream_id(id: AggregateId, aggregate: Aggregate) -> StreamId:  # noqa: A002
    if isinstance(id, str):
        return StreamId(name=id, category=aggregate.category)
    name = getattr(id, "name", None)
    return StreamId(UUID(int=id.int), name, category=aggregate.category)

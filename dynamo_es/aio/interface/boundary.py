"""`AsyncBoundary`: scripts/async-interface writes it, from `Boundary`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over
from dynamo_es.aio.interface.boundary_index import AsyncBoundaryIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from dynamo_es.aggregates.commands import CommandId
    from dynamo_es.boundaries.boundary import Boundary, C, Found
    from dynamo_es.boundaries.deciding import Decided
    from dynamo_es.boundaries.decision import Decision
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.wrapped import Context, WrappedEvent
    from dynamo_es.values import Query, RawEvent, StoredVersion, StreamId


class AsyncBoundary(Over):
    """Reads, appends and decides in a dynamic consistency boundary; see `Boundary`."""

    _sync: Boundary

    async def append(
        self,
        *events: Event | WrappedEvent[Any],
        fail_if: Query | None = None,
        after: int | None = None,
    ) -> StoredVersion:
        """Append events, unless a query matches an event that you have not seen.

        Args:
            events: one event or more, in order. All or none are stored.
            fail_if: query for the events that your decision depends on. The append is refused if it
                matches an event with a version above ``after``. None: no condition.
            after: ``head`` of the read that your decision is based on. None: you have read nothing,
                so any event that matches refuses the append.

        You can repeat an append that has ``fail_if`` or ``after``, with the same wrapped events and
        the same ``after``: events that are stored already are not stored again. An append with
        neither of them does not look for its events, so look for them yourself before you repeat
        it.

        Returns:
            The version of the last event, with its generation and whether it was stored before.

        Raises:
            BoundaryConflictError: ``fail_if`` matches events above ``after``. The error's
                ``matching`` has them in raw form; `typed` turns them into objects. If ``matching``
                is empty, the boundary has not reached ``after``: see `read`.
            InvalidEventError: there are no events, or one would load with other values or types.
            AppendOutcomeUnknownError: the answer was lost. Append the same wrapped events again;
                without ``fail_if`` and ``after``, look for them first.
            ContentionError: with ``group=True``, the appends before it took too long; nothing was
                written.

        Other errors: see `EventStore.append`.

        Cost on DynamoDB: 1 request, and 1 write unit per KB, if this process has read the boundary
        up to its head. Each faster writer costs a refused put. The second refused put and every
        third one after it also cost a read.
        """
        return await self._bridge.run(self._sync.append, *events, fail_if=fail_if, after=after)

    async def decide(
        self,
        decision: Callable[[C], Decision],
        command: C,
        *,
        command_id: CommandId | None = None,
        context: Context | None = None,
        attempts: int | None = None,
    ) -> Decided:
        """Decide on a command: read the events that the decision needs, decide, and append.

        ``courses.decide(Enrolment, Enrol(student="s1", course="c1"))``

        If another writer stored an event that a model depends on, the models get the new events,
        and the decision is made again. Other events do not matter.

        Args:
            decision: called with the command; returns a new `Decision`. Usually the class itself.
            command: the command, of any type that your decision takes.
            command_id: the id of the command, a UUID or text. A command that is delivered twice is
                decided once. The second call writes nothing and returns the events of the first,
                even if its decision or command is another: see ``Decided.repeated``.
            context: metadata for the stored events.
            attempts: most attempts, 1 or more; None: as many as ``retry_for`` allows.

        Returns:
            The events of the command, which are stored now, and the version of the last one.

        Raises:
            BoundaryConflictError: other writers were faster at every attempt.
            AppendOutcomeUnknownError: the answer was lost at every attempt.
            InputError: ``decision`` did not return a `Decision`, or returned one that has no model
                or was decided before.
            DecisionDefinitionError: with ``snapshot_every``, a model with ``__snapshot__`` has an
                attribute that cannot be part of the key of its saved states.
            Exception: the decision raised it; nothing was stored.

        If a state cannot be saved, the error is logged and the decision is still stored.

        Cost: a read and an append. Each retry costs an append, and from the third retry on also a
        read. A repeated command costs a read. A ``command_id`` costs no request. ``snapshot_every``
        costs 1 request for states that this process has not read before, and 1 for each state that
        it saves. With a ``command_id``, all events are searched for the command, so states save
        reads only with the tag index.
        """
        return await self._bridge.run(
            self._sync.decide,
            decision,
            command,
            command_id=command_id,
            context=context,
            attempts=attempts,
        )

    @property
    def index(self) -> AsyncBoundaryIndex:
        """The writer of the boundary's tag index; see ``DynamoConfig.tag_index``."""
        return AsyncBoundaryIndex(self._sync.index, self._bridge)

    async def read(
        self,
        query: Query,
        *,
        after: int | None = None,
        keep_unknown: bool = False,
    ) -> Found:
        """Return the events that match a query, and the version of the boundary.

        ::

            about = Query(types=[StudentEnrolled], tags=[Tag("course", "c1")])
            found = courses.read(about)
            courses.append(StudentEnrolled(...), fail_if=found.query, after=found.head)

        Args:
            query: selects the events. A class stands for its name, its aliases and its subclasses.
            after: leave out events up to this version, such as the ``head`` of an earlier read.
            keep_unknown: whether to return an `UnknownEvent` for an event whose name no class has.

        Raises:
            BoundaryConflictError: the boundary has not reached ``after``: it was deleted since, or
                ``after`` does not come from a read of this boundary.
            InputError: it is not a query, or a class in it is not an event class.

        Other errors are those of `EventStore.load_stream`.

        Cost on DynamoDB: 1 request for the events that this process has not read before, and 1 more
        per MB; 1 read unit per 4 KB. With ``DynamoConfig(tag_index=True)``, 4 requests for the
        events that this process does not remember.
        """
        return await self._bridge.run(
            self._sync.read, query, after=after, keep_unknown=keep_unknown
        )

    @property
    def stream_id(self) -> StreamId:
        """The stream that holds the boundary's events; `EventStore.delete_stream` deletes it."""
        return self._sync.stream_id

    def typed(
        self,
        raws: Iterable[RawEvent],
    ) -> list[WrappedEvent[Any]]:
        """Return stored events, such as ``BoundaryConflictError.matching``, as objects.

        Raises:
            InputError: it is not a list of raw events.
        """
        return self._sync.typed(raws)

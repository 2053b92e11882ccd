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
        """Append events, unless one that you have not seen matches a query.

        Args:
            events: one event or more, in order; all of them are stored or none.
            fail_if: the events that your decision depends on. The append is refused if such an
                event has a version above ``after``. None: no condition.
            after: ``head`` of the read that you decided on. None: you have read nothing, so any
                event that matches refuses the append.

        You can repeat an append that has ``fail_if`` or ``after``, with the same wrapped events and
        the same ``after``: events that are stored already are not stored again. An append without
        both does not notice that its events are stored, so look for them before you repeat it.

        Returns:
            The version of the last event, with its generation and whether it was stored before.

        Raises:
            BoundaryConflictError: events after ``after`` match ``fail_if``. They are in the error's
                ``matching``, in raw form; `typed` makes objects of them. If ``matching`` is empty,
                the boundary has not reached ``after``: see `read`.
            InvalidEventError: no events, or one that would load with other values or types.
            AppendOutcomeUnknownError: the answer was lost. Append the same wrapped events again;
                without ``fail_if`` and ``after``, look for them first.
            ContentionError: with ``group=True``, the appends before it took too long; nothing was
                written.

        Other errors: see `EventStore.append`.

        Cost on DynamoDB: 1 request, and 1 write unit per KB, if this process has read the boundary
        up to its head. Each time that another process was faster costs a refused put; the second
        time and every third one after it also cost a read.
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
        """Decide a command: read what the decision's models need, decide, and append.

        ``courses.decide(Enrolment, Enrol(student="s1", course="c1"))``

        If another writer was faster with an event that one of the models depends on, the models get
        the new events, and the decision is made again. Other events do not matter.

        Args:
            decision: called with the command; returns the `Decision`. Usually the class itself.
            command: the command, of any type that your decision takes.
            command_id: the id of the command, a UUID or text. A command that is delivered twice is
                decided once: the second call writes nothing and returns the events of the first,
                even if it has another decision or another command: see ``Decided.repeated``.
            context: metadata for the stored events.
            attempts: most attempts; None: as many as ``retry_for`` allows.

        Returns:
            The events that are stored now, and the version of the last one.

        Raises:
            BoundaryConflictError: other writers were faster at every attempt.
            AppendOutcomeUnknownError: the answer was lost at every attempt.
            InputError: not a decision, one without a model, or one that was decided before.
            DecisionDefinitionError: with ``snapshot_every``, a model with ``__snapshot__`` and an
                attribute that its saved states cannot take into account.
            Exception: what the decision raised; nothing was stored.

        Cost: a read and an append. Each retry costs an append, and a read from the third on. A
        repeated command costs a read. A ``command_id`` costs no request. ``snapshot_every`` costs 1
        request for states that this process has not asked for, and 1 for each that it saves. If a
        state cannot be saved, the error is logged, and the decision stands. With a ``command_id``,
        the command is looked for in all events, so states save reads only with the tag index.
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
        """Writes the index of the boundary's tags; see ``DynamoConfig.tag_index``."""
        return AsyncBoundaryIndex(self._sync.index, self._bridge)

    async def read(
        self,
        query: Query,
        *,
        after: int | None = None,
        keep_unknown: bool = False,
    ) -> Found:
        """Return the events that match a query, and the version up to which it looked.

        ::

            about = Query(types=[StudentEnrolled], tags=[Tag("course", "c1")])
            found = courses.read(about)
            courses.append(StudentEnrolled(...), fail_if=found.query, after=found.head)

        Args:
            query: the events wanted. A class stands for its name, its aliases and its subclasses.
            after: leave out events up to this version, such as the ``head`` of an earlier read.
            keep_unknown: return an event whose name no class has as an `UnknownEvent`.

        Raises:
            BoundaryConflictError: the boundary has not reached ``after``: it was deleted since, or
                ``after`` does not come from a read of this boundary.
            InputError: not a query, or a class in it that is not an event class.

        Errors of reading the events are those of `EventStore.load_stream`.

        Cost on DynamoDB: 1 request for what this process has not read of the boundary so far, and
        1 more per MB; 1 read unit per 4 KB. With ``DynamoConfig(tag_index=True)``, 4 requests for
        what this process does not remember.
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
        """Return stored events as objects, such as ``BoundaryConflictError.matching``.

        Raises:
            InputError: not a list of raw events.
        """
        return self._sync.typed(raws)

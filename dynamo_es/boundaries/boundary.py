"""`Boundary`: reads, appends and decides under conditions that span several things."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from dynamo_es.aggregates.retries import RETRY_FOR, Retries, check_attempts, check_waiting
from dynamo_es.boundaries.deciding import Deciding, command_tag
from dynamo_es.boundaries.decision import Decision
from dynamo_es.boundaries.indexing import BoundaryIndex
from dynamo_es.boundaries.stream import BoundaryStream
from dynamo_es.contracts import StorageStrategy
from dynamo_es.contracts.boundaries.strategy import boundary_stream, check_after
from dynamo_es.contracts.checks.arguments import (
    check_callable,
    check_count,
    check_kind,
    check_tenant,
    seconds_of,
)
from dynamo_es.contracts.checks.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.event_store.serde import Serde
from dynamo_es.exceptions import BoundaryConflictError, InputError
from dynamo_es.grouping.groups import Groups
from dynamo_es.values import DEFAULT_TENANT, Query, RawEvent, StoredVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from dynamo_es.aggregates.commands import CommandId
    from dynamo_es.boundaries.deciding import Decided
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.wrapped import Context, WrappedEvent
    from dynamo_es.values import StreamId, TenantId

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Found:
    """The events of a boundary that match a query.

    Attributes:
        query: the query, for ``fail_if``.
        events: the events, in the order of their versions.
        head: version of the boundary up to which the events are complete, inclusive, for ``after``.
    """

    query: Query
    events: Sequence[WrappedEvent[Any]]
    head: StoredVersion


class Boundary:
    """A stream of one tenant for rules that span several things. Safe to share between threads.

    ``backend.boundary("courses")`` makes one. You find its events by their types and tags. An
    append has a query for the events that its decision depends on. It is refused if such an event
    was stored after you read. The versions of a boundary put all its events into one order.

    Args:
        storage: storage of the tenant's streams.
        serde: turns events into JSON and back.
        name: name of the boundary, text of one character or more.
        tenant_id: the tenant.
        groups: the queues in which appends of this process wait for each other, to become one
            commit, such as ``event_store.groups``. None: each append is a commit of its own.
        snapshot_every: `decide` saves the state of a model again after this number of events, 1 or
            more. Only models with ``__snapshot__`` have states. None: `decide` neither saves nor
            uses states.
        retry_for: how long `decide` goes on trying after a conflict or a lost answer, a
            timedelta or seconds.
        sleep: called with the seconds to wait.
        monotonic: returns seconds of a clock that only goes forward.

    Raises:
        InputError: an argument is of a wrong type or out of range.
        InvalidStreamIdError: the name is not text or is empty, or the tenant id is not text.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        storage: StorageStrategy,
        serde: Serde,
        name: str,
        tenant_id: TenantId = DEFAULT_TENANT,
        *,
        groups: Groups | None = None,
        snapshot_every: int | None = None,
        retry_for: timedelta | float = RETRY_FOR,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        check_kind("storage", storage, StorageStrategy)
        check_kind("serde", serde, Serde)
        check_tenant(tenant_id)
        if groups is not None:
            check_kind("groups", groups, Groups)
        check_waiting(sleep, monotonic)
        if snapshot_every is not None:
            check_count("snapshot_every", snapshot_every)
        self._snapshot_every = snapshot_every
        self._stream = BoundaryStream(storage, serde, boundary_stream(name), tenant_id, groups)
        self._retry_s = seconds_of("retry_for", retry_for, error=InputError)
        self._sleep = sleep
        self._monotonic = monotonic

    @property
    def stream_id(self) -> StreamId:
        """The stream that holds the boundary's events; `EventStore.delete_stream` deletes it."""
        return self._stream.id

    @property
    def index(self) -> BoundaryIndex:
        """The writer of the boundary's tag index; see ``DynamoConfig.tag_index``."""
        return BoundaryIndex(self._stream.storage, self._stream.id)

    def read(self, query: Query, *, after: int | None = None, keep_unknown: bool = False) -> Found:
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
        check_after(after)
        found = self._stream.fetch(self._stream.resolved(query), after)
        events = self._stream.read(found.events, keep_unknown=keep_unknown)
        return Found(query, events, found.head)

    def append(
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
        query = None if fail_if is None else self._stream.resolved(fail_if, "fail_if")
        check_after(after)
        return self._stream.append(self._stream.stored_form(events), query, after)

    def typed(self, raws: Iterable[RawEvent]) -> list[WrappedEvent[Any]]:
        """Return stored events, such as ``BoundaryConflictError.matching``, as objects.

        Raises:
            InputError: it is not a list of raw events.
        """
        check_kind("raws", raws, Iterable)
        found = list(raws)
        for raw in found:
            check_kind("Each of raws", raw, RawEvent)
        return self._stream.read(found)

    def decide(
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
        check_attempts(attempts)
        _check_decision(decision)
        if context is not None:
            self._stream.serde.check_context(context, self._stream.id)
        refuse_asynchronous(decision, "decision")
        retries = Retries(self._retry_s, attempts, self._monotonic, self._sleep)
        tag = command_tag(self._stream, command_id)
        while True:
            made: Any = decision(command)
            refuse_unfinished(made, decision, "decision")
            deciding = Deciding(self._stream, made, tag, context, self._snapshot_every)
            try:
                return deciding.run(retries)
            except BoundaryConflictError as refused:
                if refused.matching:
                    raise
                retries.wait_or_raise(refused)  # the boundary was deleted, so the models begin anew


def _check_decision(decision: object) -> None:
    if isinstance(decision, Decision):
        kind = type(decision).__qualname__
        raise InputError(
            f"decision must be a class or function that makes a Decision, not a Decision: give the "
            f"class {kind}, because each attempt needs a new object."
        )
    check_callable("decision", decision)

"""`given`: the events that have happened before a test. `Outcome` has the assertions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, overload
from uuid import uuid4

from dynamo_es.aggregates.aggregate import Aggregate, category_of
from dynamo_es.aggregates.commands import DecidedCommands
from dynamo_es.aggregates.repository import Repository
from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.event_store.event import Event, Snapshot
from dynamo_es.event_store.wrapped import WrappedEvent
from dynamo_es.exceptions import InputError
from dynamo_es.memory import MemoryBackend
from dynamo_es.testing.outcome import Outcome, assert_state, decide
from dynamo_es.testing.projecting import ProjectedEvents, project
from dynamo_es.testing.snapshots import check_snapshot
from dynamo_es.values import ExplicitVersioning, RawEvent, StreamId
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamo_es.aggregates.commands import CommandId
    from dynamo_es.event_store.wrapped import Recorded

TAggregate = TypeVar("TAggregate", bound=Aggregate)
R = TypeVar("R")

_ID: Final = "given"
"""Name of the stream if a test does not give one."""


class GivenAggregate(Generic[TAggregate]):
    """An aggregate with a past. `given` makes one."""

    def __init__(
        self, factory: Callable[[], TAggregate], events: Iterable[Event | WrappedEvent[Any]]
    ) -> None:
        backend = MemoryBackend()
        self._storage = backend.storage
        self._store = backend.event_store
        self._repository = Repository(self._store, factory)
        self._stream = StreamId(name=_ID, category=category_of(type(factory())))
        self._fill(list(events))
        # Load once: if the aggregate cannot apply an event, that must not look like the command's
        # error.
        self._repository.load(self._stream)

    def when(
        self, command: Callable[[TAggregate], R], *, command_id: CommandId | None = None
    ) -> Outcome[TAggregate, R]:
        """Decide a command, as `Repository.transact` does, and store the events that it emits.

        ``.when(lambda account: account.withdraw(5))``

        If the command fails, `Outcome.raises` can check the error. All other steps raise it.

        Args:
            command: called with the aggregate; calls the methods that emit events.
            command_id: the id of the command, to test what happens if it is delivered twice.

        Raises:
            InputError: the command is not callable.
            AsynchronousFunctionError: it is asynchronous.
        """
        return decide(self._repository, self._store, self._stream, command, command_id)

    def state(self, check: Callable[[TAggregate], bool]) -> GivenAggregate[TAggregate]:
        """Assert on the state after the given events.

        ``.state(lambda account: account.balance == 5)``

        Raises:
            AssertionError: the check returned False. The text shows the state.
            InputError: the check returned neither True nor False.
        """
        assert_state(self._repository.load(self._stream), check)
        return self

    def check_snapshot(self) -> GivenAggregate[TAggregate]:
        """Assert that a snapshot keeps the whole state: store one, load from it, and compare.

        Raises:
            AssertionError: attributes differ; the text shows them.
            AggregateDefinitionError: the class has no ``__snapshot__``.
        """
        check_snapshot(self._store, self._repository, self._stream)
        return self

    def _fill(self, events: list[Event | WrappedEvent[Any]]) -> None:
        version = 0
        for event in events:
            bare = event.event if isinstance(event, WrappedEvent) else event
            check_kind("A given event", bare, Event)
            if not isinstance(bare, Snapshot):
                version = self._append(event, version)
                continue
            if version == 0:
                version = self._stand_in_for_events()
            notes = DecidedCommands().note()
            self._store.save_snapshot(self._stream, WrappedEvent(bare, version), notes=notes)

    def _append(self, event: Event | WrappedEvent[Any], version: int) -> int:
        self._store.append(event, stream_id=self._stream, expected_version=version)
        return version + 1

    def _stand_in_for_events(self) -> int:
        """Append an event that stands for those before a first snapshot; return its version."""
        before = RawEvent(uuid4(), self._stream, datetime.now(UTC), "before the snapshot", {}, {})
        self._storage.insert_events(self._stream, ExplicitVersioning(0), [before])
        return 1


class GivenEvents:
    """Events in the log, for a projection. `given` makes them."""

    def __init__(self) -> None:
        self._backend = MemoryBackend()

    def also(self, *events: Event | WrappedEvent[Any], stream: StreamId | str = _ID) -> GivenEvents:
        """Append more events, to the same or another stream.

        ``given(Opened(), stream="ann").also(Opened(), stream="bob")``

        Args:
            events: the events.
            stream: a `StreamId`, or the name of a stream without a category.

        Raises:
            InvalidEventError: an event that cannot be stored.
        """
        for event in events:
            bare = event.event if isinstance(event, WrappedEvent) else event
            check_kind("A given event", bare, Event)
        check_kind("stream", stream, (StreamId, str))
        stream_id = stream if isinstance(stream, StreamId) else StreamId(name=stream)
        store = self._backend.event_store
        version = store.version(stream_id)
        store.append(*events, stream_id=stream_id, expected_version=version or 0)
        return self

    def project(
        self,
        handler: Callable[[Recorded], object],
        rows: Callable[[], object] | None = None,
        **selection: Any,
    ) -> ProjectedEvents:
        """Run a projection over all events, as `Backend.projection` does.

        Args:
            handler: called with a `Recorded` for each event.
            rows: returns the current read model; None: the rows are the handler's results for each
                event, without None.
            selection: ``category``, ``events`` and ``keep_unknown`` of `Backend.projection`.

        Raises:
            Exception: the error that the handler raised, and those of `Backend.projection`.
        """
        return project(self._backend, handler, rows, selection)


@overload
def given(
    first: type[TAggregate], /, *events: Event | WrappedEvent[Any]
) -> GivenAggregate[TAggregate]: ...
@overload
def given(
    first: Event | WrappedEvent[Any] | Iterable[Event | WrappedEvent[Any]],
    /,
    *events: Event | WrappedEvent[Any],
    stream: StreamId | str = ...,
) -> GivenEvents: ...
@overload
def given(
    first: Callable[[], TAggregate], /, *events: Event | WrappedEvent[Any]
) -> GivenAggregate[TAggregate]: ...
def given(
    first: Any, /, *events: Event | WrappedEvent[Any], stream: StreamId | str = _ID
) -> GivenAggregate[Any] | GivenEvents:
    """Begin a test with the events that have happened before.

    ::

        (
            given(Account, Opened(owner="ann"), Deposited(amount=5))
            .when(lambda account: account.withdraw(7))
            .raises(Overdrawn)
        )
        given(Opened(owner="ann"), Deposited(amount=5)).project(count).then([5])

    Events are stored in a backend and loaded again, so an event that cannot be stored fails here.

    Args:
        first: the aggregate's class, or a function that returns a new aggregate. For a projection,
            the first event, or a list of events.
        events: the events, in order; `WrappedEvent` if you need a context. A snapshot stands for
            the events before it.
        stream: for a projection: the stream of the events, a `StreamId` or its name.

    Raises:
        InputError: an argument that is neither an event nor an aggregate.
        InvalidEventError: an event that cannot be stored.
        AggregateDefinitionError: an aggregate's class without a category.
    """
    if isinstance(first, Event | WrappedEvent):
        return GivenEvents().also(first, *events, stream=stream)
    if isinstance(first, list | tuple):
        return GivenEvents().also(*first, *events, stream=stream)
    other = isinstance(first, type) and not issubclass(first, Aggregate)
    if other or not callable(first) or not isinstance(first(), Aggregate):
        raise InputError(
            "given needs an Aggregate class, a function that returns a new aggregate, or events, "
            f"not {shown(first)}."
        )
    return GivenAggregate(first, events)

"""`Aggregate`, the base class for the aggregates of your application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from dynamo_es.aggregates.commands import DecidedCommands
from dynamo_es.contracts.checks.arguments import check_callable, check_kind
from dynamo_es.contracts.checks.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.event_store.event import Event, Snapshot
from dynamo_es.event_store.wrapped import WrappedEvent, copy_of
from dynamo_es.exceptions import AggregateDefinitionError, AsynchronousFunctionError, InputError
from dynamo_es.values import ExplicitVersioning, StoredVersion
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es.values import RawEvent, StreamId

T = TypeVar("T")

_APPLY: Final = "__apply__"
_RESTORE: Final = "__restore__"
_SNAPSHOT: Final = "__snapshot__"


class Aggregate:
    """Base class of your aggregates: the state of one stream, and methods that emit events.

    ::

        class Account(Aggregate):
            category = "account"

            def __init__(self) -> None:
                self.balance = 0

            def deposit(self, amount: int) -> None:
                if amount <= 0:
                    raise ValueError("a deposit must be above 0")
                self._emit(Deposited(amount=amount))

            def __apply__(self, event: Event) -> None:
                if isinstance(event, Deposited):
                    self.balance += event.amount

            def __snapshot__(self) -> Balance:
                return Balance(amount=self.balance)

            def __restore__(self, state: Balance) -> None:
                self.balance = state.amount

    Every class needs the category of its streams, its own or an inherited one, so that no class
    reads the streams of another. Define a base class that has no streams itself with
    ``class Base(Aggregate, abstract=True)``.

    Attributes:
        category: category of the streams of this class.

    Raises:
        AggregateDefinitionError: the class has no category, or its ``__apply__``, ``__restore__``
            or ``__snapshot__`` is asynchronous or a generator.
    """

    category: ClassVar[str | None] = None

    # Defaults of the class, because a subclass may not call super().__init__().
    _pending: list[WrappedEvent[Any]]
    _commands: DecidedCommands
    _stored_version: int = 0
    _snapshot_version: int = 0
    _stream_id: StreamId | None = None
    _generation: int | None = None
    _outdated: bool = False
    _past: bool = False
    """Whether it is the state at a past version or time, which cannot be saved."""
    _running: str | None = None
    """Name of the hook that runs now, which must not emit events."""

    def __init_subclass__(cls, *, abstract: bool = False, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not abstract:
            category_of(cls)
        _check_hooks(cls)

    def __apply__(self, event: Any, /) -> None:
        """Change the state according to the event. Never refuse it: it has happened already."""
        raise NotImplementedError(f"{type(self).__qualname__} must define __apply__(event).")

    def __snapshot__(self) -> Snapshot:
        """Return the state, for a repository that takes snapshots."""
        raise NotImplementedError(
            f"{type(self).__qualname__} must define __snapshot__() to have snapshots."
        )

    def __restore__(self, state: Any, /) -> None:
        """Take over the state of a snapshot. By default, apply it as an event."""
        self._run(_APPLY, state)

    @property
    def __changes__(self) -> list[Event]:
        """Copies of the events that were emitted and are not stored yet."""
        return [copy_of(wrapped.event) for wrapped in self._pending_events()]

    @property
    def stored_version(self) -> StoredVersion:
        """The stream's version at the last load or save, an integer with its generation.

        It is 0 if the stream does not exist.
        """
        return StoredVersion(self._stored_version, self._generation or 0)

    def _emit(self, event: Event) -> None:
        """Apply a copy of an event, and keep another copy for the next save to store.

        Raises:
            EventDefinitionError: the event cannot be copied.
            AggregateDefinitionError: ``__apply__``, ``__restore__`` or ``__snapshot__`` called this
                method.
            InputError: it is not an event. Pass the context of events to the save.
        """
        check_kind("An emitted event", event, Event)
        if self._running is not None:
            raise AggregateDefinitionError(
                f"{type(self).__qualname__}.{self._running} must not emit events: each load or "
                "snapshot would emit them again. Emit them in the method that decides."
            )
        # The state gets its own copy, because it may keep parts and change them.
        kept = copy_of(event)
        self._run(_APPLY, copy_of(event))
        # The event gets its id now, so that a second save after a failure stores nothing twice.
        self._pending_events().append(WrappedEvent(kept))

    def _take_snapshot(self) -> Snapshot:
        """Return the snapshot that the aggregate's class makes of its state."""
        state: Snapshot = self._run(_SNAPSHOT)
        return state

    def _run(self, hook: str, *given: Any) -> Any:
        """Call a hook that the class defines; raise if it returns an object that has yet to run."""
        before, self._running = self._running, hook
        try:
            returned = getattr(self, hook)(*given)
        finally:
            self._running = before
        kind = type(self)
        # The function of the class, because the repr of a bound method shows the state.
        refuse_unfinished(returned, getattr(kind, hook), f"{kind.__qualname__}.{hook}")
        return returned

    def _is_new(self) -> bool:
        """Return whether the aggregate has no events, neither loaded nor emitted."""
        return not (self._stored_version or self._outdated or self._past or self._pending_events())

    def _versioning(self) -> ExplicitVersioning:
        """Return the version that the next append expects."""
        return ExplicitVersioning(
            self._stored_version, self._generation if self._stored_version else None
        )

    def _stored(
        self,
        events: Sequence[WrappedEvent[Any]],
        version: StoredVersion | None,
        *,
        of_command: bool,
    ) -> None:
        """Record that the emitted events are stored, up to a version."""
        first = self._stored_version + 1
        if of_command:
            for number, one in enumerate(events, first):
                self._known_commands().add(one.uuid, number)
        self._stored_version += len(events)
        if version is not None:
            self._generation = version.generation
        self._pending_events().clear()

    def _known_commands(self) -> DecidedCommands:
        if "_commands" not in self.__dict__:
            self._commands = DecidedCommands()
        return self._commands

    def _pending_events(self) -> list[WrappedEvent[Any]]:
        if "_pending" not in self.__dict__:
            self._pending = []
        return self._pending


def category_of(kind: type[Aggregate]) -> str:
    """Return the category of a class's streams.

    Raises:
        AggregateDefinitionError: the class has no category.
    """
    category = kind.category
    if not isinstance(category, str):
        raise AggregateDefinitionError(
            f"{kind.__qualname__}.category must be text, not {shown(category)}: set the "
            "category of its streams. Define a base class without streams with abstract=True."
        )
    return category


def made_by(factory: Callable[[], T] | None) -> T:
    """Return a new object from a factory.

    Raises:
        InputError: there is no factory, or it is not callable.
    """
    if factory is None:
        raise InputError(
            "No factory for new aggregates: pass one here or to Repository(store, Account)."
        )
    check_callable("factory", factory)
    return factory()


def check_new(aggregate: Aggregate) -> None:
    """Raise `InputError` unless a value is a new aggregate, without events."""
    if not isinstance(aggregate, Aggregate):
        raise InputError(
            f"aggregate must be an object of an Aggregate class, not {type(aggregate).__name__}."
        )
    if not aggregate._is_new():  # noqa: SLF001 - of its own package
        raise InputError(
            f"This {type(aggregate).__qualname__} was loaded before, or has emitted events: "
            "give a new one. A factory must return a new aggregate at each call."
        )


def _check_hooks(kind: type[Aggregate]) -> None:
    for hook in (_APPLY, _RESTORE, _SNAPSHOT):
        try:
            refuse_asynchronous(getattr(kind, hook), f"{kind.__qualname__}.{hook}")
        except AsynchronousFunctionError as error:
            raise AggregateDefinitionError(str(error)) from None


def replay(
    aggregate: Aggregate,
    commands: DecidedCommands,
    raws: Sequence[RawEvent],
    history: Sequence[WrappedEvent[Any]],
) -> None:
    """Bring a new aggregate to the state after the events of its stream.

    Args:
        aggregate: a new aggregate, without events.
        commands: the commands in the stored events.
        raws: the stored events, or the newest snapshot and the events after it.
        history: the same events as new objects, which the aggregate may keep and change.
    """
    aggregate._commands = commands  # noqa: SLF001 - of its own package
    if raws:
        aggregate._generation = raws[-1].generation  # noqa: SLF001
    for wrapped in history:
        if isinstance(wrapped.event, Snapshot):
            aggregate._run(_RESTORE, wrapped.event)  # noqa: SLF001
            aggregate._snapshot_version = wrapped.version or 0  # noqa: SLF001
        else:
            aggregate._run(_APPLY, wrapped.event)  # noqa: SLF001
        aggregate._stored_version = wrapped.version or 0  # noqa: SLF001

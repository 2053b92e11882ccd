"""Events with their metadata, from a stream and from the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, TypeAlias, TypeVar, cast
from uuid import UUID, uuid4

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import to_json

from dynamo_es.event_store.event import Event
from dynamo_es.exceptions import EventDefinitionError, InputError
from dynamo_es.values import DEFAULT_TENANT
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.values import Position, StreamId, TenantId


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, UUID) else value


_Id: TypeAlias = Annotated[str | None, BeforeValidator(_as_text)]


class Context(BaseModel):
    """Metadata of an event: two ids, and fields of your own.

    ``Context(correlation_id=request_id, user="ann")``. Field names that begin with ``$`` are
    reserved for the library. The two ids are text, such as a trace id of AWS X-Ray; a UUID is
    turned into text.

    Attributes:
        correlation_id: id that related events share, such as the id of the first request.
        causation_id: id of the event or command that caused the event.
    """

    model_config = ConfigDict(extra="allow", frozen=True, ser_json_inf_nan="constants")

    correlation_id: _Id = None
    causation_id: _Id = None

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            correlation_id: str | UUID | None = None,
            causation_id: str | UUID | None = None,
            **fields: Any,
        ) -> None: ...


EMPTY_CONTEXT: Final = Context()

_IDS: Final = ("correlation_id", "causation_id")


def context_of(stored: dict[str, Any]) -> Context:
    """Return a stored context without the library's own fields.

    Other programs may have stored ids of any type; an id that is not text is turned into JSON text.
    """
    if not stored:
        return EMPTY_CONTEXT
    fields = {name: value for name, value in stored.items() if not name.startswith("$")}
    for name in _IDS:
        value = fields.get(name)
        if value is not None and not isinstance(value, str):
            fields[name] = to_json(value).decode()
    return Context(**fields) if fields else EMPTY_CONTEXT


def copy_of(event: Event) -> Event:
    """Return a deep copy of an event.

    Raises:
        EventDefinitionError: a value in the event cannot be copied.
    """
    if not isinstance(event, Event):
        return event  # not an event: the append refuses it
    try:
        return event.model_copy(deep=True)
    except Exception as error:  # noqa: BLE001 - a field's own __deepcopy__ may raise anything
        reason = type(error).__name__
    raise EventDefinitionError(
        f"{type(event).__qualname__} cannot be copied ({reason}), so a change of the applied event "
        "would change the stored one: let its fields hold plain values only."
    )


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """A stored event that has no class in this process, with its stored data.

    Attributes:
        name: stored name of the event.
        data: stored data of the event, JSON.
    """

    name: str
    data: dict[str, Any]


def now() -> datetime:
    """Return the time for a new event, in UTC. The testing kit's frozen clock replaces it."""
    return datetime.now(UTC)


TEvent = TypeVar("TEvent", bound=Event | UnknownEvent)
TWrapped = TypeVar("TWrapped", bound=Event | UnknownEvent)
TContext = TypeVar("TContext", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class WrappedEvent(Generic[TEvent]):
    """An event and its metadata.

    Attributes:
        event: the event.
        version: place in the stream, 1-based. None in a stream without versions, and before the
            append, which sets it.
        uuid: id of the event; appending it again at the same version succeeds and writes nothing.
        created_at: when the event was made; the default is the present time, UTC.
        context: ids and fields of your own.
        generation: generation of the stream, 1 or more; None before the append. ``==`` ignores it.
    """

    event: TEvent
    version: int | None = None
    uuid: UUID = field(default_factory=uuid4)
    created_at: datetime = field(default_factory=lambda: now())  # noqa: PLW0108 - it may be replaced
    context: Context = EMPTY_CONTEXT
    generation: int | None = field(default=None, compare=False)

    @classmethod
    def wrap(
        cls, event: TWrapped, version: int | None = None, context: Context | None = None
    ) -> WrappedEvent[TWrapped]:
        """Return an event with a new id and the present time.

        ``WrappedEvent.wrap(Deposited(amount=5), context=Context(user="ann"))``
        """
        given = EMPTY_CONTEXT if context is None else context
        return WrappedEvent(event, version, context=given)

    def get_context(self, context_type: type[TContext]) -> TContext:
        """Return the context as an object of your own model.

        Raises:
            InputError: the argument is not a pydantic model class.
            pydantic.ValidationError: the context does not fit the model.
        """
        if not (isinstance(context_type, type) and issubclass(context_type, BaseModel)):
            raise InputError(
                "context_type must be a class derived from pydantic.BaseModel, not "
                f"{shown(context_type)}."
            )
        return context_type.model_validate(self.context.model_dump())


def wrap_all(events: Iterable[Event | WrappedEvent[Any]]) -> list[WrappedEvent[Any]]:
    """Wrap the events that are not wrapped; each gets a new id and the present time."""
    return [event if isinstance(event, WrappedEvent) else WrappedEvent(event) for event in events]


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the log.

    Attributes:
        wrapped_event: the event with its metadata.
        stream_id: stream of the event.
        position: place in the log of all streams and tenants, 1-based; 0: unknown, because the
            event comes from the events table's stream.
        tenant_id: tenant of the event.
        generation: generation of the stream, 1 or more; 0: unknown. A stream that was deleted and
            created again has a higher one.
        replayed: whether another version of the projection handles the event too, or has handled
            it. Then leave out side effects, such as mail. See `Backend.projection`.
    """

    wrapped_event: WrappedEvent[Any]
    stream_id: StreamId
    position: Position
    tenant_id: TenantId = DEFAULT_TENANT
    generation: int = 0
    replayed: bool = False


# Faster than the frozen constructors, as `values.new_records` explains.


class _NewWrappedEvent(Generic[TEvent]):
    __slots__ = WrappedEvent.__slots__

    def __init__(
        self,
        event: TEvent,
        version: int | None,
        uuid: UUID,
        created_at: datetime,
        context: Context,
        generation: int | None,
    ) -> None:
        self.event = event
        self.version = version
        self.uuid = uuid
        self.created_at = created_at
        self.context = context
        self.generation = generation
        self.__class__ = WrappedEvent  # type: ignore[assignment]


class _NewRecorded:
    __slots__ = Recorded.__slots__

    def __init__(
        self,
        wrapped_event: WrappedEvent[Any],
        stream_id: StreamId,
        position: Position,
        tenant_id: TenantId,
        generation: int,
        replayed: bool,  # noqa: FBT001 - as the field of `Recorded`
    ) -> None:
        self.wrapped_event = wrapped_event
        self.stream_id = stream_id
        self.position = position
        self.tenant_id = tenant_id
        self.generation = generation
        self.replayed = replayed
        self.__class__ = Recorded  # type: ignore[assignment]


new_wrapped_event: Final = cast("type[WrappedEvent[Any]]", _NewWrappedEvent)
"""Makes a `WrappedEvent` from all its fields, in order, in a quarter of the constructor's time."""

new_recorded: Final = cast("type[Recorded]", _NewRecorded)
"""Makes a `Recorded` from all its fields, in order, in a third of the constructor's time."""

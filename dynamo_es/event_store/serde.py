"""`Serde`: turns typed events into their stored form and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from pydantic_core import to_json

from dynamo_es.contracts.error_texts import redacted
from dynamo_es.event_store.comparison import has_changing_offset
from dynamo_es.event_store.event import Event
from dynamo_es.event_store.proof import prove_context, prove_event
from dynamo_es.event_store.tags import tags_of_event
from dynamo_es.event_store.upcasting import upcast
from dynamo_es.event_store.validation_errors import describe_validation_error
from dynamo_es.event_store.wrapped import (
    EMPTY_CONTEXT,
    Context,
    Recorded,
    UnknownEvent,
    WrappedEvent,
    context_of,
    new_recorded,
    new_wrapped_event,
)
from dynamo_es.exceptions import (
    InputError,
    InvalidEventError,
    UnknownEventError,
    UnreadableEventError,
)
from dynamo_es.values import RawEvent
from dynamo_es.values.queries import TAGS_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.event_store.encryption.service import Encryption
    from dynamo_es.event_store.event import Json
    from dynamo_es.event_store.registry import EventKind, EventRegistry
    from dynamo_es.values import RecordedRaw, StreamId

SCHEMA: Final = "$schema"
"""Key in a stored context with the event's schema version; left out for version 1."""
ENCRYPTED: Final = "$encrypted"
"""Key in a stored context with the notes that say which fields are encrypted, and for whom."""


class Serde:
    """Turns events into JSON and back, and upcasts events of old schema versions.

    Args:
        registry: finds the event classes.
        encryption: encrypts the fields marked `Encrypted`.
    """

    def __init__(self, registry: EventRegistry, encryption: Encryption) -> None:
        self.registry = registry
        self.encryption = encryption

    def for_estimates(self) -> Serde:
        """Return a serde that makes stored forms of the same size, but never requests a key."""
        return Serde(self.registry, self.encryption.with_throwaway_keys())

    def serialize(self, wrapped: WrappedEvent[Any], stream_id: StreamId) -> RawEvent:
        """Return the stored form of an event; see `serialize_all`."""
        return self.serialize_all([wrapped], stream_id)[0]

    def serialize_all(
        self, events: Iterable[WrappedEvent[Any]], stream_id: StreamId
    ) -> list[RawEvent]:
        """Return the stored form of events, in the present schema of their classes.

        It first checks that every event would load as the same, and only then encrypts: to encrypt
        may store a new key.

        Raises:
            InvalidEventError: an event would load with other values or types; the message names the
                event and the field.
            EventDefinitionError: events of a class could not be stored or loaded.
            EventStoreError: an error of `Encryption.encrypt`.
        """
        proved = [(wrapped, *self._proved(wrapped, stream_id)) for wrapped in events]
        return [self._sealed(*one, stream_id) for one in proved]

    def _proved(
        self, wrapped: WrappedEvent[Any], stream_id: StreamId
    ) -> tuple[EventKind, Json, Json]:
        event = wrapped.event
        if not isinstance(event, Event):
            raise InvalidEventError(stream_id, _no_event(event))
        if has_changing_offset(wrapped.created_at):
            raise InvalidEventError(
                stream_id,
                "created_at has a time zone whose offset changes, but only the offset is stored: "
                "convert it with .astimezone(UTC).",
            )
        kind = self.registry.kind_of(type(event))
        data, problem = prove_event(kind, event, describe_validation_error)
        if problem is not None:
            raise InvalidEventError(stream_id, f"{kind.name}: {problem}")
        context = self._stored_context(wrapped.context, stream_id)
        if kind.tags:
            try:
                tags = tags_of_event(event, kind.tags)
            except InputError as error:
                raise InvalidEventError(stream_id, f"{kind.name}: {error}") from None
            if tags:
                context[TAGS_KEY] = tags
        return kind, data, context

    def _sealed(
        self,
        wrapped: WrappedEvent[Any],
        kind: EventKind,
        data: Json,
        context: Json,
        stream_id: StreamId,
    ) -> RawEvent:
        data, notes = self.encryption.encrypt(wrapped.event, data, stream_id, wrapped.uuid)
        if kind.schema_version > 1:
            context[SCHEMA] = kind.schema_version
        if notes:
            context[ENCRYPTED] = notes
        return RawEvent(
            wrapped.uuid,
            stream_id,
            wrapped.created_at,
            kind.name,
            data,
            context,
            None if wrapped.version is None else int(wrapped.version),
            wrapped.generation,
        )

    def deserialize(self, raw: RawEvent, *, keep_unknown: bool = False) -> WrappedEvent[Any]:
        """Return a stored event as an object of its class; see `deserialize_all`."""
        return self.deserialize_all([raw], keep_unknown=keep_unknown)[0]

    def deserialize_all(
        self, raws: Iterable[RawEvent], *, keep_unknown: bool = False
    ) -> list[WrappedEvent[Any]]:
        """Return stored events as objects of their classes, upcast to the present schema.

        Args:
            raws: the events.
            keep_unknown: whether to return an `UnknownEvent` for an event whose name no class has;
                its encrypted fields stay encrypted.

        Raises:
            UnknownEventError: no class has the name of an event.
            NewerSchemaError: a class here is older than a stored event.
            UnreadableEventError: the data does not fit the class, or an upcaster failed.
        """
        keys = self.encryption.reading()
        found = []
        for raw in raws:
            kind = self.registry.kind_named(raw.name)
            context = raw.context
            if not isinstance(context, dict):
                raise UnreadableEventError(
                    raw.stream_id,
                    raw.version,
                    raw.name,
                    "its context is not a JSON object: this library did not write it.",
                )
            event: Event | UnknownEvent
            if kind is not None:
                data = raw.data
                if context and ENCRYPTED in context:
                    data = self.encryption.decrypt(
                        data,
                        context[ENCRYPTED],
                        raw.stream_id,
                        raw.uuid,
                        event_type=kind.event_class,
                        keys=keys,
                    )
                event = _load(kind, raw, data)
            elif keep_unknown:
                # Its fields stay encrypted, because only its class could say which ones are secret.
                event = UnknownEvent(raw.name, raw.data)
            else:
                raise UnknownEventError(raw.stream_id, raw.version, raw.name)
            found.append(
                new_wrapped_event(
                    event,
                    raw.version,
                    raw.uuid,
                    raw.created_at,
                    context_of(context),
                    raw.generation,
                )
            )
        return found

    def deserialize_record(self, record: RecordedRaw, *, keep_unknown: bool = False) -> Recorded:
        """Return an event of the log as an object of its class; see `deserialize_all`."""
        return new_recorded(
            self.deserialize(record.entry, keep_unknown=keep_unknown),
            record.entry.stream_id,
            record.position,
            record.tenant_id,
            record.generation,
            False,  # noqa: FBT003 - `replayed`
        )

    def is_outdated_snapshot(self, raw: RawEvent) -> bool:
        """Return whether a stored event may be a snapshot that its class cannot load any more."""
        kind = self.registry.kind_named(raw.name)
        if kind is None:
            # Without a class, this is an event or a snapshot, and only a second read shows which.
            return raw.version is not None
        return kind.is_snapshot and _schema_version(raw) != kind.schema_version

    def check_context(self, context: Context, stream_id: StreamId) -> None:
        """Raise `InvalidEventError` unless a context can be stored with events of a stream."""
        self._stored_context(context, stream_id)

    def _stored_context(self, context: Context, stream_id: StreamId) -> Json:
        if context is EMPTY_CONTEXT:
            return {}
        if type(context) is not Context:
            raise InvalidEventError(
                stream_id,
                f"the context is of type {type(context).__name__}, but would load as Context: give "
                "a dynamo_es.Context, and load it as a class of your own with get_context.",
            )
        self.encryption.refuse_marked_context(context)
        if reserved := [name for name in context.model_extra or {} if name.startswith("$")]:
            raise InvalidEventError(
                stream_id,
                f"the context has a field {reserved[0]!r}: names with $ are for the library.",
            )
        stored, problem = prove_context(context, context_of)
        if problem is not None:
            raise InvalidEventError(stream_id, f"the context: {problem}")
        return stored


def _no_event(given: object) -> str:
    """Return a message about an object that was given in place of an event, without its value."""
    if given is None:
        return "None is not an event: give an event, or leave it out."
    if isinstance(given, type):
        return f"{given.__qualname__} is a class: give an event, such as {given.__qualname__}(…)."
    kind = type(given).__name__
    if isinstance(given, list | tuple | set | frozenset) or hasattr(given, "__next__"):
        return f"{kind} is not an event: give the events one by one, as in append(*events)."
    return f"{kind} is not an event class: derive it from dynamo_es.Event."


def _load(kind: EventKind, raw: RawEvent, data: Json) -> Event:
    stored = _schema_version(raw)
    if stored is None:
        raise UnreadableEventError(
            raw.stream_id,
            raw.version,
            raw.name,
            f"its {SCHEMA} must be an integer of 1 or more: this library writes no other.",
        )
    if stored != kind.schema_version:
        data = upcast(raw, data, stored, kind.schema_version, kind.upcasters)
    try:
        # From JSON text, because only then pydantic turns text into dates and bytes.
        event: Event = kind.validator.validate_json(to_json(data))
    except ValidationError as error:
        refused = redacted(error, describe_validation_error(error, kind.event_class))
    except Exception as error:  # noqa: BLE001 - an application's validator may raise anything
        refused = redacted(error)
    else:
        return event
    # After the handlers, so that the error that quotes the event is not chained.
    raise UnreadableEventError(
        raw.stream_id,
        raw.version,
        raw.name,
        f"its data does not fit {kind.event_class.__qualname__}: {refused}. "
        "If the class was changed, raise its __schema_version__ and add an upcaster.",
    ) from refused


def _schema_version(raw: RawEvent) -> int | None:
    """Return the schema version of a stored event; None if the context has no such number."""
    version = raw.context.get(SCHEMA, 1)
    return version if type(version) is int and version >= 1 else None

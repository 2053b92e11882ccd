"""Between typed events and what a storage keeps of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from dynamo_es.event_store.event import Event
from dynamo_es.event_store.wrapped import (
    EMPTY_CONTEXT,
    Context,
    Recorded,
    UnknownEvent,
    WrappedEvent,
)
from dynamo_es.exceptions import (
    InvalidEventError,
    NewerSchemaError,
    UnknownEventError,
    UnreadableEventError,
)
from dynamo_es.values import RawEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.event_store.encryption.service import Encryption
    from dynamo_es.event_store.event import Json
    from dynamo_es.event_store.registry import EventKind, EventRegistry
    from dynamo_es.values import RecordedRaw, StreamId

SCHEMA: Final = "$schema"
"""Key of a stored context: schema version of the event; left out where it is 1."""
ENCRYPTED: Final = "$encrypted"
"""Key of a stored context: which fields are encrypted, and for whom."""


class Serde:
    """Turns events into JSON and back, lifting old schemas on the way.

    Args:
        registry: names of the event classes.
        encryption: of the fields marked `Encrypted`.
    """

    def __init__(self, registry: EventRegistry, encryption: Encryption) -> None:
        self.registry = registry
        self.encryption = encryption

    def serialize(self, wrapped: WrappedEvent[Any], stream_id: StreamId) -> RawEvent:
        """Return an event as it is stored, always of its class's present schema.

        Raises:
            InvalidEventError: what would be stored could not be loaded again; names the event
                and its fields.
            EventDefinitionError: the class cannot be stored as it is defined.
        """
        event = wrapped.event
        if not isinstance(event, Event):
            raise InvalidEventError(
                stream_id,
                f"{type(event).__name__} is no event: derive its class from dynamo_es.Event.",
            )
        kind = self.registry.kind_of(type(event))
        try:
            text = kind.serializer.to_json(event, by_alias=True, round_trip=True, warnings=False)
            # What was changed or built without validation must not become unreadable history.
            kind.validator.validate_json(text)
        except ValidationError as error:
            raise InvalidEventError(stream_id, f"{kind.name}: {_fields(error)}.") from error
        except PydanticSerializationError as error:
            raise InvalidEventError(stream_id, f"{kind.name}: {error}.") from error
        data: Json = from_json(text)
        context = self._stored_context(wrapped.context, stream_id)
        data, notes = self.encryption.encrypt(event, data, stream_id, wrapped.uuid)
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
            wrapped.version,
        )

    def deserialize(self, raw: RawEvent, *, keep_unknown: bool = False) -> WrappedEvent[Any]:
        """Return a stored event as an object of its class; see `deserialize_all`."""
        return self.deserialize_all([raw], keep_unknown=keep_unknown)[0]

    def deserialize_all(
        self, raws: Iterable[RawEvent], *, keep_unknown: bool = False
    ) -> list[WrappedEvent[Any]]:
        """Return stored events as objects of their classes, of the present schema.

        Args:
            raws: the events.
            keep_unknown: return an event whose name no class has as an `UnknownEvent`.

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
            data = raw.data
            if context and ENCRYPTED in context:
                data = self.encryption.decrypt(
                    data,
                    context[ENCRYPTED],
                    raw.stream_id,
                    raw.uuid,
                    event_type=None if kind is None else kind.event_class,
                    keys=keys,
                )
            event: Event | UnknownEvent
            if kind is not None:
                event = _load(kind, raw, data)
            elif keep_unknown:
                event = UnknownEvent(raw.name, data)
            else:
                raise UnknownEventError(raw.stream_id, raw.version, raw.name)
            found.append(
                WrappedEvent(event, raw.version, raw.uuid, raw.created_at, _context(context))
            )
        return found

    def deserialize_record(self, record: RecordedRaw, *, keep_unknown: bool = False) -> Recorded:
        """Return an event of the log as an object of its class; see `deserialize_all`."""
        return Recorded(
            self.deserialize(record.entry, keep_unknown=keep_unknown),
            record.entry.stream_id,
            record.position,
            record.tenant_id,
            record.generation,
        )

    def is_outdated_snapshot(self, raw: RawEvent) -> bool:
        """Whether what was loaded first is a snapshot that its class cannot take any more."""
        kind = self.registry.kind_named(raw.name)
        if kind is None:
            # An event or a snapshot: at version 1 nothing else tells.
            return raw.version is not None
        return kind.is_snapshot and _schema_version(raw) != kind.schema_version

    def _stored_context(self, context: Context, stream_id: StreamId) -> Json:
        if context is EMPTY_CONTEXT:
            return {}
        stored = context.model_dump(mode="json", exclude_none=True)
        if reserved := [name for name in stored if name.startswith("$")]:
            raise InvalidEventError(
                stream_id, f"the context has a field {reserved[0]!r}: names with $ are the store's."
            )
        return stored


def _load(kind: EventKind, raw: RawEvent, data: Json) -> Event:
    stored = _schema_version(raw)
    if stored != kind.schema_version:
        data = _upcast(kind, raw, data, stored)
    try:
        # As JSON: only then do strings become dates, and bytes what they were.
        event: Event = kind.validator.validate_json(to_json(data))
    except ValidationError as error:
        raise UnreadableEventError(
            raw.stream_id,
            raw.version,
            raw.name,
            f"its data does not fit {kind.event_class.__qualname__}: {_fields(error)}. "
            "If the class was changed, raise its __schema_version__ and add an upcaster.",
        ) from error
    return event


def _upcast(kind: EventKind, raw: RawEvent, data: Json, stored: int) -> Json:
    if stored > kind.schema_version:
        raise NewerSchemaError(
            raw.stream_id, raw.version, raw.name, stored=stored, known=kind.schema_version
        )
    lifted: Json = from_json(to_json(data))
    for version in range(stored, kind.schema_version):
        try:
            lifted = kind.upcasters[version](lifted)
        except Exception as error:
            raise UnreadableEventError(
                raw.stream_id,
                raw.version,
                raw.name,
                f"its upcaster from schema version {version} failed: "
                f"{type(error).__name__}: {error}.",
            ) from error
        if not isinstance(lifted, dict):
            raise UnreadableEventError(
                raw.stream_id,
                raw.version,
                raw.name,
                f"its upcaster from schema version {version} returned "
                f"{type(lifted).__name__}, not a dict.",
            )
    return lifted


def _schema_version(raw: RawEvent) -> int:
    version: int = raw.context.get(SCHEMA, 1)
    return version


def _context(stored: Json) -> Context:
    if not stored:
        return EMPTY_CONTEXT
    fields = {name: value for name, value in stored.items() if not name.startswith("$")}
    return Context(**fields) if fields else EMPTY_CONTEXT


def _fields(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, found['loc'])) or 'the event'}: {found['msg']}"
        for found in error.errors(include_url=False)
    )

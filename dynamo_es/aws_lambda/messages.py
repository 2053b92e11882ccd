"""Turns events into messages of one documented shape, and messages back into events.

A message is the stored event in JSON:

.. code-block:: json

    {"id": "018f0000-0000-7000-8000-000000000001", "name": "account.deposited",
     "stream": {"tenant": "acme", "category": "account", "uuid": "…", "name": "ann"},
     "generation": 1769860800000000, "version": 3, "position": 17,
     "at": "2026-01-31T12:00:00+00:00", "schema_version": 1,
     "data": {"amount": 5}, "context": {"user": "ann"}}

The shape does not depend on the event class. So a publisher needs no classes, and can publish
events of other releases. ``schema_version`` is the schema version of ``data``. Encrypted fields
stay encrypted. Keys of the context that begin with ``$`` belong to the store: they name the
encrypted fields and their data subjects.

A consumer that has the event classes loads a message into its class, in the current schema::

    def handler(event, _):
        for record in event["Records"]:               # an SQS batch
            recorded = load_message(backend, record["body"])

If the consumer may read the keys, encrypted fields are decrypted; shredded fields are masked.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self, TypeAlias
from uuid import UUID

from dynamo_es.contracts import KeyStorageStrategy
from dynamo_es.exceptions import InvalidMessageError, PublishingError
from dynamo_es.values import RawEvent, RecordedRaw, StreamId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamo_es.event_store.serde import Serde
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.facade.backend import Backend

Message: TypeAlias = dict[str, Any]

_SCHEMA: Final = "$schema"

_UNSENDABLE: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")
"""Characters that queues and topics refuse. A message has their JSON escapes instead."""


def message_of(record: RecordedRaw) -> Message:
    """Return the message of a stored event, in the documented shape.

    Raises:
        PublishingError: another program wrote the event, and its data or context is not a JSON
            object.
    """
    raw = record.entry
    if not isinstance(raw.context, dict) or not isinstance(raw.data, dict):
        raise PublishingError(
            f"The data or context of event {raw.uuid} is not a JSON object, so this library did "
            "not write it and no class can load it. Keep it out of the outbox."
        )
    stream = raw.stream_id
    return {
        "id": str(raw.uuid),
        "name": raw.name,
        "stream": {
            "tenant": record.tenant_id,
            "category": stream.category,
            "uuid": str(stream),
            "name": stream.name,
        },
        "generation": record.generation,
        "version": raw.version,
        "position": record.position,
        "at": raw.created_at.isoformat(),
        "schema_version": raw.context.get(_SCHEMA, 1),
        "data": raw.data,
        "context": {name: value for name, value in raw.context.items() if name != _SCHEMA},
    }


def text_of(message: Message) -> str:
    """Return a message as text that EventBridge, SNS and SQS accept for every event."""
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
    return _UNSENDABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def load_message(
    backend: Backend, message: str | bytes | Mapping[str, Any], *, keep_unknown: bool = False
) -> Recorded:
    """Return a published event as an object of its class, in the current schema.

    Args:
        backend: knows the event classes and the keys of encrypted fields; from
            `Backend.in_tenant`, takes messages of that tenant only.
        message: the body of an SQS record, the ``Message`` of an SNS record, or the ``detail`` of
            an EventBridge event.
        keep_unknown: return an event whose name no class has as an `UnknownEvent`.

    Raises:
        InvalidMessageError: not a message of this library, or one of another tenant.
        UnreadableEventError: an event that does not fit its class; also `UnknownEventError` and
            `NewerSchemaError`.
        DecryptionError: an encrypted field that was altered.
        ServiceError: AWS refused or did not answer while a key was read.

    Cost: 1 request for each data subject whose key this process does not remember; none without
    encrypted fields.
    """
    record = read_message(message)
    tenant = backend.select().tenant_id
    if tenant is not None and record.tenant_id != tenant:
        raise InvalidMessageError(
            f"The message belongs to tenant {record.tenant_id!r}, but this backend is limited to "
            f"{tenant!r}: call in_tenant({record.tenant_id!r})."
        )
    return backend.deserialize(record, keep_unknown=keep_unknown)


def read_message(message: str | bytes | Mapping[str, Any]) -> RecordedRaw:
    """Return the stored event that a message carries; the reverse of `message_of`.

    Args:
        message: as for `load_message`.

    Raises:
        InvalidMessageError: not a message of this library.
    """
    match _fields(message):
        case {
            "id": str(uuid),
            "name": str(name),
            "stream": {
                "tenant": str(tenant),
                "category": None | str() as category,
                "uuid": str(stream_uuid),
                "name": None | str() as stream_name,
            },
            "generation": int(generation),
            "version": None | int() as version,
            "position": int(position),
            "at": str(at),
            "schema_version": schema_version,
            "data": dict(data),
            "context": dict(context),
        }:
            pass
        case _:
            raise InvalidMessageError(
                "The message lacks a field of a published event, or a field has the wrong type. "
                "Pass the body of an SQS record, the Message of an SNS record, or the detail of an "
                "EventBridge event."
            )
    if type(schema_version) is not int or schema_version < 1:
        raise InvalidMessageError(
            f"The message has no schema version for event {uuid}: let the outbox publish the "
            "stored event, which has one."
        )
    if schema_version > 1:
        context = {**context, _SCHEMA: schema_version}
    try:
        stream_id = StreamId(UUID(stream_uuid), stream_name, category=category)
        raw = RawEvent(
            UUID(uuid), stream_id, datetime.fromisoformat(at), name, data, context, version
        )
    except ValueError as error:
        raise InvalidMessageError(
            "The message has an invalid UUID, time or stream name: pass it as it was published."
        ) from error
    return RecordedRaw(raw, position, tenant, generation)


def _fields(message: object) -> object:
    if not isinstance(message, str | bytes):
        return message
    try:
        return json.loads(message)
    except (ValueError, RecursionError):
        raise InvalidMessageError("The message is not JSON: pass it as it was published.") from None


def stored_form(recorded: Recorded) -> RecordedRaw:
    """Return a loaded event as an append would store it now, for publishing.

    Raises:
        PublishingError: an event with encrypted fields. A loaded event has them in clear text.
        InvalidEventError: an event that cannot be stored.
    """
    from dynamo_es.event_store.wrapped import UnknownEvent

    wrapped = recorded.wrapped_event
    if isinstance(wrapped.event, UnknownEvent):
        # The schema is unknown. The message says so with null, and `read_message` refuses it.
        raw = RawEvent(
            wrapped.uuid,
            recorded.stream_id,
            wrapped.created_at,
            wrapped.event.name,
            wrapped.event.data,
            {**wrapped.context.model_dump(mode="json", exclude_none=True), _SCHEMA: None},
            wrapped.version,
        )
    else:
        raw = _keyless().serialize(wrapped, recorded.stream_id)
    return RecordedRaw(raw, recorded.position, recorded.tenant_id, recorded.generation)


@cache
def _keyless() -> Serde:
    """Return a `Serde` that refuses events that need a key to be stored."""
    from dynamo_es.event_store.encryption.service import Encryption
    from dynamo_es.event_store.registry import EventRegistry
    from dynamo_es.event_store.serde import Serde

    return Serde(EventRegistry(), Encryption(_NoKeys()))


class _NoKeys(KeyStorageStrategy):
    """Has no keys, and makes none."""

    def scoped_for_tenant(self, *_: object, **__: object) -> Self:
        return self

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise PublishingError(
            "The event has encrypted fields, which are in clear text here: pass the publisher "
            "itself to the outbox, which calls it with the stored event."
        )

    get = get_or_create = delete = _refuse

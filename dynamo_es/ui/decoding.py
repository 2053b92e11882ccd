"""Turns stored events into JSON for a page: masked, in clear text, or upcast by their classes."""

from __future__ import annotations

import getpass
import json
import logging
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.aggregates.aggregate import Aggregate, replay
from dynamo_es.aggregates.commands import DecidedCommands
from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.event_store.encryption.service import Encryption, steps_of
from dynamo_es.event_store.registry import EventRegistry
from dynamo_es.event_store.serde import ENCRYPTED, SCHEMA, Serde
from dynamo_es.exceptions import DecryptionError, EventStoreError, UnknownEventError
from dynamo_es.memory.key_storage import MemoryKeyStorage
from dynamo_es.ui.browser import browser_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from dynamo_es.values import RawEvent, StreamId, TenantId

MASK: Final = "[encrypted]"

_log = logging.getLogger("dynamo_es.ui")


@dataclass(frozen=True, slots=True)
class Upcast:
    """An event as its class reads it.

    Attributes:
        class_name: module and name of the class; empty if none is imported.
        schema_version: the class's schema version.
        data: the event's JSON in that schema; None if it cannot be read.
        problem: why the event cannot be read; empty if it can.
    """

    class_name: str = ""
    schema_version: int = 0
    data: Any = None
    problem: str = ""


def is_encrypted(event: RawEvent) -> bool:
    """Return whether some fields of an event are encrypted."""
    return ENCRYPTED in event.context


def schema_version(event: RawEvent) -> Any:
    """Return the schema version under which an event is stored; 1 if none is stored."""
    return event.context.get(SCHEMA, 1)


def masked(event: RawEvent) -> dict[str, Any]:
    """Return an event's JSON with a mask in place of each encrypted field."""
    if not is_encrypted(event):
        return event.data
    document = deepcopy(event.data)
    for pointer in _pointers(event.context[ENCRYPTED]):
        _put(document, pointer)
    return document


def revealed(request: Request, tenant_id: TenantId, event: RawEvent) -> tuple[Any, str]:
    """Return an event's JSON with its encrypted fields in clear text, and why if that failed.

    The view is logged, with the user and the event.
    """
    note_look(request, tenant_id, event.stream_id, event.version, event.name)
    encryption = browser_of(request).backend_of(tenant_id).encryption
    kind = EventRegistry().kind_named(event.name)
    try:
        data = encryption.decrypt(
            event.data,
            event.context[ENCRYPTED],
            event.stream_id,
            event.uuid,
            event_type=None if kind is None else kind.event_class,
        )
    except DecryptionError as error:
        return masked(event), str(error)
    return data, ""


def note_look(
    request: Request,
    tenant_id: TenantId,
    stream_id: StreamId,
    version: int | None,
    what: str,
) -> None:
    """Log who views encrypted fields in clear text."""
    client = "an unknown address" if request.client is None else request.client.host
    _log.warning(
        "Encrypted fields revealed to %s at %s: tenant %r, stream %s (category %r), version %s, %r",
        _user(),
        client,
        tenant_id,
        stream_id,
        stream_id.category,
        version,
        what,
    )


def serde_for(request: Request, tenant_id: TenantId) -> Serde:
    """Return a serde that decrypts if the browser reveals encrypted fields, and masks otherwise."""
    browser = browser_of(request)
    if browser.reveal:
        return Serde(EventRegistry(), browser.backend_of(tenant_id).encryption)
    # Without a key, a field loads as its mask.
    keyless = Encryption(MemoryKeyStorage(), tenant_id=tenant_id)
    return Serde(EventRegistry(), keyless)


def upcast(request: Request, tenant_id: TenantId, event: RawEvent) -> Upcast:
    """Return an event as its class reads it, if a class with its name is imported."""
    try:
        serde = serde_for(request, tenant_id)
        kind = serde.registry.kind_named(event.name)
        if kind is None:
            return Upcast()
        name = f"{kind.event_class.__module__}.{kind.event_class.__qualname__}"
        loaded = serde.deserialize(event).event
        data = json.loads(loaded.model_dump_json(by_alias=True))
        if is_encrypted(event) and not browser_of(request).reveal:
            # A class's own mask may look like a real value, or like a shredded one.
            for pointer in _pointers(event.context[ENCRYPTED]):
                _put(data, pointer)
        return Upcast(name, kind.schema_version, data)
    except UnknownEventError:
        return Upcast()
    except EventStoreError as error:
        return Upcast(problem=str(error))
    except Exception as error:  # noqa: BLE001 - an application's serializer may raise anything
        _log.error("Could not show an event of %s: %s", event.stream_id, trace_error(error))
        return Upcast(problem=f"Its class failed with {type(error).__name__}.")


def aggregates_of(category: str | None) -> list[type[Aggregate]]:
    """Return the imported aggregate classes of a category."""
    return [kind for kind in _subclasses(Aggregate) if category and kind.category == category]


def state_of(
    request: Request, tenant_id: TenantId, kind: type[Aggregate], events: Sequence[RawEvent]
) -> tuple[dict[str, Any] | None, str]:
    """Return an aggregate's public attributes after some events; or None, and the reason."""
    try:
        loaded = serde_for(request, tenant_id).deserialize_all(events)
        aggregate = kind()
        replay(aggregate, DecidedCommands(), events, loaded)
    except EventStoreError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 - an application's aggregate may raise anything
        _log.error("Could not show %s: %s", kind.__qualname__, trace_error(error))
        return None, f"{kind.__qualname__} failed with {type(error).__name__}."
    found = {name: value for name, value in vars(aggregate).items() if not name.startswith("_")}
    return found, ""


def _subclasses(kind: type[Aggregate]) -> list[type[Aggregate]]:
    found = []
    for one in kind.__subclasses__():
        found += [one, *_subclasses(one)]
    return found


def _pointers(notes: Any) -> list[str]:
    """Return the JSON pointers of the encrypted fields. The notes may be any JSON."""
    found: list[str] = []
    for group in notes if isinstance(notes, list) else ():
        match group:
            case [_, _, dict() as masks]:
                found += [pointer for pointer in masks if isinstance(pointer, str)]
    return found


def _put(document: Any, pointer: str) -> None:
    try:
        *steps, last = steps_of(pointer)
        for step in steps:
            document = document[int(step) if isinstance(document, list) else step]
        place = int(last) if isinstance(document, list) else last
        if document[place] is not None:
            document[place] = MASK
    except (IndexError, LookupError, TypeError, ValueError):
        return  # there is no such field, so nothing to mask


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return "an unknown user"

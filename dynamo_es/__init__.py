"""dynamo_es: an event store on Amazon DynamoDB.

Importing this package loads neither boto3, nor pydantic, nor any package of an extra. Backends,
typed events and aggregates load when you first use their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.contracts import (
    EnlistedWrite,
    Observer,
    OperationReport,
    Selection,
    StorageStrategy,
)
from dynamo_es.values import (
    ANY_VERSION,
    DEFAULT_TENANT,
    NO_VERSIONING,
    ExplicitVersioning,
    Position,
    RawEvent,
    RecordedRaw,
    StoredVersion,
    StreamId,
    StreamUUID,
    TenantId,
    Versioning,
)

if TYPE_CHECKING:
    from dynamo_es.aggregates.aggregate import Aggregate
    from dynamo_es.aggregates.repository import Repository
    from dynamo_es.dynamodb.backend import DynamoBackend
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.streams.cost import AppendCost, append_cost
    from dynamo_es.event_store.encryption.marks import DataSubject, Encrypted
    from dynamo_es.event_store.event import Event, Snapshot, upcaster
    from dynamo_es.event_store.registry import EventRegistry
    from dynamo_es.event_store.serde import Serde
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.wrapped import Context, Recorded, UnknownEvent, WrappedEvent
    from dynamo_es.memory import MemoryBackend

__version__ = "0.1.0"

__all__ = [
    "ANY_VERSION",
    "DEFAULT_TENANT",
    "NO_VERSIONING",
    "Aggregate",
    "AppendCost",
    "Context",
    "DataSubject",
    "DynamoBackend",
    "DynamoConfig",
    "Encrypted",
    "EnlistedWrite",
    "Event",
    "EventRegistry",
    "EventStore",
    "ExplicitVersioning",
    "MemoryBackend",
    "Observer",
    "OperationReport",
    "Position",
    "RawEvent",
    "Recorded",
    "RecordedRaw",
    "Repository",
    "Selection",
    "Serde",
    "Snapshot",
    "StorageStrategy",
    "StoredVersion",
    "StreamId",
    "StreamUUID",
    "TenantId",
    "UnknownEvent",
    "Versioning",
    "WrappedEvent",
    "append_cost",
    "upcaster",
]

_LAZY = {
    "Aggregate": "dynamo_es.aggregates.aggregate",
    "AppendCost": "dynamo_es.dynamodb.streams.cost",
    "Context": "dynamo_es.event_store.wrapped",
    "DataSubject": "dynamo_es.event_store.encryption.marks",
    "DynamoBackend": "dynamo_es.dynamodb.backend",
    "DynamoConfig": "dynamo_es.dynamodb.config",
    "Encrypted": "dynamo_es.event_store.encryption.marks",
    "Event": "dynamo_es.event_store.event",
    "EventRegistry": "dynamo_es.event_store.registry",
    "EventStore": "dynamo_es.event_store.store",
    "MemoryBackend": "dynamo_es.memory",
    "Recorded": "dynamo_es.event_store.wrapped",
    "Repository": "dynamo_es.aggregates.repository",
    "Serde": "dynamo_es.event_store.serde",
    "Snapshot": "dynamo_es.event_store.event",
    "UnknownEvent": "dynamo_es.event_store.wrapped",
    "WrappedEvent": "dynamo_es.event_store.wrapped",
    "append_cost": "dynamo_es.dynamodb.streams.cost",
    "upcaster": "dynamo_es.event_store.event",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))

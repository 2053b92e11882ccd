"""dynamo_es: an event store on Amazon DynamoDB.

Importing this package loads neither boto3, nor pydantic, nor any package of an extra. Backends,
typed events and aggregates load when you first use their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.contracts import (
    AppendCost,
    Checkpoint,
    EnlistedWrite,
    Observer,
    OperationReport,
    Selection,
    StorageStrategy,
    StreamHead,
)
from dynamo_es.contracts.workers import WorkerReport
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
    from dynamo_es.dynamodb.consumers.writes import Writes
    from dynamo_es.dynamodb.streams.cost import append_cost
    from dynamo_es.dynamodb.table_stream.poller import SequencerReport, StreamPoller
    from dynamo_es.event_store.encryption.marks import DataSubject, Encrypted
    from dynamo_es.event_store.event import Event, Snapshot
    from dynamo_es.event_store.registry import EventRegistry
    from dynamo_es.event_store.serde import Serde
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.upcasting import upcaster
    from dynamo_es.event_store.wrapped import Context, Recorded, UnknownEvent, WrappedEvent
    from dynamo_es.facade.backend import Backend
    from dynamo_es.memory import MemoryBackend
    from dynamo_es.outbox import Outbox, OutboxReport
    from dynamo_es.projections.failure_policy import FailurePolicy
    from dynamo_es.projections.parking import RetryReport
    from dynamo_es.projections.parts import ProjectionReport
    from dynamo_es.projections.projection import Projection
    from dynamo_es.projections.projector import Projector
    from dynamo_es.subscriptions.listeners import Listeners
    from dynamo_es.subscriptions.subscriber import Subscriber

__version__ = "0.1.0"

__all__ = [
    "ANY_VERSION",
    "DEFAULT_TENANT",
    "NO_VERSIONING",
    "Aggregate",
    "AppendCost",
    "Backend",
    "Checkpoint",
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
    "FailurePolicy",
    "Listeners",
    "MemoryBackend",
    "Observer",
    "OperationReport",
    "Outbox",
    "OutboxReport",
    "Position",
    "Projection",
    "ProjectionReport",
    "Projector",
    "RawEvent",
    "Recorded",
    "RecordedRaw",
    "Repository",
    "RetryReport",
    "Selection",
    "SequencerReport",
    "Serde",
    "Snapshot",
    "StorageStrategy",
    "StoredVersion",
    "StreamHead",
    "StreamId",
    "StreamPoller",
    "StreamUUID",
    "Subscriber",
    "TenantId",
    "UnknownEvent",
    "Versioning",
    "WorkerReport",
    "WrappedEvent",
    "Writes",
    "append_cost",
    "upcaster",
]

_LAZY = {
    "Aggregate": "dynamo_es.aggregates.aggregate",
    "Backend": "dynamo_es.facade.backend",
    "Context": "dynamo_es.event_store.wrapped",
    "DataSubject": "dynamo_es.event_store.encryption.marks",
    "DynamoBackend": "dynamo_es.dynamodb.backend",
    "DynamoConfig": "dynamo_es.dynamodb.config",
    "Encrypted": "dynamo_es.event_store.encryption.marks",
    "Event": "dynamo_es.event_store.event",
    "EventRegistry": "dynamo_es.event_store.registry",
    "EventStore": "dynamo_es.event_store.store",
    "Listeners": "dynamo_es.subscriptions.listeners",
    "MemoryBackend": "dynamo_es.memory",
    "Outbox": "dynamo_es.outbox",
    "OutboxReport": "dynamo_es.outbox",
    "Projection": "dynamo_es.projections.projection",
    "FailurePolicy": "dynamo_es.projections.failure_policy",
    "ProjectionReport": "dynamo_es.projections.parts",
    "RetryReport": "dynamo_es.projections.parking",
    "Projector": "dynamo_es.projections.projector",
    "Recorded": "dynamo_es.event_store.wrapped",
    "Repository": "dynamo_es.aggregates.repository",
    "SequencerReport": "dynamo_es.dynamodb.table_stream.poller",
    "Serde": "dynamo_es.event_store.serde",
    "Snapshot": "dynamo_es.event_store.event",
    "StreamPoller": "dynamo_es.dynamodb.table_stream.poller",
    "Subscriber": "dynamo_es.subscriptions.subscriber",
    "UnknownEvent": "dynamo_es.event_store.wrapped",
    "WrappedEvent": "dynamo_es.event_store.wrapped",
    "Writes": "dynamo_es.dynamodb.consumers.writes",
    "append_cost": "dynamo_es.dynamodb.streams.cost",
    "upcaster": "dynamo_es.event_store.upcasting",
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

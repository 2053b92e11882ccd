"""dynamo_es: an event store on Amazon DynamoDB.

Importing this package loads neither boto3, nor pydantic, nor any package of an extra. Backends,
typed events and aggregates load when you first use their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.contracts import AppendCost, EnlistedWrite, StorageStrategy, StreamHead
from dynamo_es.values import (
    ANY_VERSION,
    DEFAULT_TENANT,
    NO_VERSIONING,
    ExplicitVersioning,
    Position,
    Query,
    QueryItem,
    RawEvent,
    RecordedRaw,
    StoredVersion,
    StreamId,
    StreamUUID,
    Tag,
    TagValue,
    TenantId,
    Versioning,
)

if TYPE_CHECKING:
    from dynamo_es.aggregates.aggregate import Aggregate
    from dynamo_es.aggregates.repository import Repository
    from dynamo_es.boundaries.boundary import Boundary, Found
    from dynamo_es.boundaries.deciding import Decided
    from dynamo_es.boundaries.decision import Decision, DecisionModel
    from dynamo_es.boundaries.indexing import BoundaryIndex
    from dynamo_es.contracts import Checkpoint, Observer, OperationReport, Selection
    from dynamo_es.contracts.consumers.workers import WorkerReport
    from dynamo_es.dynamodb.backend import DynamoBackend
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.consumers.writes import Writes
    from dynamo_es.dynamodb.streams.appending.cost import append_cost
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
else:
    from dynamo_es.lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Aggregate": ".aggregates.aggregate",
            "Backend": ".facade.backend",
            "Boundary": ".boundaries.boundary",
            "BoundaryIndex": ".boundaries.indexing",
            "Checkpoint": ".contracts.consumers.checkpoints",
            "Context": ".event_store.wrapped",
            "DataSubject": ".event_store.encryption.marks",
            "Decided": ".boundaries.deciding",
            "Decision": ".boundaries.decision",
            "DecisionModel": ".boundaries.decision",
            "DynamoBackend": ".dynamodb.backend",
            "DynamoConfig": ".dynamodb.config",
            "Encrypted": ".event_store.encryption.marks",
            "Event": ".event_store.event",
            "EventRegistry": ".event_store.registry",
            "EventStore": ".event_store.store",
            "FailurePolicy": ".projections.failure_policy",
            "Found": ".boundaries.boundary",
            "Listeners": ".subscriptions.listeners",
            "MemoryBackend": ".memory",
            "Observer": ".contracts.observer",
            "OperationReport": ".contracts.observer",
            "Outbox": ".outbox",
            "OutboxReport": ".outbox",
            "Projection": ".projections.projection",
            "ProjectionReport": ".projections.parts",
            "Projector": ".projections.projector",
            "Recorded": ".event_store.wrapped",
            "Repository": ".aggregates.repository",
            "RetryReport": ".projections.parking",
            "Selection": ".contracts.log",
            "SequencerReport": ".dynamodb.table_stream.poller",
            "Serde": ".event_store.serde",
            "Snapshot": ".event_store.event",
            "StreamPoller": ".dynamodb.table_stream.poller",
            "Subscriber": ".subscriptions.subscriber",
            "UnknownEvent": ".event_store.wrapped",
            "WorkerReport": ".contracts.consumers.workers",
            "WrappedEvent": ".event_store.wrapped",
            "Writes": ".dynamodb.consumers.writes",
            "append_cost": ".dynamodb.streams.appending.cost",
            "upcaster": ".event_store.upcasting",
        },
    )

__version__ = "0.1.0"

__all__ = [
    "ANY_VERSION",
    "DEFAULT_TENANT",
    "NO_VERSIONING",
    "Aggregate",
    "AppendCost",
    "Backend",
    "Boundary",
    "BoundaryIndex",
    "Checkpoint",
    "Context",
    "DataSubject",
    "Decided",
    "Decision",
    "DecisionModel",
    "DynamoBackend",
    "DynamoConfig",
    "Encrypted",
    "EnlistedWrite",
    "Event",
    "EventRegistry",
    "EventStore",
    "ExplicitVersioning",
    "FailurePolicy",
    "Found",
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
    "Query",
    "QueryItem",
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
    "Tag",
    "TagValue",
    "TenantId",
    "UnknownEvent",
    "Versioning",
    "WorkerReport",
    "WrappedEvent",
    "Writes",
    "append_cost",
    "upcaster",
]

"""The library ``eventsourcing`` on DynamoDB.

With ``PERSISTENCE_MODULE=dynamo_es.adapters.eventsourcing`` its applications stay as they are.
Settings, each also with the application's name in front (``BANKACCOUNTS_DYNAMO_ES_LOG_TABLE``):
``DYNAMO_ES_EVENTS_TABLE``, ``DYNAMO_ES_LOG_TABLE``, ``DYNAMO_ES_ENDPOINT_URL``, ``CREATE_TABLE``,
``DYNAMO_ES_TENANT``, ``DYNAMO_ES_POLL_INTERVAL``, and every other of `DynamoConfig`.
"""

from __future__ import annotations

from dynamo_es.adapters.eventsourcing.factory import DynamoFactory
from dynamo_es.adapters.eventsourcing.recorders import (
    DynamoAggregateRecorder,
    DynamoApplicationRecorder,
    DynamoProcessRecorder,
)
from dynamo_es.adapters.eventsourcing.snapshots import DynamoSnapshotRecorder
from dynamo_es.adapters.eventsourcing.tracking import DynamoTrackingRecorder

# What the library looks for in a persistence module: exactly one class of factories.
Factory = DynamoFactory

__all__ = [
    "DynamoAggregateRecorder",
    "DynamoApplicationRecorder",
    "DynamoFactory",
    "DynamoProcessRecorder",
    "DynamoSnapshotRecorder",
    "DynamoTrackingRecorder",
    "Factory",
]

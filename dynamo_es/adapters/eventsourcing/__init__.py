"""The library ``eventsourcing`` on DynamoDB.

Set ``PERSISTENCE_MODULE=dynamo_es.adapters.eventsourcing``; your applications need no change. It
supports applications of aggregates and DCB applications, with release 9.5 and with the alpha of 10.
Settings: ``DYNAMO_ES_EVENTS_TABLE``, ``DYNAMO_ES_LOG_TABLE``, ``DYNAMO_ES_ENDPOINT_URL``,
``CREATE_TABLE``, ``DYNAMO_ES_TENANT``, ``DYNAMO_ES_POLL_INTERVAL``, and every other field of
`DynamoConfig`. Each may begin with the name of the application:
``BANKACCOUNTS_DYNAMO_ES_LOG_TABLE``.
"""

from __future__ import annotations

from dynamo_es.adapters.eventsourcing.dcb import DynamoDCBReadResponse, DynamoDCBRecorder
from dynamo_es.adapters.eventsourcing.factory import DynamoFactory
from dynamo_es.adapters.eventsourcing.recorders import (
    DynamoAggregateRecorder,
    DynamoApplicationRecorder,
    DynamoProcessRecorder,
)
from dynamo_es.adapters.eventsourcing.snapshots import DynamoSnapshotRecorder
from dynamo_es.adapters.eventsourcing.tracking import DynamoTrackingRecorder

# The library looks for exactly one class of factories in a persistence module.
Factory = DynamoFactory

__all__ = [
    "DynamoAggregateRecorder",
    "DynamoApplicationRecorder",
    "DynamoDCBReadResponse",
    "DynamoDCBRecorder",
    "DynamoFactory",
    "DynamoProcessRecorder",
    "DynamoSnapshotRecorder",
    "DynamoTrackingRecorder",
    "Factory",
]

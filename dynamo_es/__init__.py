"""dynamo_es: an event store on Amazon DynamoDB.

Importing this package loads neither boto3 nor anything of an extra: `DynamoBackend` and
`DynamoConfig` load their rooms when first named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.contracts import Observer, OperationReport, StorageStrategy
from dynamo_es.values import (
    ANY_VERSION,
    DEFAULT_TENANT,
    NO_VERSIONING,
    ExplicitVersioning,
    Position,
    RawEvent,
    RecordedRaw,
    StreamId,
    StreamUUID,
    TenantId,
    Versioning,
)

if TYPE_CHECKING:
    from dynamo_es.backend import DynamoBackend
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.pricing import AppendCost, append_cost
    from dynamo_es.memory import MemoryBackend

__version__ = "0.1.0"

__all__ = [
    "ANY_VERSION",
    "DEFAULT_TENANT",
    "NO_VERSIONING",
    "AppendCost",
    "DynamoBackend",
    "DynamoConfig",
    "ExplicitVersioning",
    "MemoryBackend",
    "Observer",
    "OperationReport",
    "Position",
    "RawEvent",
    "RecordedRaw",
    "StorageStrategy",
    "StreamId",
    "StreamUUID",
    "TenantId",
    "Versioning",
    "append_cost",
]

_LAZY = {
    "AppendCost": "dynamo_es.dynamodb.pricing",
    "DynamoBackend": "dynamo_es.backend",
    "DynamoConfig": "dynamo_es.dynamodb.config",
    "MemoryBackend": "dynamo_es.memory",
    "append_cost": "dynamo_es.dynamodb.pricing",
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

"""Contracts between the packages. They need the standard library only."""

from dynamo_es.contracts.checkpoints import Checkpoint, CheckpointStrategy
from dynamo_es.contracts.consumers import (
    ConsumerFinder,
    CursorInfo,
    FoundConsumers,
    OutboxInfo,
)
from dynamo_es.contracts.cursors import CursorStrategy, Followed
from dynamo_es.contracts.failures import ConsumerFailure, NewFailure
from dynamo_es.contracts.hooks import AppendHooks, AppendListener, OutboxFilter
from dynamo_es.contracts.key_storage import KeyStorageStrategy
from dynamo_es.contracts.log import (
    EVERYTHING,
    CommitInLog,
    LogReader,
    LogStrategy,
    Piece,
    Selection,
    StreamInLog,
)
from dynamo_es.contracts.observer import Observer, OperationReport
from dynamo_es.contracts.storage import (
    ANOTHER_GENERATION,
    STORED_IN_ONE_STREAM,
    EnlistedWrite,
    StorageStrategy,
    StreamAppend,
)
from dynamo_es.contracts.streams import AppendCost, StreamCommit, StreamHead
from dynamo_es.contracts.subscription import SubscriptionStrategy

__all__ = [
    "ANOTHER_GENERATION",
    "EVERYTHING",
    "STORED_IN_ONE_STREAM",
    "AppendCost",
    "AppendHooks",
    "AppendListener",
    "Checkpoint",
    "CheckpointStrategy",
    "CommitInLog",
    "ConsumerFailure",
    "ConsumerFinder",
    "CursorInfo",
    "CursorStrategy",
    "EnlistedWrite",
    "Followed",
    "FoundConsumers",
    "KeyStorageStrategy",
    "LogReader",
    "LogStrategy",
    "NewFailure",
    "Observer",
    "OperationReport",
    "OutboxFilter",
    "OutboxInfo",
    "Piece",
    "Selection",
    "StorageStrategy",
    "StreamAppend",
    "StreamCommit",
    "StreamHead",
    "StreamInLog",
    "SubscriptionStrategy",
]

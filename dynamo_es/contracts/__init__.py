"""Contracts between the packages. They need only the standard library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.contracts.all_or_none import (
    ANOTHER_GENERATION,
    STORED_IN_ONE_STREAM,
    EnlistedWrite,
)
from dynamo_es.contracts.appends import AppendCost, StreamAppend, StreamCheck
from dynamo_es.contracts.hooks import AppendHooks, AppendListener, OutboxFilter
from dynamo_es.contracts.storage import StorageStrategy
from dynamo_es.contracts.streams import StreamCommit, StreamHead

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.checkpoints import Checkpoint, CheckpointStrategy
    from dynamo_es.contracts.consumers.cursors import CursorStrategy, Followed
    from dynamo_es.contracts.consumers.failures import ConsumerFailure, NewFailure
    from dynamo_es.contracts.consumers.finder import (
        ConsumerFinder,
        CursorInfo,
        FoundConsumers,
        OutboxInfo,
    )
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
    from dynamo_es.contracts.subscription import SubscriptionStrategy
else:
    from dynamo_es.lazy import lazy_names

    # Loaded at first use: a process that only appends needs none of these and should start fast.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "EVERYTHING": ".log",
            "Checkpoint": ".consumers.checkpoints",
            "CheckpointStrategy": ".consumers.checkpoints",
            "CommitInLog": ".log",
            "ConsumerFailure": ".consumers.failures",
            "ConsumerFinder": ".consumers.finder",
            "CursorInfo": ".consumers.finder",
            "CursorStrategy": ".consumers.cursors",
            "Followed": ".consumers.cursors",
            "FoundConsumers": ".consumers.finder",
            "KeyStorageStrategy": ".key_storage",
            "LogReader": ".log",
            "LogStrategy": ".log",
            "NewFailure": ".consumers.failures",
            "Observer": ".observer",
            "OperationReport": ".observer",
            "OutboxInfo": ".consumers.finder",
            "Piece": ".log",
            "Selection": ".log",
            "StreamInLog": ".log",
            "SubscriptionStrategy": ".subscription",
        },
    )

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
    "StreamCheck",
    "StreamCommit",
    "StreamHead",
    "StreamInLog",
    "SubscriptionStrategy",
]

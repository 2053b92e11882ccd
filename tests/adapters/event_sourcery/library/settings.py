"""Says what the library application runs on; no other module does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from event_sourcery.backend import InMemoryBackend, InMemoryKeyStorage
from event_sourcery.read_model import CursorsDao

from dynamo_es.adapters.event_sourcery import (
    DynamoDBBackend,
    DynamoDBConfig,
    DynamoDBCursorsDao,
    DynamoDBKeyStorage,
)

if TYPE_CHECKING:
    from event_sourcery import StreamId, TransactionalBackend
    from event_sourcery.interfaces import EncryptionKeyStorageStrategy
    from mypy_boto3_dynamodb import DynamoDBClient


def in_memory() -> tuple[TransactionalBackend, CursorsDao, EncryptionKeyStorageStrategy]:
    """Their own backend, for tests of the application."""
    return InMemoryBackend().configure(), _CursorsInMemory(), InMemoryKeyStorage()


def on_dynamodb(
    client: DynamoDBClient, config: DynamoDBConfig
) -> tuple[TransactionalBackend, CursorsDao, EncryptionKeyStorageStrategy]:
    """Our tables, to be made by ``DynamoDBBackend.create_tables`` or ``infra/event-store.yaml``."""
    backend = DynamoDBBackend().configure(client, config)
    return backend, DynamoDBCursorsDao(client, config), DynamoDBKeyStorage(client, config)


class _CursorsInMemory(CursorsDao):
    def __init__(self) -> None:
        self._at: dict[Any, int] = {}

    def increment(self, name: str, stream_id: StreamId, version: int) -> None:
        at = self._at.get((name, stream_id))
        if at is None and version > 1:
            raise self.StreamNotTracked
        if (at or 0) >= version:
            raise self.AheadOfStream(at or 0)
        if (at or 0) < version - 1:
            raise self.BehindStream(at or 0)
        self._at[name, stream_id] = version

    def put_at(self, name: str, stream_id: StreamId, version: int) -> None:
        self._at[name, stream_id] = version

    def move_to(self, name: str, stream_id: StreamId, version: int) -> None:
        self._at[name, stream_id] = version

"""The event store in memory: for your tests, and the reference that every backend must match."""

from dynamo_es.memory.backend import MemoryBackend
from dynamo_es.memory.key_storage import MemoryKeyStorage
from dynamo_es.memory.storage import MemoryStorage

__all__ = ["MemoryBackend", "MemoryKeyStorage", "MemoryStorage"]

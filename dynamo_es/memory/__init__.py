"""The event store in memory: a test double for you, and the reference for every backend."""

from dynamo_es.memory.backend import MemoryBackend
from dynamo_es.memory.key_storage import MemoryKeyStorage
from dynamo_es.memory.storage import MemoryStorage

__all__ = ["MemoryBackend", "MemoryKeyStorage", "MemoryStorage"]

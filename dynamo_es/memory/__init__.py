"""The store in memory: the reference of every backend, and a test double for users."""

from dynamo_es.memory.backend import MemoryBackend
from dynamo_es.memory.key_storage import MemoryKeyStorage
from dynamo_es.memory.storage import MemoryStorage

__all__ = ["MemoryBackend", "MemoryKeyStorage", "MemoryStorage"]

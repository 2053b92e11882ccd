"""Contracts between the rooms. Standard library only."""

from dynamo_es.contracts.key_storage import KeyStorageStrategy
from dynamo_es.contracts.observer import Observer, OperationReport
from dynamo_es.contracts.storage import StorageStrategy

__all__ = ["KeyStorageStrategy", "Observer", "OperationReport", "StorageStrategy"]

"""The engines on which the conformance suite runs, and the capabilities that they lack.

A test declares the capabilities that it needs: ``@needs(Capability.CRASHES)``. If an engine lacks
one, the test is skipped with the engine's reason.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import pytest

from dynamo_es import MemoryBackend
from dynamo_es.memory import MemoryKeyStorage, MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType

    from dynamo_es import StorageStrategy
    from dynamo_es.contracts import KeyStorageStrategy


class Capability(StrEnum):
    """Something that not every engine can do."""

    GENERATIONS = "generations"
    """A process that knows an earlier generation of a stream is refused in the next one."""
    LIMITS = "limits"
    """Keys of up to 2,048 bytes, commits of up to 4 MB."""
    CONCURRENCY = "concurrency"
    """Threads may write at the same time."""
    REQUESTS = "requests"
    """It receives requests of DynamoDB's API, which can be recorded, lost and counted."""
    CRASHES = "crashes"
    """A process can be killed after any of its requests."""
    LARGE = "large"
    """The time of a transaction of several MB grows only linearly with its size."""
    BILLS = "bills"
    """It reports the capacity that DynamoDB would bill."""


def needs(*capabilities: Capability) -> pytest.MarkDecorator:
    """Mark a test that only makes sense on engines with these capabilities."""
    return pytest.mark.needs(*capabilities)


class Backend(Protocol):
    """The methods that all backends have."""

    @property
    def storage(self) -> StorageStrategy: ...
    def in_tenant(self, tenant_id: str) -> Self: ...
    def create_tables(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Crash(BaseException):
    """The process ends here. No ``except Exception`` catches it."""


class Engine(ABC):
    """A store that keeps streams from `start` to `stop`. Many tests share one.

    The tests do not interfere, because each one uses its own stream ids.
    """

    name: ClassVar[str]
    lacks: ClassVar[Mapping[Capability, str]]
    races: ClassVar[int] = 25
    """How many versions threads race for, one after the other."""

    @abstractmethod
    def start(self) -> None:
        """Start the store. Called once in a session."""

    @abstractmethod
    def stop(self) -> None:
        """Release everything."""

    @abstractmethod
    def fresh_process(self, *, inline: bool = False) -> Backend:
        """Return a backend that remembers nothing, over the same data as all others.

        Args:
            inline: whether it must give its appends their positions. An engine may always do so.
        """

    def indexed_process(self) -> Backend:
        """Return a backend that remembers nothing, and reads boundaries by their tag index."""
        return self.fresh_process()

    @abstractmethod
    def key_storage(self) -> KeyStorageStrategy:
        """Return the keys of data subjects, as another process would see them."""

    def tidy(self) -> None:  # noqa: B027 - most have nothing to do
        """Clean up after a test. Its data is no longer needed."""

    def crash_after(self, requests: int) -> AbstractContextManager[Backend]:
        """Return a process that sends a number of requests, and then raises `Crash` instead.

        No other process may send requests until the end of the context. After that, this process
        may not send any.
        """
        raise NotImplementedError(f"{self.name} lacks {Capability.CRASHES}")


class MemoryEngine(Engine):
    """The reference implementation."""

    name = "memory"
    lacks: ClassVar = {
        Capability.GENERATIONS: "it forgets deleted streams, and no process has a memory",
        Capability.REQUESTS: "it sends none",
        Capability.CRASHES: "it sends no requests",
        Capability.BILLS: "it costs nothing",
    }

    def start(self) -> None:
        self._storage = MemoryStorage()
        self._keys = MemoryKeyStorage()

    def stop(self) -> None:
        del self._storage, self._keys

    def fresh_process(self, *, inline: bool = False) -> Backend:
        return MemoryBackend(MemoryStorage(shared=self._storage.data))

    def key_storage(self) -> KeyStorageStrategy:
        return self._keys.scoped_for_tenant("")

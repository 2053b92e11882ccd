"""The part of an asynchronous backend that is written by hand: it opens, and closes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self

from dynamo_es.aio.over import Over

if TYPE_CHECKING:
    from types import TracebackType


_FIRST_USED: Final = (
    "pydantic",
    "tenacity",
    "dynamo_es.contracts.observer",
    "dynamo_es.event_store.encryption.service",
    "dynamo_es.event_store.past",
    "dynamo_es.event_store.serde",
    "dynamo_es.event_store.store",
    "dynamo_es.subscriptions.subscriber",
)
"""Modules that are loaded when they are first needed."""


def _load() -> None:
    for name in _FIRST_USED:
        import_module(name)


class HasBridge(Over):
    """Opens and closes a backend and its bridge."""

    async def prepare(self) -> None:
        """Make now, in a thread, what the first requests would make, and load their modules.

        Otherwise they hold up the event loop for some tenths of a second, once.
        """
        await self._bridge.threads.run(_load)
        await self._bridge.run(self._sync.prepare)

    async def create_tables(self) -> None:
        """Create the tables that are missing; see `DynamoBackend.create_tables`."""
        await self._bridge.threads.run(self._sync.create_tables)

    async def close(self) -> None:
        """Release the resources of the backend. The data stays.

        Later calls are refused with an `InputError`. A call under way fails if it sends a request.
        """
        self._bridge.is_closed = True
        sender: Any = getattr(self._sync, "sender", None)
        if hasattr(sender, "aclose"):
            await sender.aclose()
        await self._bridge.threads.run(self._sync.close)
        self._bridge.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

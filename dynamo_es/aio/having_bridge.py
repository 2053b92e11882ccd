"""The part of an asynchronous backend that is written by hand: it opens, and closes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from dynamo_es.aio.over import Over

if TYPE_CHECKING:
    from types import TracebackType


class HasBridge(Over):
    """Opens and closes a backend and its bridge."""

    async def prepare(self) -> None:
        """Make now what the first request would make."""
        await self._bridge.run(self._sync.prepare)

    async def create_tables(self) -> None:
        """Create the tables that are missing; see `DynamoBackend.create_tables`."""
        await self._bridge.threads.run(self._sync.create_tables)

    async def close(self) -> None:
        """Release the resources of the backend. The data stays."""
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

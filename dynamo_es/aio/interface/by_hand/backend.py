"""`HasBridge`: the hand-written part of asynchronous backends, which opens and closes them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self

from dynamo_es.aio.base import Over

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
"""Modules that are otherwise imported when they are first needed."""

_LONGEST: Final = 5.0
"""Most seconds that `HasBridge.close` waits for running calls."""


def _load() -> None:
    for name in _FIRST_USED:
        import_module(name)


class HasBridge(Over):
    """Opens and closes a backend and its bridge."""

    async def prepare(self) -> None:
        """Do now, in a thread, the work that the first requests would otherwise do.

        This imports modules and makes clients. Otherwise, the first requests would block the event
        loop for some tenths of a second.

        Raises:
            InputError: the backend is closed.
        """
        await self._bridge.run_in_thread(_load)
        await self._bridge.run(self._sync.prepare)

    async def create_tables(self) -> None:
        """Create the tables that are missing; see `DynamoBackend.create_tables`."""
        await self._bridge.run_in_thread(self._sync.create_tables)

    async def close(self) -> None:
        """End the running calls, and release the resources of the backend. Stored data stays.

        Later calls raise `InputError`. A running call is cancelled where it waits, and raises
        `InputError`; an append that may be stored raises `AppendOutcomeUnknownError`. Projections
        and outboxes give their leases back. This method waits at most 5 seconds for that, because a
        thread that runs your handler cannot be stopped. On a backend from `in_tenant`, it does
        nothing.
        """
        bridge = self._bridge
        if bridge.is_closed or self._sync.limited_to is not None:
            return
        bridge.is_closed = True
        try:
            await bridge.calls.end_all(_LONGEST)
        finally:
            await self._release()

    async def _release(self) -> None:
        sender: Any = getattr(self._sync, "sender", None)
        try:
            if hasattr(sender, "aclose"):
                await sender.aclose()
        finally:
            try:
                await self._bridge.threads.run(self._sync.close)
            finally:
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

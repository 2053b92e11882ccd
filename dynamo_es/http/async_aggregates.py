"""`AsyncAggregates`: scripts/async-interface writes it, from `Aggregates`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, overload

from dynamo_es.http.aggregates import TAggregate
from dynamo_es.http.async_aggregates_by_hand import MakesAggregates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from dynamo_es.aggregates.saving import TransactWith
    from dynamo_es.aggregates.streams import AggregateId
    from dynamo_es.event_store.wrapped import Context
    from dynamo_es.http.aggregates import Aggregates, Saved

R = TypeVar("R")


class AsyncAggregates(MakesAggregates[TAggregate]):
    """The aggregates of a class, for one request; see `Aggregates`.

    Args are those of `Aggregates`: an `AsyncRepository` is the first.
    """

    _sync: Aggregates[TAggregate]

    async def load(
        self,
        id: AggregateId,
    ) -> TAggregate:
        """Return an aggregate, and give the reply its ``ETag``.

        Raises:
            ProblemError: 404, the aggregate does not exist; 304, ``If-None-Match`` names its
                version; 412, ``If-Match`` does not name its version.

        It also raises the errors of `Repository.load`, and costs the same.
        """
        return await self._bridge.run(self._sync.load, id)

    @overload
    async def transact(
        self,
        id: AggregateId,
        decide: Callable[[TAggregate], Awaitable[R]],
        *,
        must_exist: bool = False,
        context: Context | None = None,
        transact_with: TransactWith[TAggregate] = (),
    ) -> Saved[TAggregate, R]: ...

    @overload
    async def transact(
        self,
        id: AggregateId,
        decide: Callable[[TAggregate], R],
        *,
        must_exist: bool = False,
        context: Context | None = None,
        transact_with: TransactWith[TAggregate] = (),
    ) -> Saved[TAggregate, R]: ...

    async def transact(
        self,
        id: AggregateId,
        decide: Callable[[TAggregate], Awaitable[R]] | Callable[[TAggregate], R],
        *,
        must_exist: bool = False,
        context: Context | None = None,
        transact_with: TransactWith[TAggregate] = (),
    ) -> Saved[TAggregate, R]:
        """Decide a command, save its events, and give the reply its ``ETag``.

        With ``If-Match``, the command is decided only on a version that the header names. Without
        it, the command is decided again after a conflict. With ``Idempotency-Key``, a repeated
        request stores nothing and has the same result.

        Args:
            id: the aggregate's id: UUID, `StreamId` or name.
            decide: as for `Repository.transact`.
            must_exist: True: refuse a command to an aggregate that does not exist.
            context: metadata for the saved events.
            transact_with: as for `Repository.transact`.

        Raises:
            ProblemError: 412, a precondition does not hold; 404, ``must_exist`` is True and the
                aggregate does not exist.
            CommandDecidedError: the idempotency key was used with another request.

        It also raises the errors of `Repository.transact`, and costs the same.
        """
        call: Any = self._sync.transact
        return await self._bridge.run(
            call,
            id,
            self._plain(decide),
            must_exist=must_exist,
            context=context,
            transact_with=transact_with,
        )

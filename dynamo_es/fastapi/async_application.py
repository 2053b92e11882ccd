"""`AsyncEventSourcing`: the event store of an application whose endpoints are coroutines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamo_es.aggregates.retries import RETRY_FOR
from dynamo_es.aio import AsyncBackend, AsyncEventStore, AsyncMemoryBackend, AsyncRepository
from dynamo_es.fastapi.sourcing import Sourcing
from dynamo_es.http import AsyncAggregates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from dynamo_es.http.aggregates import TAggregate


class AsyncEventSourcing(Sourcing[AsyncBackend, AsyncEventStore]):
    """The event store of an application with ``async def`` endpoints; see `EventSourcing`.

    ::

        events = AsyncEventSourcing(AsyncDynamoBackend.from_env, tenant=tenant)
        app = FastAPI(lifespan=events.lifespan)
        events.install(app)

    Takes the arguments of `EventSourcing`, and raises its errors. ``make_backend`` returns an
    `AsyncBackend`, and is called in a thread.

    Attributes:
        tenant_backend: a dependency that returns the backend, limited to the request's tenant.
        event_store: a dependency that returns the `AsyncEventStore` of the request's tenant.
    """

    _kind = AsyncBackend

    def aggregates(
        self,
        factory: Callable[[], TAggregate],
        *,
        every: int | None = None,
        snapshot_when: Callable[[TAggregate, int], bool] | None = None,
        retry_for: timedelta | float = RETRY_FOR,
    ) -> Callable[..., Awaitable[AsyncAggregates[TAggregate]]]:
        """Return a dependency that gives an endpoint the aggregates of the request's tenant.

        ``Accounts = Annotated[AsyncAggregates[Account], Depends(events.aggregates(Account))]``

        Takes the arguments of `AsyncRepository`, and raises its errors.
        """

        def made(event_store: AsyncEventStore, *of_request: Any) -> AsyncAggregates[TAggregate]:
            repository = AsyncRepository(
                event_store,
                factory,
                every=every,
                snapshot_when=snapshot_when,
                retry_for=retry_for,
            )
            return AsyncAggregates(repository, *of_request)

        made(AsyncMemoryBackend().event_store)  # Wrong arguments are refused here.
        return self._aggregates(made)

    async def _prepare(self, backend: AsyncBackend) -> None:
        await backend.prepare()

    async def _close(self, backend: AsyncBackend) -> None:
        await backend.close()

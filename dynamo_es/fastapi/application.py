"""`EventSourcing`: the event store of an application whose endpoints are plain functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.concurrency import run_in_threadpool

from dynamo_es.aggregates.repository import Repository
from dynamo_es.aggregates.retries import RETRY_FOR
from dynamo_es.event_store.store import EventStore
from dynamo_es.facade.backend import Backend
from dynamo_es.fastapi.sourcing import Sourcing
from dynamo_es.http import Aggregates
from dynamo_es.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from dynamo_es.http.aggregates import TAggregate


class EventSourcing(Sourcing[Backend, EventStore]):
    """Connects an application with the event store: lifespan, dependencies and error replies.

    ::

        events = EventSourcing(DynamoBackend.from_env, tenant=tenant)
        app = FastAPI(lifespan=events.lifespan)
        events.install(app)

    Write endpoints that use it with ``def``. For ``async def``, use `AsyncEventSourcing`.

    Args:
        make_backend: returns the backend; called once per process, when the application starts.
        tenant: a dependency that returns the tenant of a request, from a token, a header or the
            path. If it returns an empty text, the request is refused with 400. None: all requests
            belong to the default tenant.

    Attributes:
        tenant_backend: a dependency that returns the backend, limited to the request's tenant.
        event_store: a dependency that returns the `EventStore` of the request's tenant.

    Raises:
        InputError: ``make_backend`` is not callable.
        AsynchronousFunctionError: ``make_backend`` is asynchronous.
    """

    _kind = Backend

    def aggregates(
        self,
        factory: Callable[[], TAggregate],
        *,
        every: int | None = None,
        snapshot_when: Callable[[TAggregate, int], bool] | None = None,
        retry_for: timedelta | float = RETRY_FOR,
    ) -> Callable[..., Awaitable[Aggregates[TAggregate]]]:
        """Return a dependency that gives an endpoint the aggregates of the request's tenant.

        ``Accounts = Annotated[Aggregates[Account], Depends(events.aggregates(Account))]``

        Takes the arguments of `Repository`, and raises its errors.
        """

        def made(event_store: EventStore, *of_request: Any) -> Aggregates[TAggregate]:
            repository = Repository(
                event_store,
                factory,
                every=every,
                snapshot_when=snapshot_when,
                retry_for=retry_for,
            )
            return Aggregates(repository, *of_request)

        made(MemoryBackend().event_store)  # Wrong arguments are refused here.
        return self._aggregates(made)

    async def _close(self, backend: Backend) -> None:
        await run_in_threadpool(backend.close)

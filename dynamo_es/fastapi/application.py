"""`EventSourcing`: the backend of an application and what its endpoints depend on."""

# Without `from __future__ import annotations`: FastAPI resolves the annotations of a dependency,
# and these name objects of their own EventSourcing.

import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.concurrency import run_in_threadpool

from dynamo_es.aggregates.repository import Repository
from dynamo_es.aggregates.retries import RETRY_FOR
from dynamo_es.contracts.checks import check_kind
from dynamo_es.contracts.functions import check_injected
from dynamo_es.event_store.store import EventStore
from dynamo_es.exceptions import ConfigurationError
from dynamo_es.facade.backend import Backend
from dynamo_es.fastapi.handlers import install_handlers, is_installed
from dynamo_es.http import Aggregates, EntityTags, Preconditions, ProblemError, idempotency_key_of
from dynamo_es.http.aggregates import TAggregate
from dynamo_es.memory import MemoryBackend
from dynamo_es.values import DEFAULT_TENANT, TenantId
from dynamo_es.wording import shown

Tenant = Callable[..., TenantId | Awaitable[TenantId]]
"""A dependency of FastAPI that returns the tenant of a request."""

_IF_MATCH: Final = Header(
    alias="If-Match",
    description="The ETag that you got: the request is carried out only on that version.",
)
_IF_NONE_MATCH: Final = Header(
    alias="If-None-Match",
    description="`*`: a command is carried out only if there is nothing yet. An ETag: a query "
    "replies with 304 while the version is the same.",
)
_IDEMPOTENCY_KEY: Final = Header(
    alias="Idempotency-Key",
    description="A text of your choice, such as a UUID. A command that comes again with the same "
    "key is carried out once, and gets the same reply.",
)


async def preconditions(
    request: Request,
    _if_match: Annotated[str | None, _IF_MATCH] = None,
    _if_none_match: Annotated[str | None, _IF_NONE_MATCH] = None,
) -> Preconditions:
    """Return the conditions of a request: a dependency.

    Raises:
        ProblemError: 400, a header is malformed.
    """
    return Preconditions(
        EntityTags.parse("If-Match", request.headers.getlist("if-match")),
        EntityTags.parse("If-None-Match", request.headers.getlist("if-none-match")),
    )


async def idempotency_key(
    request: Request, _idempotency_key: Annotated[str | None, _IDEMPOTENCY_KEY] = None
) -> str | None:
    """Return the ``Idempotency-Key`` of a request, for ``command_id``: a dependency.

    Raises:
        ProblemError: 400, the header is malformed.
    """
    return idempotency_key_of(request.headers.getlist("idempotency-key"))


async def default_tenant() -> TenantId:
    """Return the default tenant: a dependency, for applications without tenants."""
    return DEFAULT_TENANT


class EventSourcing:
    """The event store of an application: its lifespan, its dependencies and its errors.

    ::

        events = EventSourcing(DynamoBackend.from_env, tenant=tenant)
        app = FastAPI(lifespan=events.lifespan)
        events.install(app)

    Args:
        make_backend: returns the backend; called once per process, when the application starts.
        tenant: a dependency that returns the tenant of a request, from a token, a header or the
            path. Without a tenant it returns the empty text, and the request is refused with 400.
            None: all requests are of the default tenant.

    Attributes:
        tenant_backend: a dependency; the backend, limited to the tenant of the request.
        event_store: a dependency; the `EventStore` of the request's tenant.

    Raises:
        InputError: ``make_backend`` is not callable.
        AsynchronousFunctionError: ``make_backend`` is asynchronous.
    """

    def __init__(
        self, make_backend: Callable[[], Backend], *, tenant: Tenant | None = None
    ) -> None:
        check_injected(make_backend=make_backend)
        self._make = make_backend
        self._tenant: Tenant = tenant or default_tenant
        self._lock = threading.Lock()
        self._backend: Backend | None = None
        self._running = 0
        self.tenant_backend, self.event_store = self._depend_on_tenant()

    def install(self, app: FastAPI) -> None:
        """Let an application answer errors of the event store with ``problem+json``."""
        install_handlers(app)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncGenerator[None, None]:
        """Make the backend when the application starts, and close it when the application ends.

        Inside a lifespan of your own, write ``async with events.lifespan(app):``. Applications
        that run at the same time share the backend.

        Raises:
            ConfigurationError: ``make_backend`` returned something else, or the application has no
                handlers for errors of the event store.
        """
        if isinstance(app, FastAPI) and not is_installed(app):
            raise ConfigurationError(
                "The application does not answer errors of the event store: call "
                "events.install(app)."
            )
        await run_in_threadpool(self._start)
        try:
            yield
        finally:
            await run_in_threadpool(self._end)

    def _start(self) -> None:
        with self._lock:
            if self._backend is None:
                backend = self._make()
                check_kind("make_backend's result", backend, Backend, ConfigurationError)
                self._backend = backend
            self._running += 1

    def _end(self) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0 and self._backend is not None:
                backend, self._backend = self._backend, None
                backend.close()

    async def backend(self) -> Backend:
        """Return the backend of all tenants: a dependency.

        A test can replace it: ``app.dependency_overrides[events.backend] = lambda: backend``.

        Raises:
            ConfigurationError: the application has not started.
        """
        if self._backend is None:
            raise ConfigurationError(
                "The application has no backend yet: create it with "
                "FastAPI(lifespan=events.lifespan), and in tests enter the client: "
                "with TestClient(app) as client."
            )
        return self._backend

    def aggregates(
        self,
        factory: Callable[[], TAggregate],
        *,
        every: int | None = None,
        snapshot_when: Callable[[TAggregate, int], bool] | None = None,
        retry_for: timedelta | float = RETRY_FOR,
    ) -> Callable[..., Awaitable[Aggregates[TAggregate]]]:
        """Return a dependency: the aggregates of the request's tenant.

        ``Accounts = Annotated[Aggregates[Account], Depends(events.aggregates(Account))]``

        Args and errors are those of `Repository`.
        """

        def repository_of(event_store: EventStore) -> Repository[TAggregate]:
            return Repository(
                event_store,
                factory,
                every=every,
                snapshot_when=snapshot_when,
                retry_for=retry_for,
            )

        repository_of(MemoryBackend().event_store)  # Wrong arguments are refused here.

        async def aggregates(
            response: Response,
            event_store: Annotated[EventStore, Depends(self.event_store)],
            conditions: Annotated[Preconditions, Depends(preconditions)],
            key: Annotated[str | None, Depends(idempotency_key)],
        ) -> Aggregates[TAggregate]:
            return Aggregates(
                repository_of(event_store), conditions, key, response.headers.__setitem__
            )

        return aggregates

    def _depend_on_tenant(
        self,
    ) -> tuple[Callable[..., Awaitable[Backend]], Callable[..., Awaitable[EventStore]]]:
        async def tenant_backend(
            backend: Annotated[Backend, Depends(self.backend)],
            tenant_id: Annotated[TenantId, Depends(self._tenant)],
        ) -> Backend:
            if self._tenant is not default_tenant:
                _check_tenant(tenant_id)
            return backend.in_tenant(tenant_id)

        async def event_store(
            backend: Annotated[Backend, Depends(tenant_backend)],
        ) -> EventStore:
            return backend.event_store

        return tenant_backend, event_store


def _check_tenant(tenant_id: object) -> None:
    """Raise unless it is text, and not the id of the default tenant."""
    if not isinstance(tenant_id, str):
        raise ConfigurationError(
            f"The function tenant must return text, not {shown(tenant_id)}: the tenant's id."
        )
    if tenant_id == DEFAULT_TENANT:
        raise ProblemError(400, "The request names no tenant.")

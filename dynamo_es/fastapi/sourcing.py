"""The dependencies of endpoints, and the lifespan, for both kinds of backend."""

# No `from __future__ import annotations` here: FastAPI would resolve the annotations as text, and
# those of the inner functions name attributes of `self`.

import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.concurrency import run_in_threadpool

from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.contracts.checks.functions import check_injected
from dynamo_es.exceptions import ConfigurationError
from dynamo_es.fastapi.handlers import install_handlers, is_installed
from dynamo_es.http import (
    EntityTags,
    Preconditions,
    ProblemError,
    idempotency_key_of,
)
from dynamo_es.values import DEFAULT_TENANT, TenantId
from dynamo_es.wording import shown

BackendT = TypeVar("BackendT")
StoreT = TypeVar("StoreT")

Tenant = Callable[..., TenantId | Awaitable[TenantId]]
"""A dependency of FastAPI that returns the tenant of a request."""

_IF_MATCH: Final = Header(
    alias="If-Match",
    description="The ETag of an earlier reply. The request is carried out only on that version.",
)
_IF_NONE_MATCH: Final = Header(
    alias="If-None-Match",
    description="`*`: a command is carried out only if the aggregate does not exist yet. An ETag: "
    "a query gets a 304 while the version is still the same.",
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
    """Return the preconditions of a request. Use it as a dependency.

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
    """Return the ``Idempotency-Key`` of a request, for ``command_id``. Use it as a dependency.

    Raises:
        ProblemError: 400, the header is malformed.
    """
    return idempotency_key_of(request.headers.getlist("idempotency-key"))


async def default_tenant() -> TenantId:
    """Return the default tenant. Applications without tenants use it as a dependency."""
    return DEFAULT_TENANT


class Sourcing(Generic[BackendT, StoreT]):
    """The lifespan and the dependencies of an application, for either kind of backend."""

    _kind: ClassVar[type]

    def __init__(
        self, make_backend: Callable[[], BackendT], *, tenant: Tenant | None = None
    ) -> None:
        check_injected(make_backend=make_backend)
        self._make = make_backend
        self._tenant: Tenant = tenant or default_tenant
        self._lock = threading.Lock()
        self._backend: BackendT | None = None
        self._running = 0
        self.tenant_backend, self.event_store = self._depend_on_tenant()

    def install(self, app: FastAPI) -> None:
        """Make an application reply to event store errors with ``problem+json``."""
        install_handlers(app)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncGenerator[None, None]:
        """Make the backend when the application starts, and close it when the application ends.

        Inside a lifespan of your own, write ``async with events.lifespan(app):``. Applications
        that run at the same time in one process share the backend.

        Raises:
            ConfigurationError: ``make_backend`` returned something else, or the application has no
                handlers for errors of the event store.
        """
        if isinstance(app, FastAPI) and not is_installed(app):
            raise ConfigurationError(
                "The application does not handle errors of the event store: call "
                "events.install(app)."
            )
        backend = await run_in_threadpool(self._start)
        try:
            await self._prepare(backend)
            yield
        finally:
            if await run_in_threadpool(self._end):
                await self._close(backend)

    def _start(self) -> BackendT:
        with self._lock:
            if self._backend is None:
                backend = self._make()
                check_kind("make_backend's result", backend, self._kind, ConfigurationError)
                self._backend = backend
            self._running += 1
            return self._backend

    def _end(self) -> bool:
        """Note that an application has ended; return whether it was the last one."""
        with self._lock:
            self._running -= 1
            if self._running > 0:
                return False
            self._backend = None
            return True

    async def _prepare(self, backend: BackendT) -> None:
        """Prepare the backend, so that the first request does not wait for it."""

    async def _close(self, backend: BackendT) -> None:
        raise NotImplementedError

    async def backend(self) -> BackendT:
        """Return the backend, not limited to a tenant. Use it as a dependency.

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

    def _aggregates(self, make: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        """Return a dependency that returns what a function makes for a request."""

        async def aggregates(
            response: Response,
            event_store: Annotated[Any, Depends(self.event_store)],
            conditions: Annotated[Preconditions, Depends(preconditions)],
            key: Annotated[str | None, Depends(idempotency_key)],
        ) -> Any:
            return make(event_store, conditions, key, response.headers.__setitem__)

        return aggregates

    def _depend_on_tenant(
        self,
    ) -> tuple[Callable[..., Awaitable[BackendT]], Callable[..., Awaitable[StoreT]]]:
        async def tenant_backend(
            backend: Annotated[Any, Depends(self.backend)],
            tenant_id: Annotated[TenantId, Depends(self._tenant)],
        ) -> Any:
            if self._tenant is not default_tenant:
                _check_tenant(tenant_id)
            return backend.in_tenant(tenant_id)

        async def event_store(backend: Annotated[Any, Depends(tenant_backend)]) -> Any:
            return backend.event_store

        return tenant_backend, event_store


def _check_tenant(tenant_id: object) -> None:
    """Raise unless the tenant is text and is not the id of the default tenant."""
    if not isinstance(tenant_id, str):
        raise ConfigurationError(
            f"The function tenant must return the tenant's id as text, not {shown(tenant_id)}."
        )
    if tenant_id == DEFAULT_TENANT:
        raise ProblemError(400, "The request names no tenant.")

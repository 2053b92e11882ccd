"""`Browser`: the backend and the settings that all pages share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from dynamo_es.ui.reading import reading_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from dynamo_es.facade.backend import Backend
    from dynamo_es.ui.reading import Reading
    from dynamo_es.values import TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """The backend and the settings that all pages share.

    Attributes:
        backend: backend of all tenants, or of the one that the browser is limited to.
        allow_writes: whether pages may change what is stored.
        reveal: whether pages show encrypted fields in clear text.
        tenant: the only tenant that pages show; None: all tenants.
        csrf_token: the token that each form that writes must send.
        title: the name of what the browser shows, such as the names of the tables.
    """

    backend: Backend
    allow_writes: bool
    reveal: bool
    tenant: TenantId | None
    csrf_token: str
    title: str

    def check_tenant(self, tenant_id: TenantId) -> TenantId:
        """Return the tenant id if this browser may show the tenant.

        Raises:
            HTTPException: 403, the browser is limited to another tenant.
        """
        if self.tenant is not None and tenant_id != self.tenant:
            raise HTTPException(
                403,
                f"This browser shows only the tenant {self.tenant!r}. To see another one, start "
                "dynamo-es ui with that tenant, or without --tenant.",
            )
        return tenant_id

    def backend_of(self, tenant_id: TenantId) -> Backend:
        """Return a backend limited to a tenant. Raises the error of `check_tenant`."""
        return self.backend.in_tenant(self.check_tenant(tenant_id))

    @property
    def scoped(self) -> Backend:
        """The backend of all tenants, or limited to the only one that pages show."""
        return self.backend if self.tenant is None else self.backend.in_tenant(self.tenant)

    @property
    def reading(self) -> Reading:
        """The reader for the pages of streams."""
        return reading_of(self.backend)


def browser_of(request: Request) -> Browser:
    """Return the browser that serves a request."""
    state: Any = request.app.state
    browser: Browser = state.browser
    return browser

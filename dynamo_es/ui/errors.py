"""Error pages: the status and the message that each error gets."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.exceptions import (
    CredentialsError,
    InputError,
    PrivacyError,
    ServiceError,
    StoredItemError,
    StreamGapError,
    TableNotFoundError,
    TenantRequiredError,
    ThrottledError,
    UnavailableError,
    UnknownConsumerError,
    UnknownOutboxEntryError,
)
from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.queries import address
from dynamo_es.ui.rendering import render
from dynamo_es.ui.security import HEADERS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_log = logging.getLogger("dynamo_es.ui")

_STATUSES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (InputError, 400),
    (UnknownConsumerError, 404),
    (UnknownOutboxEntryError, 404),
    (CredentialsError, 403),
    (TableNotFoundError, 503),
    (ThrottledError, 503),
    (UnavailableError, 503),
    (ServiceError, 502),
    (StoredItemError, 500),
    (StreamGapError, 500),
    (PrivacyError, 500),
)


def refused(request: Request, error: Any) -> Response:
    """Return the page for a request that this server refuses, such as an unknown path."""
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = _WORDS.get(error.status_code, detail)
    return _page(request, error.status_code, detail, error.headers)


def failed(request: Request, error: Any) -> Response:
    """Return the page for an error of the library. Its message says what to do."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    if isinstance(error, TenantRequiredError) and request.url.path in _LOGS:
        return _choose_log(request)
    if isinstance(error, CredentialsError) and _is_kept_from_the_log(request, error):
        return _page(request, status, _NOT_FOR_ONE_TENANT, cause=str(error))
    return _page(request, status, str(error))


_LOGS: Final = ("/log", "/log/live", "/plots")
"""Pages that show a log. They ask for a tenant if each tenant has a log."""
_MOST_TENANTS: Final = 1_000


def _choose_log(request: Request) -> Response:
    tenants = sorted(browser_of(request).scoped.log.tenants())
    links = [
        (tenant, address(request.url.path, tenant=tenant))
        if tenant
        else (tenant, address(request.url.path, default_tenant="1"))
        for tenant in tenants[:_MOST_TENANTS]
    ]
    more = len(tenants) - len(links)
    return render(request, "choose_log.html", section="/log", tenants=links, more=more)


def unexpected(request: Request, error: Exception) -> Response:
    """Return the page for an error that should not happen. The log has its traceback."""
    _log.error("The page %s failed: %s", request.url.path, trace_error(error))
    return _page(
        request,
        500,
        f"This page failed with {type(error).__name__}, which is a bug in this program. The log "
        "output of dynamo-es ui has the details.",
        HEADERS,
    )


def _is_kept_from_the_log(request: Request, error: CredentialsError) -> bool:
    return browser_of(request).tenant is not None and error.code == "AccessDeniedException"


_NOT_FOR_ONE_TENANT: Final = (
    "This page reads the log table. The log holds the events of all tenants, so a session of one "
    "tenant may not read it. You can still open each stream of the tenant from the first page, by "
    "its name or its id. To see this page, start dynamo-es ui without --tenant-role, with "
    'credentials that may read the log. If each tenant has a log (log_scope="tenant"), give the '
    "role the policy OneTenantLog instead; lists that scan the table remain closed to it."
)

_WORDS: Final = {
    404: "There is no such page.",
    405: "This page does not accept this kind of request.",
}


def _page(
    request: Request, status: int, message: str, headers: Any = None, cause: str = ""
) -> Response:
    return render(
        request,
        "error.html",
        status=status,
        headers=headers,
        phrase=HTTPStatus(status).phrase,
        code=status,
        message=message,
        cause=cause,
    )

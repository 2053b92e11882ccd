"""Retry, skip and reset of consumers. A page asks for confirmation first, without JavaScript."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Route

from dynamo_es.contracts import Followed
from dynamo_es.projections.manual_changes import reset_version, skip_version
from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.pages.consumers import backend_of, backend_tenant
from dynamo_es.ui.queries import MAX_NUMBER, MAX_TEXT, address
from dynamo_es.ui.rendering import render
from dynamo_es.ui.security import writes
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from dynamo_es.values import TenantId

_ACTIONS: Final = {
    "projection": ("skip", "reset"),
    "projector": ("skip", "reset"),
    "outbox": ("retry", "retry-all", "skip", "reset"),
}

_NEED_NO_PLACE: Final = ("retry-all", "reset")


@dataclass(frozen=True, slots=True)
class Order:
    """An action on a consumer that an operator asks for in a query or a form.

    Attributes:
        kind: ``projection``, ``projector`` or ``outbox``.
        action: ``skip``, ``reset``, ``retry`` or ``retry-all``.
        name: name of the consumer.
        tenant: tenant of the consumer; None: it handles the events of all tenants.
        category: category of a projector's stream.
        id: UUID of a projector's stream.
        generation: generation of a projector's stream.
        at: position of the event, or for a projector its version, 1-based; None: the form asks.
    """

    kind: str
    action: str
    name: str
    tenant: TenantId | None
    category: str | None
    id: str
    generation: int
    at: int | None

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Order:
        """Return the order in a query or a form.

        Raises:
            HTTPException: 400, the query or the form is not a valid order.
        """
        if any(len(value) > MAX_TEXT for value in fields.values()):
            raise HTTPException(400, f"A field is longer than {MAX_TEXT:,} characters.")
        kind, action = fields.get("kind", ""), fields.get("action", "")
        if action not in _ACTIONS.get(kind, ()):
            raise HTTPException(400, "This kind of consumer has no such action.")
        if "name" not in fields:
            raise HTTPException(400, "Give the name of the consumer: name.")
        order = cls(
            kind,
            action,
            fields["name"],
            fields.get("tenant"),
            fields.get("category"),
            fields.get("id", ""),
            _number(fields, "generation") or 0,
            _number(fields, "at"),
        )
        if order.at is None and action not in _NEED_NO_PLACE:
            raise HTTPException(400, "Give the position or version of the event: at.")
        if kind == "projector":
            order.followed()
        return order

    @property
    def unit(self) -> str:
        """The unit of `at`: ``position`` or ``version``."""
        return "version" if self.kind == "projector" else "position"

    @property
    def back(self) -> str:
        """Address of the consumer's page."""
        query: dict[str, object] = {"name": self.name, "tenant": self.tenant}
        if self.kind == "projector":
            query |= {"category": self.category, "id": self.id, "generation": self.generation}
        return address(f"/consumers/{self.kind}", **query)

    @property
    def target(self) -> str:
        """Address that the form is sent to."""
        query: dict[str, object] = {"kind": self.kind, "action": self.action}
        query |= {"name": self.name, "tenant": self.tenant}
        if self.kind == "projector":
            query |= {"category": self.category, "id": self.id, "generation": self.generation}
        return address("/consumers/act", **query)

    def followed(self) -> Followed:
        """Return a projector's stream.

        Raises:
            HTTPException: 400, the id is not a UUID.
        """
        try:
            stream_id = StreamId(UUID(self.id), category=self.category)
        except ValueError:
            raise HTTPException(400, f"id must be a UUID, not {self.id[:40]!r}.") from None
        return Followed(self.name, stream_id, self.tenant or "", self.generation)


def confirm(request: Request) -> Response:
    """Ask for confirmation before a consumer is changed."""
    order = Order.of(request.query_params)
    backend_of(request, order.tenant)
    return render(request, "confirm.html", section="/consumers", order=order)


def act(request: Request, form: dict[str, str]) -> Response:
    """Do what was confirmed, and go back to the consumer's page.

    The consumer is in the address, because form fields would lose some control characters.
    """
    order = Order.of({**request.query_params, **form})
    _ACTS[order.kind](request, order)
    return RedirectResponse(order.back, 303)


def _act_on_projection(request: Request, order: Order) -> None:
    checkpoints = backend_of(request, order.tenant).checkpoints
    at = _place(order)
    if order.action == "reset":
        checkpoints.reset(order.name, at)
        return
    tenant = backend_tenant(request, order.tenant)
    found = [one for one in checkpoints.all() if (one.name, one.tenant_id) == (order.name, tenant)]
    failure = found[0].failure if found else None
    if failure is None or failure.place != at:
        raise _gone()
    checkpoints.move(order.name, at)


def _act_on_projector(request: Request, order: Order) -> None:
    followed = order.followed()
    cursors = browser_of(request).backend_of(followed.tenant_id).cursors
    cursor = cursors.info(followed)
    if cursor is None:
        raise HTTPException(404, "The read model has no cursor in that stream.")
    followed = followed._replace(generation=cursor.generation)
    now_ms = int(time.time() * 1000)
    if order.action == "reset":
        reset_version(cursors, followed, _place(order), now_ms)
    elif not skip_version(cursors, followed, _place(order), now_ms):
        raise _gone()


def _act_on_outbox(request: Request, order: Order) -> None:
    outbox = backend_of(request, order.tenant).outbox.named(order.name)
    match order.action:
        case "retry":
            outbox.retry(_place(order))
        case "retry-all":
            outbox.retry_all()
        case "skip":
            outbox.skip(_place(order))
        case _:
            outbox.reset(_place(order))


_ACTS: Final = {
    "projection": _act_on_projection,
    "projector": _act_on_projector,
    "outbox": _act_on_outbox,
}


def _place(order: Order) -> int:
    if order.at is None:
        raise HTTPException(400, f"Give a {order.unit}: a whole number of 0 or more.")
    return order.at


def _gone() -> HTTPException:
    return HTTPException(
        409, "The consumer is not at that event any more. Nothing was changed. Load its page again."
    )


def _number(fields: Mapping[str, str], name: str) -> int | None:
    text = fields.get(name, "").strip()
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_NUMBER)):
        return min(int(text), MAX_NUMBER)
    raise HTTPException(400, f"{name} must be a whole number of 0 or more, not {text[:40]!r}.")


routes = [
    Route("/consumers/confirm", confirm),
    Route("/consumers/act", writes(act), methods=["POST"]),
]

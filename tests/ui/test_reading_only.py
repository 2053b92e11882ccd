"""A browser that only reads sends no request that writes, whatever page is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from dynamo_es import StreamId
from dynamo_es.cli.demonstration.ui_history import (
    BANK,
    COURSES,
    UNIVERSITY,
    choose_for_outbox,
    fill_bank,
    fill_boundary,
    fill_consumers,
)
from dynamo_es.dynamodb.maintenance.repair import repair
from dynamo_es.ui.application import _routes
from dynamo_es.ui.queries import address, boundary_address, event_address, stream_address
from tests.ui.conftest import browse

ANN = StreamId(name="account/ann", category="account")
BOB = StreamId(name="account/bob", category="account")
READS = {"GetItem", "BatchGetItem", "Query", "Scan", "DescribeTable", "TransactGetItems"}
CONSUMERS = (
    ("projection", {"name": "balances", "at": 9}),
    (
        "projector",
        {"name": "statements", "tenant": BANK, "category": "account", "id": BOB, "at": 3},
    ),
    ("outbox", {"name": "outbox", "at": 11}),
)
PAGES = {
    "/": "/",
    "/open": address("/open", tenant=BANK, category="account", stream="account/ann"),
    "/search": address("/search", q="account/ann"),
    "/streams": address("/streams", tenant=BANK, category="account", prefix="acc"),
    "/stream": stream_address(BANK, ANN),
    "/stream/as-it-was": stream_address(BANK, ANN, "/stream/as-it-was", version=2),
    "/event": event_address(BANK, ANN, 1),
    "/boundary": boundary_address(UNIVERSITY, COURSES, query="course:maths", after=2),
    "/conversation": stream_address(BANK, ANN, "/conversation", of="x"),
    "/log": "/log",
    "/log/live": "/log/live",
    "/consumers": "/consumers",
    "/consumers/projection": address("/consumers/projection", name="balances"),
    "/consumers/projector": address("/consumers/projector", **CONSUMERS[1][1]),
    "/consumers/outbox": address("/consumers/outbox", name="outbox"),
    "/consumers/confirm": address(
        "/consumers/confirm", kind="projection", action="reset", name="balances"
    ),
    "/verify": "/verify",
    "/plots": "/plots",
}
FOLLOWED = {"/log/tail"}
"""A page that does not end: tests/ui/test_tail.py reads it."""


@pytest.fixture
def sent(dynamo):
    """The operations that a store with a history is sent from now on."""
    dynamo.with_outbox(choose_for_outbox)
    fill_bank(dynamo)
    fill_boundary(dynamo)
    repair(dynamo.config, lambda: dynamo.client)
    fill_consumers(dynamo)
    operations: list[str] = []

    def note(model: Any, **_: Any) -> None:
        operations.append(model.name)

    dynamo.client.meta.events.register("before-call.dynamodb", note)
    yield operations
    dynamo.client.meta.events.unregister("before-call.dynamodb", note)


def test_every_page_is_among_them():
    routes: list[Any] = list(_routes())
    pages = {one.path for one in routes if "POST" not in (getattr(one, "methods", None) or ())}
    assert pages - {"/static"} == {*PAGES, *FOLLOWED}


@pytest.mark.parametrize("options", [{}, {"reveal": True}])
def test_pages_send_no_request_that_writes(dynamo, sent, options):
    client = browse(dynamo, **options)
    for path in PAGES.values():
        assert client.get(path).status_code in {200, 303}, path
    assert {*sent} <= READS
    assert "Query" in sent


def test_actions_send_nothing_at_all(dynamo, sent):
    client: Any = browse(dynamo)
    token = client.app.state.browser.csrf_token
    for kind, query in CONSUMERS:
        for action in ("retry", "retry-all", "skip", "reset"):
            path = address("/consumers/act", kind=kind, action=action, **query)
            refused = client.post(path, data={"csrf": token, "at": str(query["at"])})
            assert refused.status_code == 403
    assert sent == []

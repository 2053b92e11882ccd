"""Pages through a session of one tenant, whose policy does not reach the log."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynamo_es import DynamoBackend, StreamId
from dynamo_es.ui import observe
from dynamo_es.ui.queries import event_address, stream_address
from tests.ui.conftest import append, browse, raw

TENANT = "acme"
ONE = StreamId(name="one", category="c")
ALLOWED = {"GetItem", "PutItem", "Query"}


@pytest.fixture
def client(dynamo):
    """A client that allows what the policy OneTenant allows."""
    append(dynamo.in_tenant(TENANT), raw(ONE, 1, "Opened"), raw(ONE, 2, correlation_id="x"))

    def refuse(params: dict[str, Any], model: Any, **_: Any) -> None:
        body = params["body"]
        text = body if isinstance(body, str) else body.decode()
        if model.name not in ALLOWED or '"log"' in text or f'"{TENANT}#' not in text:
            error = {"Error": {"Code": "AccessDeniedException", "Message": "not allowed"}}
            raise ClientError(error, model.name)  # type: ignore[arg-type]

    dynamo.client.meta.events.register("before-call.dynamodb", refuse)
    backend = DynamoBackend(dynamo.config, client=dynamo.client, observer=observe)
    yield browse(backend.in_tenant(TENANT), tenant=TENANT)
    dynamo.client.meta.events.unregister("before-call.dynamodb", refuse)


def test_the_first_page_opens_streams_instead_of_listing_them(client):
    page = client.get("/")
    assert page.status_code == 200
    assert "The log cannot be read with these credentials" in page.text
    opened = client.get("/open?category=c&stream=one")
    assert opened.status_code == 303
    assert "tenant=acme" in opened.headers["location"]


def test_streams_and_events_can_be_looked_at(client):
    page = client.get(stream_address(TENANT, ONE))
    assert page.status_code == 200
    assert "Opened" in page.text
    page = client.get(event_address(TENANT, ONE, 2))
    assert page.status_code == 200
    assert "these credentials do not reach the log" in page.text
    assert client.get(stream_address(TENANT, ONE, "/stream/as-it-was")).status_code == 200


def test_a_conversation_is_looked_for_in_the_stream_alone(client):
    page = client.get(stream_address(TENANT, ONE, "/conversation", of="x", version=2))
    assert page.status_code == 200
    assert "only the event&#39;s own stream was searched" in page.text.replace("'", "&#39;")
    assert "Deposited" in page.text


def test_a_search_and_a_list_say_what_they_cannot_read(client):
    assert client.get("/search?q=one").status_code == 200
    assert client.get("/streams?tenant=acme&category=c").status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/log",
        "/log/live",
        "/log/tail",
        "/plots",
        "/consumers",
        "/consumers/outbox?name=outbox",
        "/consumers/projection?name=balances",
        f"/consumers/projector?name=x&tenant={TENANT}&category=c&id={ONE}",
        f"/streams?tenant={TENANT}&category=c",
    ],
)
def test_a_page_of_the_log_says_why_it_is_kept_back_and_what_to_do(client, path):
    page = client.get(path)
    assert page.status_code == 403
    assert "a session of one tenant may not read it" in page.text
    assert "without --tenant-role" in page.text
    assert "AccessDeniedException" in page.text


def test_credentials_that_ended_are_not_taken_for_that(dynamo):
    def refuse(model: Any, **_: Any) -> None:
        error = {"Error": {"Code": "ExpiredTokenException", "Message": "expired"}}
        raise ClientError(error, model.name)  # type: ignore[arg-type]

    dynamo.client.meta.events.register("before-call.dynamodb", refuse)
    page = browse(dynamo.in_tenant(TENANT), tenant=TENANT).get("/log")
    dynamo.client.meta.events.unregister("before-call.dynamodb", refuse)
    assert page.status_code == 403
    assert "ExpiredTokenException" in page.text
    assert "--tenant-role" not in page.text

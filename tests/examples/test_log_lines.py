"""What the example's functions log: one line for each request, and no value of an event in any."""

from __future__ import annotations

import json
import runpy
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.examples.fronts import EXAMPLE, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CLEAR = "ann@example.com"
AMOUNT = 987_654_321


@pytest.fixture(scope="module")
def local() -> Iterator[Any]:
    path = list(sys.path)
    yield runpy.run_path(str(EXAMPLE / "local.py"))["Local"]()
    sys.path[:] = path


@pytest.fixture
def lines(local, monkeypatch, caplog, capsys):
    """All that the functions write: log lines with their fields, and what they print."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "accounts")
    monkeypatch.setattr("dynamo_es.aws_lambda.metrics._states", lambda _: ["Enabled"])
    caplog.set_level("DEBUG", "accounts")
    caplog.set_level("DEBUG", "dynamo_es")

    def read() -> str:
        printed = capsys.readouterr()
        fields = [str(vars(record)) for record in caplog.records]
        return "\n".join([caplog.text, printed.out, printed.err, *fields])

    return read


def post(local: Any, tenant: str, place: str, body: Any, **headers: str) -> dict[str, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"x-tenant": tenant} | {key.replace("_", "-"): value for key, value in headers.items()}
    request = request_of("POST", f"/accounts/{place}", content, named)
    reply: dict[str, Any] = local.application.command_handler(request)
    return reply


def test_a_request_is_one_line_with_its_route_status_and_correlation_id(local, caplog):
    caplog.set_level("INFO", "accounts")

    post(local, "one", "ann/open", {"owner": "Ann"}, x_correlation_id="order-7")
    post(local, "one", "ann/open", {"owner": "Ann"})

    opened, refused = (vars(one) for one in caplog.records if one.name == "accounts")
    assert opened["message"] == "Replied with 202"
    assert opened["route"] == refused["route"] == "POST /accounts/{account}/{command}"
    assert (opened["status"], opened["correlation_id"]) == (202, "order-7")
    assert (refused["status"], refused["correlation_id"]) == (409, "JKJaXmPLvHcESHA=")
    assert refused["error"] == "RefusedError"
    assert opened["ms"] >= 0


def test_no_line_has_a_value_of_an_event_whatever_happens(local, lines, monkeypatch):
    tenant = "two"
    assert post(local, tenant, "x/open", {"owner": CLEAR})["statusCode"] == 202
    assert post(local, tenant, "x/open", {"owner": CLEAR})["statusCode"] == 409
    key = {"idempotency_key": CLEAR}
    assert post(local, tenant, "x/deposit", {"amount": AMOUNT}, **key)["statusCode"] == 202
    assert post(local, tenant, "x/deposit", {"amount": AMOUNT}, **key)["statusCode"] == 202
    assert post(local, tenant, "x/deposit", {"amount": 1}, **key)["statusCode"] == 422
    for body in ({"owner": CLEAR, "amount": CLEAR}, f'"{CLEAR}'.encode(), [CLEAR], CLEAR):
        assert post(local, tenant, "x/deposit", body)["statusCode"] in {400, 422}
    assert post(local, tenant, "x/deposit", {"amount": 1}, if_match=CLEAR)["statusCode"] == 400
    assert post(local, tenant, "x/deposit", {"amount": 1}, x_correlation_id=CLEAR + " ")
    local.poll()
    query = request_of("GET", "/accounts/x/statement", headers={"x-tenant": tenant})
    assert str(AMOUNT) in local.application.query_handler(query)["body"]

    written = lines()
    assert "Replied with 202" in written
    assert CLEAR not in written
    assert str(AMOUNT) not in written


def test_an_unexpected_error_is_answered_and_logged_without_its_text(local, lines, monkeypatch):
    def broken(*_: object) -> None:
        raise ValueError(f"cannot show {CLEAR}")

    monkeypatch.setattr(local.read_model, "balance", broken)
    request = request_of("GET", "/accounts/x", headers={"x-tenant": "two"})
    reply = local.application.query_handler(request)

    assert reply["statusCode"] == 500
    assert reply["headers"]["content-type"] == "application/problem+json"
    assert reply["headers"]["x-correlation-id"] == "JKJaXmPLvHcESHA="
    assert "Idempotency-Key" in json.loads(reply["body"])["detail"]
    written = lines()
    assert "ValueError at " in written
    assert "broken:" in written
    assert CLEAR not in written + reply["body"]


@pytest.mark.parametrize("method", ["apply", "note"])
def test_a_read_model_that_fails_logs_the_correlation_id_and_no_value(
    local, lines, monkeypatch, caplog, method
):
    def broken(recorded: Any) -> None:
        raise ValueError(repr(recorded.wrapped_event.event))

    tenant = f"failing {method}"
    post(local, tenant, "y/open", {"owner": CLEAR}, x_correlation_id="order-9")
    with monkeypatch.context() as patched:
        patched.setattr(local.read_model, method, broken)
        local.poll()

    failed = [vars(one) for one in caplog.records if "ValueError" in one.getMessage()]
    assert failed
    assert all(one["correlation_id"] == "order-9" for one in failed)
    assert CLEAR not in lines()
    local.poll()  # the next call applies it
    shown = {"apply": "/accounts/y", "note": "/activity"}[method]
    query = request_of("GET", shown, headers={"x-tenant": tenant})
    assert local.application.query_handler(query)["statusCode"] == 200

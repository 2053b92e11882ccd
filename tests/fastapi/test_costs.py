"""The requests to DynamoDB that a request over HTTP costs."""

from __future__ import annotations

import pytest

from dynamo_es import DynamoBackend, OperationReport
from tests.fastapi.bank import Bank, application
from tests.fastapi.client import TestClient


@pytest.fixture
def costs():
    """Return a function that does something and returns the operations and their requests."""
    reports: list[OperationReport] = []
    backend = DynamoBackend.local(observer=reports.append, sequencing="stream")
    with TestClient(application(lambda: backend)) as client:
        bank = Bank(client, backend)

        def cost(method: str, *given, **headers: str) -> list[tuple[str, int]]:
            reports.clear()
            reply = getattr(bank, method)(*given, **headers)
            assert reply.status_code in {200, 201, 304, 412}, reply.text
            cost.etag = reply.headers["etag"]  # type: ignore[attr-defined]
            return [(one.operation, one.requests) for one in reports]

        yield cost


def test_conditions_and_keys_cost_no_request_more(costs):
    plain = [("load", 1), ("append", 1)]

    assert costs("open", "ann") == plain
    assert costs("deposit", "ann", 1) == plain
    assert costs("deposit", "ann", 1, if_match=costs.etag) == plain
    assert costs("deposit", "ann", 1, idempotency_key="k") == plain


def test_a_query_costs_a_load_and_a_refusal_or_a_repeated_command_no_append(costs):
    costs("open", "ann")

    assert costs("show", "ann") == [("load", 1)]
    assert costs("show", "ann", if_none_match=costs.etag) == [("load", 1)]
    assert costs("deposit", "ann", 1, if_match='"x"') == [("load", 1)]
    costs("deposit", "ann", 1, idempotency_key="k")
    assert costs("deposit", "ann", 1, idempotency_key="k") == [("load", 1)]

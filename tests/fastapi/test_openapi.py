"""OpenAPI documents headers and errors."""

from __future__ import annotations

import json

import pytest

from dynamo_es import MemoryBackend
from tests.fastapi.bank import application


@pytest.fixture(scope="module")
def paths():
    return application(MemoryBackend).openapi()["paths"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_headers_of_a_request_are_documented(paths, method):
    given = {
        one["name"]: one
        for one in paths["/accounts/{name}"][method]["parameters"]
        if one["in"] == "header"
    }

    assert set(given) == {"x-tenant", "If-Match", "If-None-Match", "Idempotency-Key"}
    assert all(given[name]["description"] for name in given if name != "x-tenant")
    assert not any(given[name]["required"] for name in given if name != "x-tenant")


def test_the_replies_of_a_command_are_documented(paths):
    replies = paths["/accounts/{name}"]["post"]["responses"]

    assert set(replies) == {"201", "400", "404", "409", "412", "413", "422", "503"}
    assert "ETag" in replies["201"]["headers"]
    assert "schema" in replies["201"]["content"]["application/json"]
    assert "Retry-After" in replies["503"]["headers"]
    assert set(replies["409"]["content"]) == {"application/problem+json"}


def test_the_replies_of_a_query_are_documented(paths):
    replies = paths["/accounts/{name}"]["get"]["responses"]

    assert set(replies) == {"200", "304", "400", "404", "412", "422", "503"}
    assert replies["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/State")
    assert "ETag" in replies["200"]["headers"]
    assert "ETag" in replies["304"]["headers"]


def test_the_document_is_json(paths):
    json.dumps(paths, allow_nan=False)

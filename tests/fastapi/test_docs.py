"""The examples of the module and of its page run."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import dynamo_es.fastapi
from tests.fastapi.client import TestClient


def test_the_example_of_the_module_runs():
    assert dynamo_es.fastapi.__doc__
    program = dedent(dynamo_es.fastapi.__doc__.split("::\n", 1)[1].split("\nWrite such", 1)[0])
    names: dict[str, Any] = {"__name__": "example"}
    exec(program, names)  # noqa: S102 - the project's own text

    with TestClient(names["app"]) as client:
        acme = {"x-tenant": "acme"}
        posted = client.post("/accounts/ann/deposits?cents=5", headers=acme)
        found = client.get("/accounts/ann", headers=acme)

    assert posted.json() == found.json() == {"cents": 5, "version": 1}
    assert posted.headers["etag"] == found.headers["etag"]

"""A function makes its backend while its module is imported, and not in its first call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es import DynamoBackend, DynamoConfig, MemoryBackend
from dynamo_es.aws_lambda import (
    index_tags,
    project_log,
    project_streams,
    publish_outbox,
    sequence_events,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FUNCTION = {
    "AWS_LAMBDA_FUNCTION_NAME": "orders",
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


def a_backend() -> DynamoBackend:
    return DynamoBackend(
        DynamoConfig(events_table="e", log_table="l", keys_table="k", region="eu-west-1")
    )


def is_prepared(backend: DynamoBackend) -> bool:
    return backend._client._client is not None


HANDLERS: dict[str, Callable[..., object]] = {
    "project_log": lambda backend: project_log(backend, "ledger")(lambda _: None),
    "project_streams": lambda backend: project_streams(backend, "balances")(lambda _: None),
    "sequence_events": sequence_events,
    "publish_outbox": lambda backend: publish_outbox(backend, lambda _: None),
    "index_tags": lambda backend: index_tags(backend, ["courses"]),
}


@pytest.mark.parametrize("make", HANDLERS.values(), ids=HANDLERS)
def test_a_handler_prepares_its_backend_in_a_function_only(monkeypatch, make):
    backend = a_backend()
    make(backend)
    assert not is_prepared(backend)
    for name, value in FUNCTION.items():
        monkeypatch.setenv(name, value)
    make(backend)
    assert is_prepared(backend)


def test_a_backend_in_memory_has_nothing_to_prepare(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    HANDLERS["project_log"](MemoryBackend())


def test_what_cannot_be_prepared_is_left_to_the_first_request(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    backend = DynamoBackend(DynamoConfig(events_table="e", log_table="l", keys_table="k"))
    HANDLERS["sequence_events"](backend)
    assert not is_prepared(backend)


PROGRAM = """
import importlib, json, sys
module = importlib.import_module(sys.argv[1])
made = module._of_environment.cache_info().currsize
lean = "dynamo_es.dynamodb.wire.lean.client"
print(json.dumps([made, "boto3" in sys.modules, lean in sys.modules]))
"""


def import_in_function(module: str, **variables: str) -> Any:
    """Import a module as Lambda's runtime does; return what it has made and loaded."""
    ordinary = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "REQUESTS_", "DYNAMO_ES_"))
        and not name.lower().endswith("_proxy")
    }
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", PROGRAM, f"dynamo_es.aws_lambda.{module}"],
        env={**ordinary, "HOME": "/nowhere", "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("handler", ["dynamo_es.aws_lambda.sequencer.handler"] * 1)
def test_the_module_of_a_functions_handler_makes_it(handler):
    assert import_in_function("sequencer", **FUNCTION, _HANDLER=handler) == [1, True, False]


def test_with_the_lean_transport_it_loads_no_boto3():
    lean = {**FUNCTION, "DYNAMO_ES_TRANSPORT": "lean"}
    handler = "dynamo_es/aws_lambda/sequencer.handler"
    assert import_in_function("sequencer", **lean, _HANDLER=handler) == [1, False, True]


def test_the_module_makes_nothing_for_the_handler_of_another():
    assert import_in_function("outbox", **FUNCTION, _HANDLER="app.handler")[0] == 0

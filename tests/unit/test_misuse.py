"""Whatever a public call is given by mistake, the answer is an error of the tree."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import pytest

import dynamo_es
from dynamo_es import (
    Aggregate,
    DynamoBackend,
    DynamoConfig,
    EventRegistry,
    EventStore,
    MemoryBackend,
    Repository,
    Snapshot,
    StreamId,
    append_cost,
)
from dynamo_es.exceptions import EventStoreError

WRONG = [None, 7, -1, "text", b"bytes", object(), [], {}, [None], lambda: None, float("nan"), int]
LONG_RUNNING = {"run_forever", "tail", "close"}
DOCUMENTED = {("type_for_name", KeyError)}


class Account(Aggregate):
    """An aggregate with no events."""

    category = "account"


def the_objects() -> dict[str, Any]:
    backend = MemoryBackend()
    outbox = backend.with_outbox()
    return {
        "backend": backend,
        "storage": backend.storage,
        "event_store": backend.event_store,
        "log": backend.log,
        "checkpoints": backend.checkpoints,
        "subscriber": backend.subscriber,
        "subscriptions": backend.subscriptions,
        "listeners": backend.listeners,
        "encryption": backend.encryption,
        "outbox": outbox.outbox,
        "projection": backend.projection("projection", lambda _: None),
        "projector": backend.projector("projector", lambda *_: None),
        "repository": Repository(backend.event_store, Account),
        "registry": EventRegistry(),
    }


def methods() -> dict[str, Any]:
    """Return every public method of what a backend hands out, by name."""
    return {
        f"{label}.{name}": getattr(owner, name)
        for label, owner in the_objects().items()
        for name in dir(type(owner))
        if not name.startswith("_")
        and callable(getattr(type(owner), name, None))
        and name not in LONG_RUNNING
    }


CALLABLES = methods() | {
    "StreamId": StreamId,
    "DynamoBackend": DynamoBackend,
    "DynamoBackend.from_env": DynamoBackend.from_env,
    "MemoryBackend": MemoryBackend,
    "DynamoConfig": DynamoConfig,
    "Repository": Repository,
    "EventStore": EventStore,
    "append_cost": append_cost,
    "Snapshot": Snapshot,
}


def calls(function, value):
    """Yield ways to call a function with that value: the required parameters, and each other."""
    parameters = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    ]
    required = {each.name: value for each in parameters if each.default is each.empty}
    optional = [each.name for each in parameters if each.default is not each.empty]
    for chosen in ({}, *({name: value} for name in optional)):
        named = required | chosen
        positional = [
            named.pop(each.name)
            for each in parameters
            if each.kind is each.POSITIONAL_ONLY and each.name in named
        ]
        yield positional, named


@pytest.mark.parametrize("function", CALLABLES.values(), ids=CALLABLES)
def test_wrong_argument_is_an_error_of_the_tree_or_harmless(function):
    for value in WRONG:
        for positional, named in calls(function, value):
            try:
                result = function(*positional, **named)
                if inspect.isgenerator(result):
                    list(itertools.islice(result, 2))
            except EventStoreError:
                continue
            except Exception as error:  # noqa: BLE001 - looked at here
                name = getattr(function, "__name__", "")
                documented = (name, type(error)) in DOCUMENTED
                assert documented, f"{positional} {named}: {error!r}"


def test_walk_comes_by_what_users_call():
    assert len(CALLABLES) > 60
    assert {"storage.insert_events", "repository.transact", "backend.projection"} <= set(CALLABLES)
    assert dynamo_es.__all__

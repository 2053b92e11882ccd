"""The asynchronous classes have what the synchronous ones have: methods, arguments, errors."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from dynamo_es import DynamoBackend, MemoryBackend, Repository, StreamPoller, aio
from dynamo_es.aio.base import Over
from dynamo_es.aio.interface.by_hand.subscriber import AsyncBatches, AsyncRecords
from dynamo_es.fastapi import AsyncEventSourcing, EventSourcing
from dynamo_es.http import Aggregates, AsyncAggregates
from dynamo_es.subscriptions.subscriber import Batches, Records

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def script() -> Any:
    sys.path.insert(0, str(SCRIPTS))
    try:
        return importlib.import_module("_async_interface")
    finally:
        sys.path.remove(str(SCRIPTS))


def pairs(script: Any) -> list[tuple[Any, type, type]]:
    found = []
    for one in script.CLASSES:
        module, _, name = one.of.partition(":")
        mine = getattr(importlib.import_module(one.module), one.name)
        found.append((one, getattr(importlib.import_module(module), name), mine))
    return found


def public(cls: type) -> set[str]:
    own = [base for base in cls.__mro__ if base.__module__.startswith("dynamo_es")]
    return {
        name
        for base in own
        for name, value in vars(base).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, property))
    }


def test_each_class_has_all_public_members(script):
    for one, theirs, mine in pairs(script):
        assert public(theirs) - one.left_out <= public(mine), one.name


def _function(cls: type, name: str) -> Any:
    found = inspect.getattr_static(cls, name)
    if isinstance(found, property):
        found = found.fget
    return inspect.unwrap(getattr(found, "__func__", found))


def _parameters(function: Any) -> list[tuple[str, Any, Any]]:
    found = inspect.signature(function).parameters.values()
    return [(one.name, one.kind, one.default) for one in found]


def test_each_member_takes_the_same_arguments(script):
    for one, theirs, mine in pairs(script):
        for name in public(theirs) - one.left_out:
            wanted, found = _function(theirs, name), _function(mine, name)
            assert _parameters(found) == _parameters(wanted), f"{one.name}.{name}"


BY_HAND = [
    (aio.AsyncDynamoBackend, DynamoBackend),
    (aio.AsyncMemoryBackend, MemoryBackend),
    (aio.AsyncSequencer, StreamPoller),
    (AsyncBatches, Batches),
    (AsyncRecords, Records),
    (AsyncAggregates, Aggregates),
    (AsyncEventSourcing, EventSourcing),
]


@pytest.mark.parametrize(("mine", "theirs"), BY_HAND)
def test_a_class_that_is_written_by_hand_has_all_public_members_too(mine, theirs):
    assert public(theirs) <= public(mine)


MADE_BY_YOU = [
    (aio.AsyncDynamoBackend, DynamoBackend),
    (aio.AsyncMemoryBackend, MemoryBackend),
    (aio.AsyncRepository, Repository),
    (AsyncAggregates, Aggregates),
    (AsyncEventSourcing, EventSourcing),
]


@pytest.mark.parametrize(("mine", "theirs"), MADE_BY_YOU)
def test_what_you_make_yourself_takes_the_same_arguments(mine, theirs):
    wanted = [one for one in _parameters(theirs.__init__) if one[0] != "sleep"]
    assert _parameters(mine.__init__) == wanted


def test_each_member_raises_the_same_errors(script):
    for one, theirs, mine in pairs(script):
        for name in public(theirs) - one.left_out:
            errors = [
                set(re.findall(r"\b[A-Z]\w+Error\b", _function(cls, name).__doc__ or ""))
                for cls in (theirs, mine)
            ]
            if name not in one.by_hand:
                assert errors[0] == errors[1], f"{one.name}.{name}"


def test_whatever_sends_a_request_is_awaited(script):
    for one, theirs, mine in pairs(script):
        for name in public(theirs) - one.left_out - one.plain - one.by_hand:
            function = inspect.getattr_static(mine, name)
            if isinstance(function, property):
                continue
            returned = str(inspect.signature(function).return_annotation)
            iterated = returned.startswith(("AsyncGenerator", "AbstractAsyncContextManager"))
            assert iterated or inspect.iscoroutinefunction(function), f"{one.name}.{name}"


def test_all_names_are_there_and_sorted():
    assert aio.__all__ == sorted(aio.__all__)
    for name in aio.__all__:
        assert getattr(aio, name).__doc__


def test_no_class_is_made_twice():
    assert len({cls.__name__ for cls in Over.__subclasses__()}) == len(Over.__subclasses__())


@pytest.mark.ci
def test_the_classes_are_written_from_the_present_synchronous_ones(script, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["async-interface", "--check"])
    assert script.main() == 0

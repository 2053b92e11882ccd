"""A wrong argument to any public call gives an error of this library."""

# Wrong types on purpose.
# mypy: disable-error-code="arg-type,dict-item"

from __future__ import annotations

import inspect
import itertools
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

import dynamo_es
from dynamo_es import (
    Aggregate,
    Boundary,
    BoundaryIndex,
    DynamoBackend,
    DynamoConfig,
    Event,
    EventRegistry,
    EventStore,
    MemoryBackend,
    Query,
    QueryItem,
    RawEvent,
    Recorded,
    Repository,
    Snapshot,
    StreamId,
    Tag,
    WrappedEvent,
    append_cost,
)
from dynamo_es.exceptions import EventStoreError
from dynamo_es.values.query_texts import query_of_text
from dynamo_es.wording import shown, shown_function

WRONG = [None, 7, -1, "text", b"bytes", object(), [], {}, [None], lambda: None, float("nan"), int]
LONG_RUNNING = {"run_forever", "tail", "close"}
DOCUMENTED = {
    ("type_for_name", KeyError),
    # What the function of a decision raised: int("text") and others.
    *(("decide", error) for error in (TypeError, ValueError)),
}


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
        "boundary": backend.boundary("courses"),
        "group": backend.boundary("students", group=True),
        "index": backend.boundary("courses").index,
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
    "Boundary": Boundary,
    "BoundaryIndex": BoundaryIndex,
    "Query": Query,
    "Query.of_items": Query.of_items,
    "QueryItem": QueryItem,
    "Tag": Tag,
    "Tag.of_text": Tag.of_text,
    "query_of_text": query_of_text,
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


PRIVATE = "s3cr3t@example.com"


class Registered(Event):
    """An event with a value that no message may quote."""

    email: str

    def method(self):
        """Return nothing."""


async def never(*_):
    """Never run."""


def carriers() -> dict[str, Any]:
    """Return objects that hold the secret, which a caller gives by mistake."""
    event = Registered(email=PRIVATE)
    wrapped = WrappedEvent(event, 1)
    stream_id = StreamId(name="a")
    raw = RawEvent(
        wrapped.uuid, stream_id, wrapped.created_at, "Registered", {"email": PRIVATE}, {}
    )
    return {
        "event": event,
        "wrapped": wrapped,
        "recorded": Recorded(wrapped, stream_id, 1),
        "raw": raw,
        "raw with an event as its parts": replace(
            raw, uuid=event, name=event, created_at=event, version=event
        ),
        "raw with an event as its stream": replace(raw, stream_id=event),
        "raw with a wrong key": replace(raw, data={event.__class__: 1, (PRIVATE,): 2}),
        "list": [event],
        "dict": {"email": PRIVATE},
        "dict by the secret's tuple": {(PRIVATE,): PRIVATE},
        "tuple": (event, PRIVATE),
        "versioning": SimpleNamespace(expected_version=event),
        "partial": partial(never, event),
        "method": event.method,
    }


def texts_of(error: BaseException | None):
    """Yield the texts of an error and of its causes."""
    while error is not None:
        yield f"{error} {error!r} {getattr(error, '__notes__', '')}"
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("function", CALLABLES.values(), ids=CALLABLES)
def test_no_message_quotes_an_event_that_is_given_as_an_argument(function, caplog):
    caplog.set_level("DEBUG")
    for name in carriers():
        for positional, named in calls(function, carriers()[name]):
            try:
                result = function(*positional, **named)
                if inspect.isgenerator(result):
                    list(itertools.islice(result, 2))
            except Exception as error:  # noqa: BLE001 - only its text counts here
                assert not any(PRIVATE in text for text in texts_of(error)), name
        assert PRIVATE not in caplog.text, name


def test_failed_entry_of_the_outbox_quotes_no_event_that_its_publisher_gave_by_mistake():
    backend = MemoryBackend().with_outbox()
    store = backend.event_store
    store.append(Registered(email=PRIVATE), stream_id=StreamId(name="a"), expected_version=0)
    backend.outbox.run_once(lambda one: store.load_stream(one.wrapped_event.event), attempts=1)
    (entry,) = backend.outbox.entries()
    assert PRIVATE not in repr(entry)
    assert "must be a StreamId, such as StreamId(name=…), not Registered." in repr(entry)


@pytest.mark.parametrize(
    ("value", "kinds", "text"),
    [
        (None, (), "None"),
        (True, (), "True"),
        (-1, (), "-1"),
        ("text", (), "str"),
        ("text", (str,), "'text'"),
        ("x" * 100, (str,), "'" + "x" * 78 + "…"),
        ([PRIVATE], (str,), "list"),
        (Registered, (), "the class Registered"),
    ],
)
def test_message_shows_numbers_and_values_of_the_wanted_class_only(value, kinds, text):
    assert shown(value, *kinds) == text


def test_message_does_not_show_an_integer_that_python_refuses_to_convert():
    assert shown(10**5000) == "a very long int"


@pytest.mark.parametrize("function", [partial(never, PRIVATE), partial(partial(never), PRIVATE)])
def test_function_is_named_without_the_arguments_it_is_bound_to(function):
    assert shown_function(function) == "never"

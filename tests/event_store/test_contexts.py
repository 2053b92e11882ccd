"""Ids in contexts load as text, and contexts that are not JSON are refused early."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, ValidationError, field_serializer

from dynamo_es import ANY_VERSION, Context, MemoryBackend, RawEvent, StreamId, WrappedEvent
from dynamo_es.exceptions import InvalidEventError, UnreadableEventError
from dynamo_es.testing.conformance.language import an_event
from tests.event_store.accounts import Deposited

ANN = StreamId(name="ann", category="account")
ID = UUID("018f0000-0000-7000-8000-000000000001")
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8"


@pytest.fixture
def backend():
    return MemoryBackend()


def stored(context: Any) -> RawEvent:
    """Return an event as another writer may have stored it."""
    return RawEvent(
        uuid4(), ANN, an_event(ANN).created_at, "account.deposited", {"amount": 5}, context
    )


@pytest.mark.parametrize(
    ("given", "kept"), [(TRACE, TRACE), ("", ""), (ID, str(ID)), (str(ID), str(ID)), (None, None)]
)
def test_ids_are_text(backend, given, kept):
    context = Context(correlation_id=given, causation_id=given, user="ann")
    assert (context.correlation_id, context.causation_id) == (kept, kept)

    backend.event_store.append(
        WrappedEvent.wrap(Deposited(amount=5), context=context), stream_id=ANN
    )

    (event,) = backend.event_store.load_stream(ANN)
    assert event.context == context
    (raw,) = backend.storage.fetch_events(ANN)
    ids = {} if kept is None else {"correlation_id": kept, "causation_id": kept}
    assert raw.context == {**ids, "user": "ann"}


@pytest.mark.parametrize("wrong", [5, 1.5, True, ["x"], {"a": 1}])
def test_an_id_that_is_neither_text_nor_a_uuid_is_refused(wrong):
    with pytest.raises(ValidationError):
        Context(correlation_id=wrong)


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (TRACE, TRACE),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
        (17, "17"),
        (1.5, "1.5"),
        (False, "false"),
        ({"trace": [1]}, '{"trace":[1]}'),
    ],
)
@pytest.mark.parametrize("field", ["correlation_id", "causation_id"])
def test_whatever_another_writer_stored_as_an_id_stops_no_projection(backend, field, other, text):
    backend.storage.insert_events(ANN, ANY_VERSION, [stored({field: other, "user": "x"})])
    seen: list[Context] = []

    backend.projection("all", lambda one: seen.append(one.wrapped_event.context)).run_once()
    (loaded,) = backend.event_store.load_stream(ANN)

    assert seen == [loaded.context]
    assert getattr(loaded.context, field) == (text or other)
    assert loaded.context.user == "x"


@pytest.mark.parametrize("name", ["self", "model_dump", "copy", "model_config", "$x", "", "é"])
def test_a_stored_field_may_have_any_name(backend, name):
    backend.storage.insert_events(ANN, ANY_VERSION, [stored({name: 1})])
    (loaded,) = backend.event_store.load_stream(ANN)
    assert (loaded.context.model_extra or {}) == ({} if name.startswith("$") else {name: 1})


class Quoting(Context):
    note: str

    @field_serializer("note")
    def _fail(self, value: str) -> str:
        raise ValueError(f"cannot take {value}")


CYCLE: list[Any] = []
CYCLE.append(CYCLE)

NOT_JSON = {
    "an object": Context(thing=object()),
    "one in a list": Context(thing=[{"a": object()}]),
    "a cycle": Context(thing=CYCLE),
    "NaN": Context(thing=float("nan")),
    "infinity": Context(thing=[float("inf")]),
    "a lone surrogate": Context(thing="\ud800"),
    "a huge integer": Context(thing=10**5000),
    "a serializer that fails": Quoting(note="the secret"),
    "bytes that are not UTF-8": Context(thing=b"\xff"),
    "a name of the store": Context.model_validate({"$schema": 2}),
    "a dict": {"user": "ann"},
    "text": "ann",
}


@pytest.mark.parametrize("context", NOT_JSON.values(), ids=NOT_JSON)
def test_a_context_that_is_not_json_is_refused_before_anything_is_stored(backend, context):
    event = WrappedEvent(Deposited(amount=5), context=context)

    with pytest.raises(InvalidEventError, match="context") as refused:
        backend.event_store.append(event, stream_id=ANN)

    assert "the secret" not in f"{refused.value} {refused.value.__cause__}"
    assert backend.storage.fetch_events(ANN) == []


def test_the_field_that_is_not_json_is_named(backend):
    event = WrappedEvent(Deposited(amount=5), context=Context(user="ann", thing=object()))
    with pytest.raises(
        InvalidEventError, match=r"thing \(of type object\) cannot be written as JSON"
    ):
        backend.event_store.append(event, stream_id=ANN)


@pytest.mark.parametrize("context", [[], ["x"], "x", 5, None, True])
def test_a_stored_context_that_is_no_object_is_an_error_of_ours(backend, context):
    raw = stored(context)
    with pytest.raises(UnreadableEventError, match="context"):
        backend._typed.serde("").deserialize(raw)


def test_a_context_of_a_model_of_ones_own_keeps_its_types(backend):
    class Request(BaseModel):
        correlation_id: UUID
        user: str

    event = WrappedEvent.wrap(Deposited(amount=5), context=Context(correlation_id=ID, user="ann"))
    backend.event_store.append(event, stream_id=ANN)

    (loaded,) = backend.event_store.load_stream(ANN)

    assert loaded.get_context(Request) == Request(correlation_id=ID, user="ann")

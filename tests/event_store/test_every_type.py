"""A field of any type: its value comes back unchanged, or is refused."""

from __future__ import annotations

from typing import Any

from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.errors import PydanticUserError

from dynamo_es import EventRegistry, MemoryBackend, StreamId, WrappedEvent
from dynamo_es.exceptions import EventDefinitionError, InvalidEventError
from tests.event_store.pydantic_types import CONFIGURATIONS, TYPES
from tests.event_store.shapes import account_of, event_class


@settings(max_examples=100)
@given(st.data())
def test_a_value_of_any_type_comes_back_as_it_was_or_is_refused(data):
    kind, values = data.draw(TYPES)
    config = data.draw(CONFIGURATIONS)
    try:
        shape: Any = event_class(kind, **config)
    except (PydanticUserError, TypeError):
        return note("no class")
    value = data.draw(values)
    event: Any = shape.model_construct(x=value)
    if data.draw(st.booleans()):
        try:
            event = shape(x=value)
        except ValidationError:
            return note("not valid")
    before = account_of(event)
    backend = MemoryBackend(registry=EventRegistry())
    stream = StreamId(category="any")

    try:
        backend.event_store.append(WrappedEvent(event), stream_id=stream)
    except (InvalidEventError, EventDefinitionError) as refused:
        assert "hunter2" not in str(refused)
        assert backend.storage.fetch_events(stream) == []
        return note("refused")

    (loaded,) = backend.event_store.load_stream(stream)
    assert account_of(loaded.event) == before
    return note("came back")

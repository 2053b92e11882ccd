"""No message, log line or stored entry holds a value of an event."""

from __future__ import annotations

import traceback
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, PlainSerializer
from pydantic_core import PydanticCustomError

from dynamo_es import (
    Encrypted,
    Event,
    ExplicitVersioning,
    StreamId,
    UnknownEvent,
    WrappedEvent,
    upcaster,
)
from dynamo_es.contracts.error_texts import describe_error, trace_error
from dynamo_es.exceptions import (
    EventStoreError,
    InvalidEventError,
    PublishingError,
    ThrottledError,
    UnavailableError,
    UnreadableEventError,
)
from dynamo_es.memory import MemoryBackend
from dynamo_es.memory.checkpoints import MemoryCheckpoints
from dynamo_es.testing.conformance.language import an_event

CLEAR = "ann@example.com"
STREAM = StreamId(name="person", category="people")


def quoting(value: Any) -> Any:
    if CLEAR in str(value):
        raise ValueError(f"{value} is no good")
    return value


def custom(value: Any) -> Any:
    raise PydanticCustomError("custom_" + str(value), "{it} is no good", {"it": value})


def broken(value: Any) -> Any:
    raise KeyError(value)


class Part(BaseModel):
    number: int = 0


class Quoting(Event):
    __event_name__ = "no_values.quoting"

    email: Annotated[str, AfterValidator(quoting)] = ""


class Custom(Event):
    __event_name__ = "no_values.custom"

    email: Annotated[str, AfterValidator(custom)]


class Broken(Event):
    __event_name__ = "no_values.broken"

    email: Annotated[str, AfterValidator(broken)]


class Changed(Event):
    __event_name__ = "no_values.changed"

    email: int


class Keyed(Event):
    __event_name__ = "no_values.keyed"

    numbers: dict[str, int] = {}
    parts: dict[str, Part] = {}


class Lifted(Event):
    __event_name__ = "no_values.lifted"
    __schema_version__ = 2

    email: str

    @upcaster(from_version=1)
    @staticmethod
    def lift(data: dict[str, Any]) -> dict[str, Any]:
        try:
            int(data["email"])
        except ValueError:
            return {data["email"]: {}[data["email"]]}
        return data


class Odd(Event):
    __event_name__ = "no_values.odd"

    held: Annotated[Any, PlainSerializer(quoting)] = None


def shown(error: BaseException) -> str:
    """Return all that may be seen of an error, with its causes and contexts."""
    seen: set[int] = set()
    texts = traceback.format_exception(error)
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            texts += [str(one), repr(one)]
            waiting += [one.__cause__, one.__context__]
    return "\n".join(texts)


def stored_event(backend, name, data, *, encrypted):
    """Return an event whose one field is stored encrypted, or in clear."""
    raw = an_event(STREAM, name=name, data=data)
    if not encrypted:
        return raw
    (field,) = data

    class Before(BaseModel):
        __annotations__ = {field: Annotated[Any, Encrypted(mask_value=None)]}

    sealed, notes = backend.encryption.encrypt(Before(**data), data, STREAM, raw.uuid)
    assert CLEAR not in str(sealed)
    return an_event(STREAM, uuid=raw.uuid, name=name, data=sealed, context={"$encrypted": notes})


STORED = {
    "a validator that quotes": (Quoting, {"email": CLEAR}, "email: it is refused (value_error)"),
    "a custom error": (Custom, {"email": CLEAR}, "email: its validator refuses the value"),
    "a validator that fails": (Broken, {"email": CLEAR}, "KeyError at test_no_values.py:"),
    "a changed type": (Changed, {"email": CLEAR}, "email: Input should be a valid integer"),
    "a text for a number": (Keyed, {"numbers": {"x": CLEAR}}, "numbers.…: "),
    "a key": (Keyed, {"numbers": {CLEAR: "x"}}, "numbers.…: "),
    "a key of parts": (Keyed, {"parts": {CLEAR: {"number": "x"}}}, "parts.….number: Input"),
    "an upcaster": (Lifted, {"email": CLEAR}, "KeyError at test_no_values.py:"),
}


@pytest.mark.parametrize("encrypted", [False, True], ids=["in clear", "encrypted"])
@pytest.mark.parametrize(("kind", "data", "told"), STORED.values(), ids=STORED)
def test_an_event_that_cannot_be_read_is_not_quoted(kind, data, told, encrypted):
    backend = MemoryBackend()
    raw = stored_event(backend, kind.__event_name__, data, encrypted=encrypted)

    with pytest.raises(UnreadableEventError) as caught:
        backend.event_store.read([raw])

    assert told in str(caught.value)
    assert CLEAR not in shown(caught.value)
    assert CLEAR not in trace_error(caught.value)
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.__traceback__ is not None


@pytest.mark.parametrize(
    "event",
    [
        Quoting.model_construct(email=CLEAR),
        Changed.model_construct(email=CLEAR),
        Keyed.model_construct(numbers={CLEAR: "x"}),
        Odd.model_construct(held=CLEAR),
        Odd.model_construct(held={CLEAR: object()}),
    ],
    ids=["validator", "type", "key", "serializer", "no JSON"],
)
def test_an_event_that_is_refused_is_not_quoted(event):
    with pytest.raises(InvalidEventError) as caught:
        MemoryBackend().event_store.append(event, stream_id=STREAM)
    assert CLEAR not in shown(caught.value)


# Handlers of users


def failing(*_: Any, **__: Any) -> None:
    nothing: dict[str, str] = {}
    try:
        nothing[CLEAR]
    except KeyError as error:
        raise ValueError(CLEAR) from error


def test_a_listener_that_fails_is_logged_without_its_text(caplog):
    backend = MemoryBackend()
    backend.listeners.register(failing, to="people")

    backend.event_store.append(Quoting(), stream_id=STREAM)

    assert "ValueError at test_no_values.py" in caplog.text
    assert "Caused by KeyError" in caplog.text
    assert CLEAR not in caplog.text


@pytest.mark.parametrize("error", [ValueError(CLEAR), PublishingError(CLEAR), OSError(CLEAR)])
def test_an_outbox_keeps_of_an_error_its_class_and_where(caplog, error):
    backend = MemoryBackend().with_outbox()
    backend.event_store.append(Quoting(), stream_id=STREAM)

    def publish(_: Any) -> None:
        raise error

    backend.outbox.run_once(publish)

    (entry,) = backend.outbox.entries()
    assert entry.last_error.startswith(f"{type(error).__name__} at test_no_values.py:")
    assert CLEAR not in caplog.text


def test_an_outbox_keeps_nothing_of_an_event_that_cannot_be_read(caplog):
    backend = MemoryBackend().with_outbox()
    raw = stored_event(backend, "no_values.changed", {"email": CLEAR}, encrypted=True)
    backend.storage.insert_events(STREAM, ExplicitVersioning(0), [raw])

    backend.outbox.run_once(lambda _: None)

    (entry,) = backend.outbox.entries()
    assert "email: Input should be a valid integer" in entry.last_error
    assert CLEAR not in entry.last_error + caplog.text


def test_a_checkpoint_that_is_not_saved_does_not_log_what_the_handler_raised(caplog, monkeypatch):
    backend = MemoryBackend()
    for version in range(2):
        backend.event_store.append(Quoting(), stream_id=STREAM, expected_version=version)
    handled = []

    def handle(recorded: Any) -> None:
        if handled:
            raise ValueError(CLEAR)
        handled.append(recorded)

    def unsaved(*_: Any) -> int:
        raise UnavailableError("UpdateItem", "Timeout", "no answer.")

    monkeypatch.setattr(MemoryCheckpoints, "save", unsaved)
    projection = backend.projection("people", handle)
    with pytest.raises(ValueError, match=CLEAR):
        projection.run_once()

    assert "its checkpoint was not saved" in caplog.text
    assert "again: UpdateItem: Timeout" in caplog.text
    assert CLEAR not in caplog.text


# What is told of an error


def raised(error: Exception) -> Any:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_of_an_error_of_aws_its_code_is_told():
    error = raised(type("ClientError", (Exception,), {})(CLEAR))
    error.response = {"Error": {"Code": "AccessDenied", "Message": CLEAR}}
    assert describe_error(error).startswith("ClientError (AccessDenied) at test_no_values.py:")
    error.response = {"Error": {"Code": f"<{CLEAR}>"}}
    assert CLEAR not in describe_error(error)


def test_an_error_of_ours_keeps_its_text_only_where_we_raised_it():
    by_user = raised(ThrottledError("Send", "Throttled", CLEAR))
    assert CLEAR not in describe_error(by_user)
    with pytest.raises(EventStoreError) as by_us:
        MemoryBackend().storage.fetch_events(STREAM, 0)
    assert describe_error(by_us.value) == f"InvalidRangeError: {by_us.value}"


def test_an_error_that_was_never_raised_is_its_class():
    assert describe_error(ValueError(CLEAR)) == "ValueError"


# Classes that this process does not know


def test_an_event_of_an_unknown_class_stays_as_it_is_stored():
    backend = MemoryBackend().with_outbox()
    raw = stored_event(backend, "no_values.unknown", {"email": CLEAR}, encrypted=True)
    backend.storage.insert_events(STREAM, ExplicitVersioning(0), [raw])
    published: list[Any] = []

    backend.outbox.run_once(published.append, keep_unknown=True)
    (loaded,) = backend.event_store.load_stream(STREAM, keep_unknown=True)

    expected = UnknownEvent("no_values.unknown", raw.data)
    assert published[0].wrapped_event.event == loaded.event == expected
    assert CLEAR not in str(published)


def test_a_context_of_an_event_is_not_quoted_either():
    with pytest.raises(EventStoreError) as caught:
        MemoryBackend().event_store.append(
            WrappedEvent(Keyed.model_construct(numbers={CLEAR: CLEAR})), stream_id=STREAM
        )
    assert CLEAR not in shown(caught.value)

"""Listeners run in the process that appended, after the events are stored."""

import logging

import pytest

from dynamo_es import NO_VERSIONING, Event, ExplicitVersioning, StreamId, WrappedEvent
from dynamo_es.exceptions import ConcurrentStreamWriteError, InvalidSubscriptionError
from dynamo_es.testing.conformance.language import an_event

pytestmark = pytest.mark.inline


class Heard(Event):
    __event_name__ = "Heard"

    number: int = 0


class HeardLoudly(Heard):
    __event_name__ = "HeardLoudly"


class Other(Event):
    number: int = 0


@pytest.fixture
def backend(engine):
    return engine.fresh_process(inline=True)


@pytest.fixture
def heard(backend):
    calls = []
    backend.listeners.register(lambda *call: calls.append(call), to=Heard)
    return calls


@pytest.fixture
def stream():
    return StreamId(category="Listened")


def test_events_of_the_class_and_of_those_derived_from_it(backend, heard, stream):
    before = backend.storage.current_position or 0

    backend.event_store.append(Heard(number=1), Other(), HeardLoudly(number=2), stream_id=stream)

    assert [(w.event, w.version, s, t, p - before) for w, s, t, p in heard] == [
        (Heard(number=1), 1, stream, "", 1),
        (HeardLoudly(number=2), 3, stream, "", 3),
    ]


def test_events_of_a_category(backend, stream):
    calls = []
    backend.listeners.register(lambda event, *_: calls.append(event.event), to="Listened")

    backend.event_store.append(Other(number=1), stream_id=stream)
    backend.event_store.append(Other(number=2), stream_id=StreamId(category="Not"))

    assert calls == [Other(number=1)]


def test_of_every_tenant_and_of_raw_appends(backend, heard, stream):
    backend.in_tenant("acme").event_store.append(Heard(), stream_id=stream)
    raw = an_event(stream, name="Heard", data={"number": 9}, context={})
    backend.storage.insert_events(stream, NO_VERSIONING, [raw])

    assert [(w.event.number, w.version, t) for w, _, t, _ in heard] == [
        (0, 1, "acme"),
        (9, None, ""),
    ]


def test_the_events_are_stored_when_it_is_told(backend, stream):
    seen = []

    def look(event, stream_id, tenant_id, position):
        seen.append((backend.event_store.load_stream(stream_id), backend.log.last_position))
        assert position == backend.log.last_position

    backend.listeners.register(look, to=Heard)
    backend.event_store.append(Heard(), stream_id=stream)

    ((events, last),) = seen
    assert [event.event for event in events] == [Heard()]
    assert last == backend.storage.current_position


def test_a_refused_append_is_not_heard(backend, heard, stream):
    backend.event_store.append(Heard(), stream_id=stream)
    with pytest.raises(ConcurrentStreamWriteError):
        backend.event_store.append(Heard(), stream_id=stream)

    assert len(heard) == 1


def test_an_append_again_is_heard_again_at_the_same_position(backend, heard, stream):
    wrapped = [WrappedEvent.wrap(Heard(number=n)) for n in (1, 2)]
    backend.event_store.append(*wrapped, stream_id=stream)
    backend.event_store.append(*wrapped[1:], stream_id=stream, expected_version=1)

    assert [(w.event.number, p) for w, *_, p in heard] == [
        (1, heard[0][3]),
        (2, heard[0][3] + 1),
        (2, heard[0][3] + 1),
    ]


def test_a_listener_that_fails_fails_nothing(backend, heard, stream, caplog):
    def fail(*_):
        raise ZeroDivisionError

    backend.listeners.register(fail, to="Listened")
    backend.listeners.register(lambda *call: heard.append(call), to="Listened")
    with caplog.at_level(logging.ERROR, "dynamo_es"):
        assert backend.event_store.append(Heard(), stream_id=stream) == 1

    assert len(heard) == 2
    assert f"Stream {stream} (category 'Listened'): the listener " in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_listener_is_told_once_of_an_event_and_not_after_its_removal(backend, stream):
    calls = []

    def listener(event, *_):
        calls.append(event.version)

    for to in (Heard, Event, "Listened", Heard):
        backend.listeners.register(listener, to=to)
    backend.event_store.append(HeardLoudly(), stream_id=stream)
    assert calls == [1]
    for to in (Heard, Event, "Listened"):
        backend.listeners.remove(listener, to=to)
    backend.listeners.remove(listener, to="Never")
    backend.event_store.append(HeardLoudly(), stream_id=stream, expected_version=1)

    assert calls == [1]
    assert not backend.listeners


def test_without_inline_sequencing_it_has_no_position_yet(engine, stream):
    if engine.name == "memory":
        pytest.skip("positions are known at once")
    backend = engine.fresh_process()
    heard = []
    backend.listeners.register(lambda *call: heard.append(call), to=Heard)

    backend.event_store.append(Heard(), stream_id=stream)

    assert [position for *_, position in heard] == [None]


def test_bad_registrations(backend):
    with pytest.raises(InvalidSubscriptionError, match="listener must be callable, not 7"):
        backend.listeners.register(7, to=Heard)
    for to in (7, int, None, Heard()):
        with pytest.raises(InvalidSubscriptionError, match="a class of events or a category"):
            backend.listeners.register(print, to=to)


MISSED = [Other(number=1), HeardLoudly(number=2), Other(number=3)]


@pytest.mark.parametrize(
    ("more", "applied"),
    [
        ((), [2, 4]),
        ((HeardLoudly,), [2, 4]),
        (("Elsewhere",), [2, 4]),
        ((Other,), [1, 2, 3, 4]),
        (("Listened",), [1, 2, 3, 4]),
        ((Event,), [1, 2, 3, 4]),
    ],
)
def test_a_projector_applies_missing_events_only_of_what_it_is_registered_for(
    backend, stream, more, applied
):
    seen = []
    projector = backend.projector(f"p {stream}", lambda event, _: seen.append(event.event.number))
    backend.event_store.append(*MISSED, stream_id=stream)
    for to in (Heard, *more):
        backend.listeners.register(projector.project, to=to)

    backend.event_store.append(Heard(number=4), stream_id=stream, expected_version=3)

    assert seen == applied


def test_a_projector_needs_no_class_of_missing_events_that_it_is_not_registered_for(
    backend, stream
):
    seen = []
    projector = backend.projector(f"p {stream}", lambda event, _: seen.append(event.event.number))
    unknown = an_event(stream, name="Forgotten since", data={}, context={})
    backend.storage.insert_events(stream, ExplicitVersioning(0), [unknown])
    backend.listeners.register(projector.project, to=Heard)

    backend.event_store.append(Heard(number=2), stream_id=stream, expected_version=1)
    assert seen == [2]

    backend.listeners.remove(projector.project, to=Heard)
    assert not backend.listeners


def test_a_projector_limited_before_it_is_registered_stays_limited(backend, stream):
    seen = []
    projector = backend.projector(f"p {stream}", lambda event, _: seen.append(event.event.number))
    quiet = projector.choosing(lambda: frozenset({"Heard"}))
    backend.event_store.append(*MISSED, stream_id=stream)
    backend.listeners.register(quiet.project, to=Heard)

    backend.event_store.append(Heard(number=4), stream_id=stream, expected_version=3)

    assert seen == [4]

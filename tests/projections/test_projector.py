"""Projectors apply each event of a stream once and in order, by any route."""

from contextlib import suppress
from datetime import timedelta
from random import Random

import pytest

from dynamo_es import NO_VERSIONING, Event, StreamId
from dynamo_es.contracts import Followed
from dynamo_es.contracts.consumers.failures import NewFailure
from dynamo_es.exceptions import CursorBusyError, InvalidConsumerError, InvalidSubscriptionError
from dynamo_es.projections.projector import Projector

pytestmark = pytest.mark.inline


class Stepped(Event):
    __event_name__ = "Stepped"

    number: int


@pytest.fixture
def backend(world):
    return world.backend()


@pytest.fixture
def stream(backend):
    """A stream of five events."""
    stream = StreamId(category="Projected")
    backend.event_store.append(*(Stepped(number=n) for n in range(1, 6)), stream_id=stream)
    return stream


@pytest.fixture
def events(backend, stream):
    return backend.event_store.load_stream(stream)


class ReadModel(list[int]):
    fails_at = None

    def __call__(self, wrapped_event, stream_id):
        if wrapped_event.event.number == self.fails_at:
            raise ZeroDivisionError
        self.append(wrapped_event.event.number)


@pytest.fixture
def model():
    return ReadModel()


@pytest.fixture
def projector(backend, model, stream):
    return backend.projector("steps", model)


def test_each_once_in_order(projector, events, stream, model):
    for event in events:
        assert projector.project(event, stream) == 1
        assert projector.project(event, stream) == 0

    assert model == [1, 2, 3, 4, 5]


def test_what_is_missing_comes_first(projector, events, stream, model):
    assert projector.project(events[2], stream) == 3
    assert projector.project(events[0], stream) == 0
    assert projector.project(events[4], stream) == 2

    assert model == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("seed", range(5))
def test_by_several_routes(world, model, events, stream, seed):
    routes = [world.backend(f"route {n}").projector("steps", model) for n in range(3)]
    random = Random(seed)
    for _ in range(20):
        random.choice(routes).project(random.choice(events), stream)
    routes[0].project(events[-1], stream)

    assert model == [1, 2, 3, 4, 5]


def test_a_failure_leaves_the_cursor_before_it(projector, events, stream, model):
    model.fails_at = 3
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            projector.project(events[3], stream)
        assert model == [1, 2]
    model.fails_at = None

    assert projector.project(events[3], stream) == 2
    assert model == [1, 2, 3, 4]


def test_while_one_applies_the_other_waits(world, events, stream, model):
    def meddle(event, stream_id):
        with pytest.raises(CursorBusyError, match="steps"):
            other.project(event, stream_id)
        model(event, stream_id)

    other = world.backend("other").projector("steps", model)
    world.backend().projector("steps", meddle).project(events[1], stream)

    assert model == [1, 2]


def test_a_lease_runs_out(backend, events, stream, model):
    followed = Followed("steps", stream)
    cursors = backend._shared_log().cursors
    assert cursors.take(followed, 3, "dead", 0, 10) == 0

    assert backend.projector("steps", model).project(events[1], stream) == 2
    assert not cursors.release(followed, 5, "dead")
    assert not cursors.renew(followed, 5, "dead", 10**15)
    assert cursors.version(followed) == 2


def test_a_new_generation_begins_at_its_first_event(backend, stream, model, projector):
    after = backend.log.last_position - 5
    old = next(backend.subscriber.after(after).build_batch(9, timelimit=0.1))
    for record in old[:3]:
        projector(record)
    backend.storage.delete_stream(stream)
    backend.event_store.append(Stepped(number=11), Stepped(number=12), stream_id=stream)
    new = next(backend.subscriber.after(after + 5).build_batch(9, timelimit=0.1))

    assert projector(new[1]) == 2
    assert projector(old[4]) == 0
    assert model == [1, 2, 3, 11, 12]


def test_what_was_loaded_tells_its_generation(backend, stream, events, model, projector):
    for event in events:
        projector.project(event, stream)
    backend.event_store.delete_stream(stream)
    backend.event_store.append(Stepped(number=10), stream_id=stream)

    (first,) = backend.event_store.load_stream(stream)

    assert projector.project(first, stream) == 1
    assert model == [1, 2, 3, 4, 5, 10]


def test_missing_events_of_a_generation_that_is_over_are_not_taken_from_the_next(
    backend, stream, events, model, projector
):
    backend.storage.delete_stream(stream)
    backend.event_store.append(*(Stepped(number=n) for n in range(11, 16)), stream_id=stream)

    assert projector.project(events[3], stream) == 0
    assert model == []


def test_it_is_a_handler_of_projections(backend, stream, model, projector):
    backend.projection(
        f"steps of {stream}", projector, category="Projected", events=[Stepped]
    ).run_once()

    assert model[-5:] == [1, 2, 3, 4, 5]


def test_cursors_are_per_read_model_and_tenant(backend, events, stream, model):
    acme = backend.in_tenant("acme")
    acme.event_store.append(Stepped(number=21), stream_id=stream)
    (theirs,) = acme.event_store.load_stream(stream)

    assert backend.projector("one", model).project(events[0], stream) == 1
    assert backend.projector("two", model).project(events[0], stream) == 1
    assert backend.projector("one", model).project(theirs, stream, "acme") == 1
    assert model == [1, 1, 21]


def test_bad_input(backend, stream, model, projector):
    loose = StreamId()
    backend.event_store.append(Stepped(number=1), stream_id=loose, expected_version=NO_VERSIONING)
    (event,) = backend.event_store.load_stream(loose)

    with pytest.raises(InvalidSubscriptionError, match="without a version"):
        projector.project(event, loose)
    with pytest.raises(InvalidSubscriptionError, match="read_model must be callable, not None"):
        backend.projector("steps", None)
    for lease in (0, -1, float("nan"), timedelta(0)):
        with pytest.raises(InvalidSubscriptionError, match="lease must be a timedelta or a number"):
            backend.projector("steps", model, lease=lease)
    with pytest.raises(InvalidConsumerError):
        backend.projector("a#b", model)


def test_in_a_new_generation_a_lease_counts_too(backend, stream):
    cursors = backend._shared_log().cursors
    cursors.take(Followed("steps", stream, generation=1), 1, "other", 0, 100)

    for now in (100, 199):
        with pytest.raises(CursorBusyError):
            cursors.take(Followed("steps", stream, generation=2), 1, "me", now, 300)
    assert cursors.take(Followed("steps", stream, generation=2), 1, "me", 200, 300) == 0
    assert cursors.take(Followed("steps", stream, generation=1), 9, "other", 300, 400) is None


def test_a_long_work_renews_its_lease(backend, events, stream, model):
    """And ends where another has taken it over."""
    shared, now = backend._shared_log(), [1000.0]

    def slow(event, stream_id):
        now[0] += 40
        model(event, stream_id)
        if event.version == 3:
            take_over()

    def take_over():
        for _ in range(2):
            with suppress(CursorBusyError):
                cursors.take(Followed("steps", stream), 5, "another", int(now[0] * 1000), 10**15)
            now[0] += 61  # longer than the lease

    cursors = shared.cursors
    projector = Projector(
        "steps",
        slow,
        cursors=cursors,
        parked=backend.parked,
        event_store=lambda tenant: backend.in_tenant(tenant).event_store,
        clock=lambda: now[0],
    )

    with pytest.raises(CursorBusyError):
        projector.project(events[4], stream)
    assert model == [1, 2, 3]
    assert cursors.version(Followed("steps", stream)) == 2


def test_a_lease_is_renewed_and_given_back_without_a_move_of_the_cursor(backend, stream):
    followed = Followed("kept", stream)
    cursors = backend._shared_log().cursors
    cursors.take(followed, 9, "worker", 0, 10)
    assert cursors.renew(followed, 3, "worker", 20)

    assert cursors.renew(followed, None, "worker", 30)
    assert cursors.version(followed) == 3
    failure = NewFailure(4, "RuntimeError", 1)
    assert cursors.release(followed, None, "worker", failure)
    found = cursors.info(followed)
    assert (found.version, found.failure.place) == (3, 4)
    assert cursors.take(followed, 9, "other", 40, 50) == 3
    assert cursors.release(followed, None, "other")
    assert cursors.version(followed) == 3

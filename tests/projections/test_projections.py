"""Projections handle every event in order, and save a checkpoint after it."""

import logging
from threading import Event as Flag
from threading import Thread, Timer
from typing import TYPE_CHECKING

import pytest

from dynamo_es import Event, StreamId, UnknownEvent
from dynamo_es.exceptions import (
    InvalidConsumerError,
    InvalidPositionError,
    InvalidSubscriptionError,
    ThrottledError,
    UnknownConsumerError,
    UnknownEventError,
    UnreadableEventError,
)
from dynamo_es.testing.conformance.language import an_event

if TYPE_CHECKING:
    from dynamo_es.projections.parts import ProjectionReport

pytestmark = pytest.mark.inline


class Counted(Event):
    __event_name__ = "Counted"

    number: int


@pytest.fixture
def backend(world):
    return world.backend()


@pytest.fixture
def name(request):
    return f"projection of {request.node.name}"[:200]


@pytest.fixture
def start(given, backend):
    given.stream(StreamId()).with_commits_of(1)
    return backend.log.last_position


@pytest.fixture
def count(backend):
    """Appends so many numbered events, each to a stream of its own."""

    def append(*numbers, category="Counted", tenant=""):
        for number in numbers:
            store = backend.in_tenant(tenant).event_store
            store.append(Counted(number=number), stream_id=StreamId(category=category))

    return append


class Handled(list[int]):
    """The numbers that were handled; it may fail at one of them."""

    fails_at = None

    def __call__(self, recorded):
        number = recorded.wrapped_event.event.number
        if number == self.fails_at:
            raise ZeroDivisionError(number)
        self.append(number)


@pytest.fixture
def handled():
    return Handled()


def test_catching_up_handles_everything_once(backend, name, start, count, handled):
    count(1, 2, 3)
    projection = backend.projection(name, handled, after=start)
    assert projection.position is None

    progress = projection.run_once()

    assert handled == [1, 2, 3]
    assert (progress.position, progress.lag, progress.handled) == (start + 3, 0, 3)
    assert projection.position == start + 3
    count(4)
    assert projection.run_once().handled == 1
    assert handled == [1, 2, 3, 4]
    assert projection.run_once().handled == 0


def test_another_process_goes_on_where_it_was(world, name, backend, start, count, handled):
    count(1, 2)
    backend.projection(name, handled, after=start).run_once()
    count(3)

    world.backend("another").projection(name, handled, after=start).run_once()

    assert handled == [1, 2, 3]


def test_it_stops_before_the_event_that_fails(backend, name, start, count, handled):
    count(1, 2, 3, 4)
    handled.fails_at = 3
    projection = backend.projection(name, handled, after=start)

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            projection.run_once()
        assert handled == [1, 2]
        assert projection.position == start + 2

    handled.fails_at = None
    projection.run_once()
    assert handled == [1, 2, 3, 4]


def test_failing_at_the_first_event_leaves_no_checkpoint(backend, name, start, count, handled):
    count(1)
    handled.fails_at = 1
    projection = backend.projection(name, handled, after=start)

    with pytest.raises(ZeroDivisionError):
        projection.run_once()

    assert projection.position is None


def test_only_what_is_selected(backend, name, start, count, handled):
    count(1, category="A")
    count(2, category="B")
    count(3, category="A", tenant="acme")
    stream = StreamId(category="A")
    backend.storage.insert_events(stream, *_any([an_event(stream, name="NeverSeen")]))

    backend.projection(name, handled, category="A", events=[Counted], after=start).run_once()
    assert handled == [1, 3]
    backend.in_tenant("acme").projection(name + "2", handled, after=start).run_once()
    assert handled == [1, 3, 3]


def _any(events):
    from dynamo_es import ANY_VERSION

    return ANY_VERSION, events


def test_an_unknown_event_stops_it_unless_it_is_kept(backend, name, start):
    stream = StreamId()
    backend.storage.insert_events(stream, *_any([an_event(stream, name="NeverSeen")]))
    seen = []

    with pytest.raises(UnknownEventError, match="NeverSeen"):
        backend.projection(name, seen.append, after=start).run_once()
    backend.projection(name, seen.append, after=start, keep_unknown=True).run_once()

    assert [type(record.wrapped_event.event) for record in seen] == [UnknownEvent]


def test_an_event_with_a_damaged_schema_version_stops_it_at_that_event(
    backend, name, start, count, handled
):
    count(1)
    stream = StreamId()
    damaged = an_event(stream, name="Counted", data={"number": 2}, context={"$schema": "x"})
    backend.storage.insert_events(stream, *_any([damaged]))

    with pytest.raises(UnreadableEventError, match=r"its \$schema must be an integer"):
        backend.projection(name, handled, after=start, batch_size=1).run_once()

    assert handled == [1]
    assert backend.checkpoints.position(name) == start + 1


def test_the_checkpoint_is_saved_after_every_batch(backend, name, start, count):
    count(*range(10))
    saved: list[int | None] = []
    told: list[ProjectionReport] = []

    def look(_recorded):
        saved.append(backend.checkpoints.position(name))

    projection = backend.projection(name, look, after=start, batch_size=4)
    projection.run_once(on_progress=told.append)

    assert saved == [None] * 4 + [start + 4] * 4 + [start + 8] * 2
    assert [progress.position - start for progress in told] == [4, 8, 10, 10][: len(told)]
    assert [progress.lag for progress in told][:3] == [6, 2, 0]


def test_it_runs_until_it_is_stopped(backend, name, start, count, handled):
    stop, reached = Flag(), Flag()
    count(1, 2)

    def progressed(progress):
        if progress.handled == 3:
            reached.set()

    projection = backend.projection(name, handled, after=start)
    thread = Thread(target=projection.run_forever, args=(stop, progressed))
    thread.start()
    try:
        count(3)
        assert reached.wait(30)
    finally:
        stop.set()
        thread.join(30)

    assert handled == [1, 2, 3]
    assert projection.position == start + 3


def test_it_stops_after_the_event_in_hand(backend, name, start, count):
    stop, handled = Flag(), []
    count(1, 2, 3)

    def handle(recorded):
        handled.append(recorded.position)
        stop.set()

    projection = backend.projection(name, handle, after=start)

    assert projection.run_forever(stop).handled == 1
    assert handled == [start + 1]
    assert projection.position == start + 1


def test_while_it_runs_what_passes_is_waited_out(backend, name, start, count, caplog, monkeypatch):
    count(1, 2)
    stop, handled, failures = Flag(), [], [2]
    save = backend.checkpoints.save

    def fail_twice(*save_of):
        if failures[0]:
            failures[0] -= 1
            raise ThrottledError("UpdateItem", "Slow", "Too much.", "log")
        stop.set()
        return save(*save_of)

    monkeypatch.setattr(backend.checkpoints, "save", fail_twice)
    projection = backend.projection(
        name, lambda r: handled.append(r.position - start), after=start, batch_size=1
    )
    watchdog = Timer(20, stop.set)
    watchdog.start()
    with caplog.at_level(logging.WARNING, "dynamo_es"):
        projection.run_forever(stop)
    watchdog.cancel()

    assert not failures[0]
    assert projection.position == start + len(handled)
    assert handled == [1, 2, 3][: len(handled)]
    assert handled.count(1) == handled.count(2) == 1
    assert "failed and tries again: " in caplog.text


def test_two_runs_of_one_name_do_not_set_each_other_back(
    world, backend, name, start, count, handled, caplog
):
    count(1, 2, 3)

    def handle(recorded):
        handled(recorded)
        if handled == [1]:
            world.backend("other").checkpoints.move(name, start + 2)

    with caplog.at_level(logging.WARNING, "dynamo_es"):
        report = backend.projection(name, handle, after=start, batch_size=1).run_once()

    assert handled == [1, 3]
    assert report.overtaken == 1
    assert "its checkpoint was moved" in caplog.text


def test_checkpoints_are_listed_and_set_by_hand(backend, world, name, start, count, handled):
    count(1, 2)
    projection = backend.projection(name, handled, after=start)
    projection.run_once()
    listed = {c.name: c for c in world.backend("other").checkpoints.all()}
    assert listed[name].position == start + 2
    assert listed[name].moved_at.tzinfo is not None
    assert list(listed) == sorted(listed)

    backend.checkpoints.reset(name, start + 1)
    projection.run_once()

    assert handled == [1, 2, 2]
    assert backend.checkpoints.move(name, start) == start + 2
    with pytest.raises(UnknownConsumerError, match="nobody"):
        backend.checkpoints.reset("nobody", 0)
    assert backend.checkpoints.position("nobody") is None


def test_a_projection_that_is_reset_handles_its_events_again(backend, name, start, count, handled):
    count(1, 2, 3)
    projection = backend.projection(name, handled, after=start)
    assert projection.handler is handled
    assert projection.run_once().overtaken == 0

    projection.reset(start + 2)
    projection.run_once()
    projection.reset()
    projection.run_once()

    assert handled == [1, 2, 3, 3, 1, 2, 3]


def test_only_what_has_run_can_be_reset_and_only_to_a_place_in_the_log(
    backend, name, start, handled
):
    projection = backend.projection(name, handled, after=start)
    with pytest.raises(UnknownConsumerError):
        projection.reset()
    backend.checkpoints.move(name, start)
    for wrong in (-1, start + 5):
        with pytest.raises(InvalidPositionError):
            projection.reset(wrong)
    assert projection.position == start


def test_bad_input(backend, name, start):
    with pytest.raises(InvalidSubscriptionError, match="handler must be callable, not 7"):
        backend.projection(name, 7)
    for bad in ("", "a#b", 7, "x" * 256, "\ud800"):
        with pytest.raises(InvalidConsumerError):
            backend.projection(bad, print)
        with pytest.raises(InvalidConsumerError):
            backend.checkpoints.position(bad)
    for size in (0, True, 1.5):
        with pytest.raises(InvalidSubscriptionError, match="batch_size must be an integer"):
            backend.projection(name, print, batch_size=size)
    with pytest.raises(InvalidSubscriptionError, match="category must be text, not 7"):
        backend.projection(name, print, category=7)
    with pytest.raises(InvalidPositionError):
        backend.projection(name, print, after=-1)
    with pytest.raises(InvalidPositionError, match=f"the log ends at {start}"):
        backend.projection(name, print, after=start + 5).run_forever(_stopped_later())


def _stopped_later():
    """Not set at first, so that the run looks at the log once."""
    return Flag()

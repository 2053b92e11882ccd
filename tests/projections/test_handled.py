"""A projection skips no event, handles none twice, and loses none silently."""

import logging
import warnings
from contextlib import suppress
from datetime import timedelta
from functools import partial
from threading import Event as Flag
from threading import Timer
from typing import ClassVar
from uuid import uuid4

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, Event, StreamId, UnknownEvent
from dynamo_es.contracts import Followed
from dynamo_es.exceptions import (
    AsynchronousFunctionError,
    CursorBusyError,
    EventDefinitionError,
    InvalidPositionError,
    InvalidSubscriptionError,
    UnknownEventError,
)
from dynamo_es.projections.projector import Projector
from dynamo_es.testing.conformance.language import an_event

pytestmark = [pytest.mark.inline, pytest.mark.usefixtures("subscriptions_wait_in_no_time")]


class Moved(Event):
    __event_name__ = "handled.Moved"
    __event_aliases__: ClassVar[tuple[str, ...]] = ("handled.WasMoved", "handled.Shifted")

    number: int = 0


class MovedFar(Moved):
    __event_name__ = "handled.MovedFar"
    __event_aliases__: ClassVar[tuple[str, ...]] = ()


class Rested(Event):
    __event_name__ = "handled.Rested"

    number: int = 0


class Idle(Event):
    """A base class without events of its own."""

    __event_name__ = "handled.Idle"


class Asleep(Idle):
    __event_name__ = "handled.Asleep"

    number: int = 0


@pytest.fixture
def backend(world):
    return world.backend()


@pytest.fixture
def name():
    return f"handled {uuid4().hex}"


@pytest.fixture
def start(given, backend):
    given.stream(StreamId()).with_commits_of(1)
    return backend.log.last_position


@pytest.fixture
def stream():
    return StreamId(category="Handled")


@pytest.fixture
def model():
    """A read model: the numbers that it was given."""

    class Model(list[int]):
        def __call__(self, wrapped_event, stream_id):
            self.append(wrapped_event.event.number)

    return Model()


def store(backend, stream, *names, tenant=""):
    """Append events by their stored names, numbered from 1."""
    raws = [
        an_event(stream, name=name, data={"number": n}, context={})
        for n, name in enumerate(names, 1)
    ]
    backend.in_tenant(tenant).storage.insert_events(stream, ANY_VERSION, raws)


async def coroutine(*_):
    raise AssertionError("it never runs")


NEVER_RUN = {
    "coroutine function": lambda: coroutine,
    "lambda around one": lambda: lambda *_: coroutine(),
    "lambda around a generator": lambda: lambda *_: (n for n in ()),
}


@pytest.mark.parametrize("make", NEVER_RUN.values(), ids=NEVER_RUN)
def test_what_would_never_run_is_refused_and_nothing_moves(backend, name, start, stream, make):
    backend.event_store.append(Moved(), stream_id=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AsynchronousFunctionError):
            backend.projection(name, make(), after=start).run_once()
        with pytest.raises(AsynchronousFunctionError):
            projector = backend.projector(name, make())
            projector.project(backend.event_store.load_stream(stream)[0], stream)
        with pytest.raises(AsynchronousFunctionError):
            backend.projection(name + "2", lambda _: None, after=start).run_once(on_progress=make())

    assert backend.checkpoints.position(name) is None
    assert backend._shared_log().cursors.version(Followed(name, stream)) == 0


@pytest.mark.parametrize("make", NEVER_RUN.values(), ids=NEVER_RUN)
def test_neither_filters_nor_publishers_nor_listeners(world, name, stream, make, caplog):
    backend = world.backend("with hooks")
    with pytest.raises(AsynchronousFunctionError):
        backend.with_outbox(make()).event_store.append(Moved(), stream_id=stream)
    assert backend.event_store.load_stream(stream) == []

    backend.with_outbox().event_store.append(Moved(), stream_id=stream)
    outbox = backend.outbox.named(name)
    with pytest.raises(AsynchronousFunctionError):
        outbox.run_once(make(), limit=100)
    assert outbox.entries() == []
    with warnings.catch_warnings(), suppress(AsynchronousFunctionError):
        warnings.simplefilter("error")
        backend.listeners.register(make(), to=Moved)
        backend.event_store.append(Moved(), stream_id=stream, expected_version=1)
        assert "would never run" in caplog.text
    sent = outbox.run_once(lambda _: None, limit=1000).handled
    assert sent >= 1


def test_a_class_is_chosen_by_its_name_its_aliases_and_its_subclasses(backend, name, start, stream):
    names = ["handled.Shifted", "handled.Rested", "handled.WasMoved", "handled.MovedFar"]
    store(backend, stream, *names, "handled.Moved", "handled.Asleep")
    seen = []

    def handle(recorded):
        seen.append(recorded.wrapped_event.event.number)

    backend.projection(name, handle, events=[Moved], after=start).run_once()
    assert seen == [1, 3, 4, 5]
    for events, numbers in (([MovedFar], [4]), ([Idle], [6]), ([Idle, Rested], [2, 6])):
        batch = next(backend.subscriber.after(start).to_events(events).build_batch(9, 0.1))
        assert [recorded.wrapped_event.event.number for recorded in batch] == numbers
    batch = next(backend.subscriber.after(start).to_events([Event]).build_batch(9, 0.1))
    assert [recorded.wrapped_event.event.number for recorded in batch] == [1, 2, 3, 4, 5, 6]


def test_a_subclass_that_is_defined_later_belongs_to_the_choice(backend, name, start, stream):
    seen = []
    projection = backend.projection(name, seen.append, events=[Rested], after=start)
    subscriber = backend.subscriber.after(start).to_events([Rested])

    class RestedLong(Rested):
        __event_name__ = "handled.RestedLong"

    backend.event_store.append(RestedLong(number=7), stream_id=stream)

    assert projection.run_once().handled == 1
    assert len(next(subscriber.build_batch(9, 0.1))) == 1


def test_also_while_the_projection_runs(backend, name, start):
    stop, seen = Flag(), []

    def handle(recorded):
        seen.append(type(recorded.wrapped_event.event).__name__)
        if len(seen) == 2:
            stop.set()

    def progressed(progress):
        if len(seen) == 1 and progress.lag == 0:

            class RestedWell(Rested):
                __event_name__ = f"handled.RestedWell {name}"

            backend.event_store.append(RestedWell(), stream_id=StreamId())

    backend.event_store.append(Rested(), stream_id=StreamId())
    watchdog = Timer(20, stop.set)
    watchdog.start()
    backend.projection(name, handle, events=[Rested], after=start).run_forever(stop, progressed)
    watchdog.cancel()

    assert seen == ["Rested", "RestedWell"]


@pytest.mark.parametrize("events", [[], (), set(), iter(()), Moved, "handled.Moved", 7])
def test_an_empty_choice_and_what_is_no_list_are_refused(backend, name, events):
    with pytest.raises(InvalidSubscriptionError, match=r"events (is|must)"):
        backend.projection(name, print, events=events)
    with pytest.raises(InvalidSubscriptionError, match=r"events (is|must)"):
        backend.subscriber.to_events(events)
    with pytest.raises(InvalidSubscriptionError, match=r"events (is|must)"):
        backend.select(None, events)


@pytest.mark.parametrize("wrong", [7, int, "handled.Moved", Moved(), None])
def test_what_is_no_event_class_is_refused(backend, name, wrong):
    with pytest.raises(EventDefinitionError, match="is not an event class"):
        backend.projection(name, print, events=[wrong])


@pytest.mark.parametrize("names", [[], "handled.Moved"])
def test_an_empty_choice_of_names_is_refused(backend, names):
    with pytest.raises(InvalidSubscriptionError):
        backend.subscriptions.subscribe_to_events(0, 1, timedelta(seconds=1), names)


def numbered(backend, stream, *numbers, first=0):
    events = [Moved(number=n) for n in numbers]
    backend.event_store.append(*events, stream_id=stream, expected_version=first)


@pytest.mark.parametrize("registered", ["as it is", "in a function that drops the generation"])
def test_a_projector_is_fed_by_a_listener_and_by_the_log(
    world, name, start, stream, model, registered
):
    backend = world.backend("fed twice")
    projector = backend.projector(name, model)
    listener = projector.project
    if registered != "as it is":

        def listener(event, stream_id, tenant_id, position):
            projector.project(event, stream_id, tenant_id)

    backend.listeners.register(listener, to="Handled")
    projection = backend.projection(name, projector, category="Handled", after=start)
    numbered(backend, stream, 1, 2)
    projection.run_once()
    numbered(backend, stream, 3, first=2)
    projection.run_once()
    assert model == [1, 2, 3]

    backend.storage.delete_stream(stream)
    numbered(backend, stream, 11, 12)
    projection.run_once()
    numbered(backend, stream, 13, first=2)
    projection.run_once()

    assert model == [1, 2, 3, 11, 12, 13]


def test_a_listener_is_told_the_generation_if_it_asks(world, start, stream):
    backend = world.backend("that asks")
    told = []

    def listener(event, stream_id, tenant_id, position, *, generation):
        told.append((event.version, generation))

    backend.listeners.register(listener, to=Moved)
    numbered(backend, stream, 1)
    backend.storage.delete_stream(stream)
    numbered(backend, stream, 1)
    (record,) = next(backend.subscriptions.subscribe_to_all(start, 9, timedelta(seconds=0.1)))

    assert [version for version, _ in told] == [1, 1]
    assert told[0][1] < told[1][1] == record.generation


def test_no_listener_sees_what_another_has_changed(world, stream):
    backend = world.backend("with careless listeners")
    seen = []

    def change(event, *_):
        seen.append(event.event.number)
        event.event.number = 99

    backend.listeners.register(change, to=Moved)
    backend.listeners.register(partial(change), to=Moved)
    numbered(backend, stream, 5)

    assert seen == [5, 5]
    assert backend.event_store.load_stream(stream)[0].event.number == 5


def test_a_filter_that_changes_its_event_does_not_change_what_is_stored(world, stream):
    backend = world.backend("with a careless filter")

    def change(raw):
        raw.data["items"].append("mine")
        raw.context["mine"] = raw.data["mine"] = True
        return True

    raw = an_event(stream, name="any", data={"items": []}, context={})
    backend.with_outbox(change).storage.insert_events(stream, NO_VERSIONING, [raw])

    (stored,) = backend.storage.fetch_events(stream)
    assert (stored.data, stored.context) == ({"items": []}, {})
    assert (raw.data, raw.context) == ({"items": []}, {})


def test_a_versionless_event_does_not_stop_a_projection_with_a_projector(
    backend, name, start, stream, model
):
    for number in (1, 2, 3):
        backend.event_store.append(
            Moved(number=number), stream_id=stream, expected_version=NO_VERSIONING
        )
    other = StreamId(category="Handled")
    numbered(backend, other, 9)
    projector = backend.projector(name, model)

    assert backend.projection(name, projector, after=start).run_once().lag == 0
    assert model == [1, 2, 3, 9]
    backend.checkpoints.reset(name, start)
    backend.projection(name, projector, after=start).run_once()
    assert model == [1, 2, 3, 9], "each of them once"


def test_versionless_events_that_are_missing_come_first(backend, name, start, stream, model):
    for number in range(1, 8):
        backend.event_store.append(
            Moved(number=number), stream_id=stream, expected_version=NO_VERSIONING
        )
    records = next(backend.subscriber.after(start).build_batch(9, 0.1))
    projector = backend.projector(name, model)

    assert projector(records[4]) == 5
    assert projector(records[2]) == 0
    assert projector(records[6]) == 2
    assert model == [1, 2, 3, 4, 5, 6, 7]


def test_a_projection_hands_its_projector_nothing_that_it_did_not_choose(
    backend, name, start, stream, model
):
    store(backend, stream, "handled.Rested", "NoClassHasThis", "handled.Shifted", "handled.Rested")
    store(backend, stream, "handled.Moved")
    projector = backend.projector(name, model)

    backend.projection(name, projector, events=[Moved], after=start).run_once()

    assert model == [3, 1]
    everything = backend.projector(name + "2", model, keep_unknown=True)
    with pytest.raises(UnknownEventError):
        backend.projection(name + "2", everything, after=start).run_once()


def test_an_unknown_event_is_handed_on_only_if_it_is_asked_for(backend, name, start, stream):
    store(backend, stream, "NoClassHasThis")
    seen = []
    backend.projection(name, seen.append, after=start, keep_unknown=True).run_once()
    assert isinstance(seen[0].wrapped_event.event, UnknownEvent)


@pytest.mark.parametrize("beyond", ["checkpoint", "start"])
def test_a_position_beyond_the_end_of_the_log_is_refused(backend, name, start, beyond):
    if beyond == "checkpoint":
        backend.checkpoints.move(name, start + 1000)
        projection = backend.projection(name, print)
    else:
        projection = backend.projection(name, print, after=start + 1000)

    with pytest.raises(InvalidPositionError, match=f"the log ends at {start}"):
        projection.run_once()


class Slow:
    """Cursors of a process whose clock stands still but for what a test makes of it."""

    def __init__(self, backend, model, name, now):
        self.now = now
        self.projector = Projector(
            name,
            model,
            cursors=backend._shared_log().cursors,
            parked=backend.parked,
            event_store=self.event_store,
            clock=lambda: self.now,
        )
        self._backend = backend
        self.while_loading = lambda: None

    def event_store(self, tenant_id):
        self.while_loading()
        return self._backend.in_tenant(tenant_id).event_store


def test_a_lease_that_was_lost_before_the_first_event_is_no_success(
    world, name, start, stream, model
):
    """What was missing took longer to load than the lease lasts, and another took it over."""
    backend = world.backend()
    numbered(backend, stream, 1, 2, 3)
    records = next(backend.subscriber.after(start).build_batch(9, 0.1))
    first = Slow(backend, model, name, 1000.0)
    followed = Followed(name, stream, generation=records[0].generation)
    others = world.backend("other")._shared_log().cursors

    def take_over():
        with pytest.raises(CursorBusyError):
            others.take(followed, 3, "other", 1_000_000, 1_060_000)
        first.now += 61
        assert others.take(followed, 3, "other", 1_061_000, 1_121_000) == 0

    first.while_loading = take_over
    with pytest.raises(CursorBusyError):
        first.projector(records[2])
    assert model == []

    assert others.release(followed, 0, "other")
    first.while_loading = lambda: None
    assert first.projector(records[2]) == 3
    assert model == [1, 2, 3]


def test_a_clock_a_minute_ahead_takes_nothing_over(world, name, start, stream, model):
    backend = world.backend()
    numbered(backend, stream, 1)
    (record,) = next(backend.subscriber.after(start).build_batch(9, 0.1))
    other = Slow(world.backend("a minute ahead"), model, name, 1061.0)

    def meddle(event, stream_id):
        for seconds in (0, 30, 29):
            other.now += seconds
            with pytest.raises(CursorBusyError):
                other.projector(record)
        model(event, stream_id)

    Slow(backend, meddle, name, 1000.0).projector(record)

    assert model == [1]
    assert other.projector(record) == 0


def test_a_lease_that_ran_out_during_the_last_event_is_logged(
    world, name, start, stream, model, caplog
):
    backend = world.backend()
    numbered(backend, stream, 1)
    (record,) = next(backend.subscriber.after(start).build_batch(9, 0.1))
    others = world.backend("other")._shared_log().cursors
    followed = Followed(name, stream, generation=record.generation)

    def slow(event, stream_id):
        with suppress(CursorBusyError):
            others.take(followed, 1, "other", 1_000_000, 1_060_000)
        assert others.take(followed, 1, "other", 1_060_000, 1_121_000) == 0
        model(event, stream_id)

    with caplog.at_level(logging.WARNING, "dynamo_es"):
        assert Slow(backend, slow, name, 1000.0).projector(record) == 1
    assert f"stream {stream} (category 'Handled'): the lease ended" in caplog.text
    assert "Raise lease above 60 s" in caplog.text


def test_a_busy_cursor_is_waited_out_by_a_projection_that_runs(world, name, start, stream, model):
    backend = world.backend()
    numbered(backend, stream, 1)
    stop, tries = Flag(), []

    def handle(recorded):
        tries.append(recorded.position)
        if len(tries) == 1:
            raise CursorBusyError(name, stream)
        stop.set()

    backend.projection(name, handle, after=start).run_forever(stop)

    assert tries == [start + 1] * 2

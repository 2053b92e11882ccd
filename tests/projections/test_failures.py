"""The event that a projection or a projector cannot handle is stored, with the reason."""

from __future__ import annotations

import pytest

from dynamo_es import Event, StreamId
from dynamo_es.contracts import Followed, NewFailure
from dynamo_es.exceptions import CursorBusyError, InvalidRangeError, ThrottledError
from dynamo_es.projections.manual_changes import reset_version, skip_version

pytestmark = pytest.mark.inline

QUOTED = "an event's own value"


class Failing(Event):
    __event_name__ = "Failing"

    number: int


class Handler(list[int]):
    fails_at: int | None = None
    error: Exception = ZeroDivisionError(QUOTED)

    def __call__(self, recorded):
        if recorded.wrapped_event.event.number == self.fails_at:
            raise self.error
        self.append(recorded.wrapped_event.event.number)


class ReadModel(list[int]):
    fails_at: int | None = None

    def __call__(self, wrapped_event, stream_id):
        if wrapped_event.event.number == self.fails_at:
            raise ZeroDivisionError(QUOTED)
        self.append(wrapped_event.event.number)


@pytest.fixture
def backend(world):
    return world.backend()


@pytest.fixture
def name(request):
    return f"failures of {request.node.name}"[:200]


@pytest.fixture
def start(given, backend):
    given.stream(StreamId()).with_commits_of(1)
    return backend.log.last_position


@pytest.fixture
def stream(backend, start):
    """A stream of five events, each a commit, after ``start``."""
    stream = StreamId(category="Failing")
    for number in range(1, 6):
        backend.event_store.append(
            Failing(number=number), stream_id=stream, expected_version=number - 1
        )
    return stream


@pytest.fixture
def checkpoint(backend, name):
    def find():
        found = [one for one in backend.checkpoints.all() if one.name == name]
        return found[0] if found else None

    return find


@pytest.fixture
def cursor(backend, name):
    def find():
        found = backend.consumers.find()
        cursors = list(found.cursors)
        while found.after is not None:
            found = backend.consumers.find(found.after)
            cursors += found.cursors
        matching = [one for one in cursors if one.name == name]
        return matching[0] if matching else None

    return find


def run(projection):
    with pytest.raises(ZeroDivisionError):
        projection.run_once()


def test_a_projection_that_fails_says_where_how_often_and_why(
    backend, name, start, stream, checkpoint
):
    handler = Handler()
    handler.fails_at = 3
    projection = backend.projection(name, handler, after=start)

    run(projection)
    run(projection)

    assert checkpoint().position == start + 2
    failure = checkpoint().failure
    assert (failure.place, failure.attempts) == (start + 3, 2)
    assert failure.reason.startswith("ZeroDivisionError at test_failures.py:")
    assert QUOTED not in failure.reason


def test_a_success_forgets_the_failure(backend, name, start, stream, checkpoint):
    handler = Handler()
    handler.fails_at = 3
    projection = backend.projection(name, handler, after=start)
    run(projection)
    handler.fails_at = None

    projection.run_once()

    assert checkpoint().failure is None
    assert checkpoint().position == start + 5


def test_a_failure_at_another_event_counts_from_one(backend, name, start, stream, checkpoint):
    handler = Handler()
    handler.fails_at = 3
    projection = backend.projection(name, handler, after=start)
    run(projection)
    run(projection)
    handler.fails_at = 4

    run(projection)

    failure = checkpoint().failure
    assert (failure.place, failure.attempts) == (start + 4, 1)


def test_a_failure_at_the_first_event_is_listed_without_a_checkpoint(
    backend, name, start, stream, checkpoint
):
    handler = Handler()
    handler.fails_at = 1
    projection = backend.projection(name, handler, after=start)

    run(projection)

    assert projection.position is None
    assert checkpoint().position == start
    assert checkpoint().failure.place == start + 1
    handler.fails_at = None
    projection.run_once()
    assert (checkpoint().position, checkpoint().failure) == (start + 5, None)


def test_errors_that_pass_are_no_failures(backend, name, start, stream, checkpoint):
    handler = Handler()
    handler.fails_at = 2
    handler.error = ThrottledError("Query", "Throttling", "slow down")

    with pytest.raises(ThrottledError):
        backend.projection(name, handler, after=start).run_once()

    assert checkpoint().failure is None
    assert checkpoint().position == start + 1


def test_moving_past_the_event_by_hand_forgets_the_failure(
    backend, name, start, stream, checkpoint
):
    handler = Handler()
    handler.fails_at = 3
    run(backend.projection(name, handler, after=start))

    backend.checkpoints.move(name, start + 3)

    assert checkpoint().failure is None
    backend.projection(name, handler).run_once()
    assert handler == [1, 2, 4, 5]


def test_a_reset_forgets_the_failure(backend, name, start, stream, checkpoint):
    handler = Handler()
    handler.fails_at = 1
    run(backend.projection(name, handler, after=start))

    backend.checkpoints.reset(name, 0)

    assert (checkpoint().position, checkpoint().failure) == (0, None)


def test_a_failure_behind_the_checkpoint_is_not_stored(backend, name, checkpoint):
    backend.checkpoints.move(name, 7)
    for place in (6, 7):
        backend.checkpoints.fail(name, 3, NewFailure(place, "late", 1000))
    assert (checkpoint().position, checkpoint().failure) == (7, None)

    backend.checkpoints.fail(name, 7, NewFailure(8, "now", 1000))
    backend.checkpoints.fail(name, 7, NewFailure(9, "later", 2000))
    failure = checkpoint().failure
    assert (failure.place, failure.attempts, failure.reason) == (9, 1, "later")
    assert failure.failed_at.timestamp() == 2


def test_a_tenants_failure_is_its_own(backend, name, stream, checkpoint):
    backend.in_tenant("acme").checkpoints.fail(name, 0, NewFailure(8, "now", 1000))

    assert checkpoint().tenant_id == "acme"
    assert checkpoint().failure.place == 8
    mine = [one for one in backend.in_tenant("acme").checkpoints.all() if one.name == name]
    assert [one.failure.place for one in mine] == [8]
    assert backend.in_tenant("acme").checkpoints.position(name) is None


def test_a_projector_that_fails_says_where_how_often_and_why(backend, name, stream, cursor):
    model = ReadModel()
    model.fails_at = 3
    projector = backend.projector(name, model)
    events = backend.event_store.load_stream(stream)

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            projector.project(events[4], stream)

    found = cursor()
    assert (found.version, found.busy) == (2, False)
    assert (found.tenant_id, found.stream_id) == ("", stream)
    assert found.generation == events[0].generation
    assert (found.failure.place, found.failure.attempts) == (3, 2)
    assert found.failure.reason.startswith("ZeroDivisionError at test_failures.py:")
    assert QUOTED not in found.failure.reason
    model.fails_at = None
    projector.project(events[4], stream)
    assert (cursor().version, cursor().failure) == (5, None)


def test_a_projectors_failure_at_another_event_counts_from_one(backend, name, stream, cursor):
    model = ReadModel()
    model.fails_at = 2
    projector = backend.projector(name, model)
    events = backend.event_store.load_stream(stream)
    for fails_at in (2, 2, 4):
        model.fails_at = fails_at
        with pytest.raises(ZeroDivisionError):
            projector.project(events[4], stream)

    assert (cursor().failure.place, cursor().failure.attempts) == (4, 1)


def test_skipping_moves_a_cursor_past_the_next_event_only(backend, name, stream, cursor):
    model = ReadModel()
    model.fails_at = 3
    projector = backend.projector(name, model)
    events = backend.event_store.load_stream(stream)
    with pytest.raises(ZeroDivisionError):
        projector.project(events[4], stream)
    followed = Followed(name, stream, "", cursor().generation)

    assert skip_version(backend.cursors, followed, 5, 1000) is False
    assert skip_version(backend.cursors, followed, 2, 1000) is False
    assert cursor().version == 2
    assert skip_version(backend.cursors, followed, 3, 1000) is True

    assert (cursor().version, cursor().failure, cursor().busy) == (3, None, False)
    projector.project(events[4], stream)
    assert model == [1, 2, 4, 5]


def test_resetting_a_cursor_applies_its_events_again(backend, name, stream, cursor):
    model = ReadModel()
    projector = backend.projector(name, model)
    events = backend.event_store.load_stream(stream)
    projector.project(events[4], stream)
    followed = Followed(name, stream, "", cursor().generation)

    reset_version(backend.cursors, followed, 3, 1000)
    projector.project(events[4], stream)

    assert model == [1, 2, 3, 4, 5, 4, 5]
    with pytest.raises(InvalidRangeError):
        reset_version(backend.cursors, followed, -1, 1000)


def test_a_cursor_in_use_is_not_changed_by_hand(backend, name, stream, cursor):
    followed = Followed(name, stream, "", 0)
    backend.cursors.take(followed, 5, "worker", 1000, 61_000)
    assert cursor().busy

    with pytest.raises(CursorBusyError):
        skip_version(backend.cursors, followed, 1, 2000)
    with pytest.raises(CursorBusyError):
        reset_version(backend.cursors, followed, 3, 2000)
    assert backend.cursors.release(followed, 4, "worker") is True


def test_the_finder_keeps_to_its_tenant(backend, name, stream):
    for tenant, category in (("a#b", None), ("a#b", ""), ("other", "x#y%")):
        followed = Followed(name, StreamId(category=category), tenant, 1)
        backend.cursors.take(followed, 5, "worker", 1000, 61_000)

    found = backend.in_tenant("a#b").consumers.find()
    mine = [one for one in found.cursors if one.name == name]
    assert {one.stream_id.category for one in mine} == {None, ""}
    assert {one.tenant_id for one in mine} == {"a#b"}
    everyone = [one for one in backend.consumers.find().cursors if one.name == name]
    assert {one.stream_id.category for one in everyone} == {None, "", "x#y%"}

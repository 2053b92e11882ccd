"""Parked streams: set aside after failures, retried in order, in nobody's way."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dynamo_es import Event, StreamId
from dynamo_es.contracts.consumers.parked import ParkedFailure, ParkedKey, Place
from dynamo_es.contracts.log import Piece
from dynamo_es.exceptions import (
    CursorBusyError,
    InvalidConsumerError,
    InvalidEnlistedWriteError,
    InvalidSubscriptionError,
    ThrottledError,
)
from dynamo_es.projections.failure_policy import FailurePolicy

pytestmark = pytest.mark.inline

QUOTED = "an event's own value"
AT_ONCE = FailurePolicy(then="park", attempts=1)
SKIP = FailurePolicy(then="skip", attempts=1)


class Booked(Event):
    __event_name__ = "parking.Booked"

    number: int


class Applied(list[Any]):
    """Stream and number of each applied event; it fails on those of some streams."""

    def __init__(self):
        super().__init__()
        self.poison = set()
        self.error = ZeroDivisionError
        self.calls = 0

    def __call__(self, recorded):
        self.calls += 1
        number = recorded.wrapped_event.event.number
        if (recorded.stream_id, number) in self.poison:
            raise self.error(QUOTED)
        self.append((recorded.stream_id, number))

    def of(self, stream):
        return [number for one, number in self if one == stream]


@pytest.fixture
def backend(world):
    return world.backend()


@pytest.fixture
def name(request):
    return f"parked of {request.node.name}"[:200]


@pytest.fixture
def applied():
    return Applied()


@pytest.fixture
def start(given, backend):
    given.stream(StreamId()).with_commits_of(1)
    return backend.log.last_position


@pytest.fixture
def ann():
    return StreamId(category="parking")


@pytest.fixture
def bob():
    return StreamId(category="parking")


@pytest.fixture
def book(backend):
    def append(stream, *numbers):
        for number in numbers:
            backend.event_store.append(
                Booked(number=number), stream_id=stream, expected_version=number - 1
            )

    return append


@pytest.fixture
def projection(backend, name, start, applied):
    def make(on_failure=AT_ONCE, **options):
        return backend.projection(name, applied, after=start, on_failure=on_failure, **options)

    return make


def entries(backend, name):
    return [
        (one.key.stream_id, one.first.number, one.seen.number, one.attempts)
        for one in backend.parked.streams(name)
    ]


# The list.


def test_a_parked_stream_is_listed_with_the_first_event_and_the_last_one_seen(backend, name, ann):
    key = ParkedKey(name, "log", ann)
    backend.parked.park(key, ParkedFailure(Place(0, 7), 3, "KeyError", 1_000))
    assert backend.parked.pass_over(key, Place(0, 9), Place(0, 12))
    assert backend.parked.pass_over(key, Place(0, 10), Place(0, 11))  # late

    [one] = backend.parked.streams(name)
    assert (one.first, one.seen, one.attempts) == (Place(0, 7), Place(0, 12), 3)
    assert (one.reason, one.failed_at.timestamp()) == ("KeyError", 1)
    assert one.key == key
    assert one in backend.parked.all()
    assert backend.parked.drop(key)
    assert not backend.parked.drop(key)
    assert not backend.parked.pass_over(key, Place(0, 13), Place(0, 13))
    assert backend.parked.streams(name) == []


def test_parking_a_parked_stream_changes_nothing(backend, name, ann):
    key = ParkedKey(name, "stream", ann)
    backend.parked.park(key, ParkedFailure(Place(1, 2), 3, "KeyError", 0))
    backend.parked.park(key, ParkedFailure(Place(1, 9), 1, "ValueError", 9))
    assert entries(backend, name) == [(ann, 2, 2, 3)]


def test_a_stream_is_parked_for_its_consumer_order_tenant_and_category_only(backend, name, ann):
    key = ParkedKey(name, "log", ann, "acme")
    backend.parked.park(key, ParkedFailure(Place(0, 1), 1, "KeyError", 0))
    for other in (
        key._replace(name=f"{name}2"),
        key._replace(order="stream"),
        key._replace(tenant_id="other"),
        key._replace(stream_id=StreamId(ann, category="another")),
    ):
        assert not backend.parked.pass_over(other, Place(0, 2), Place(0, 2))
    assert entries(backend, name) == [(ann, 1, 1, 1)]


def test_a_tenants_consumer_has_a_list_of_its_own(backend, name, ann):
    acme = backend.in_tenant("acme").parked
    key = ParkedKey(name, "log", ann, "acme")
    acme.park(key, ParkedFailure(Place(0, 1), 1, "KeyError", 0))
    assert [one.key for one in acme.all()] == [key]
    assert acme.streams(name)
    assert not backend.in_tenant("acme2").parked.streams(name)
    assert not backend.in_tenant("acme2").parked.all()


def test_a_category_that_is_too_long_for_a_sort_key_can_be_parked(backend, name):
    long = StreamId(category="c" * 1500)
    key = ParkedKey(name, "log", long)
    backend.parked.park(key, ParkedFailure(Place(0, 1), 1, "KeyError", 0))
    backend.parked.skip(key, ParkedFailure(Place(0, 3), 1, "KeyError", 0))
    assert [one.key.stream_id.category for one in backend.parked.streams(name)] == ["c" * 1500]
    assert backend.parked.skipped(name)[0].place == Place(0, 3)
    assert backend.parked.drop(key)


def test_one_worker_at_a_time_retries_a_stream(backend, name, ann):
    key, parked = ParkedKey(name, "log", ann), backend.parked
    parked.park(key, ParkedFailure(Place(0, 1), 1, "KeyError", 0))
    assert parked.take(key, "one", 0, 60_000) is not None
    assert parked.take(key, "one", 0, 60_000) is not None
    with pytest.raises(CursorBusyError):
        parked.take(key, "two", 1_000, 61_000)
    assert parked.take(key, "two", 61_000, 121_000) is not None  # no beat for a whole lease
    assert not parked.advance(key, "one", Place(0, 2), 0)
    assert not parked.unpark(key, "one", Place(0, 1))
    assert not parked.fail(key, "one", ParkedFailure(Place(0, 1), 1, "KeyError", 0))
    assert not parked.release(key, "one", Place(0, 2))
    assert parked.unpark(key, "two", Place(0, 1))
    assert parked.take(key, "one", 0, 60_000) is None


def test_a_stream_is_not_unparked_if_a_later_event_was_passed_over(backend, name, ann):
    key, parked = ParkedKey(name, "log", ann), backend.parked
    parked.park(key, ParkedFailure(Place(0, 1), 1, "KeyError", 0))
    seen = parked.take(key, "one", 0, 60_000).seen
    parked.pass_over(key, Place(0, 5), Place(0, 5))
    assert not parked.unpark(key, "one", seen)
    assert parked.unpark(key, "one", Place(0, 5))


def test_who_retries_loses_the_lease_when_the_consumer_is_set_back(backend, name, ann):
    key, parked = ParkedKey(name, "log", ann), backend.parked
    parked.park(key, ParkedFailure(Place(0, 5), 1, "KeyError", 0))
    parked.take(key, "one", 0, 60_000)
    assert parked.pass_over(key, Place(0, 2), Place(0, 3))
    assert not parked.advance(key, "one", Place(0, 6), 0)
    assert not parked.unpark(key, "one", Place(0, 5))
    assert entries(backend, name) == [(ann, 2, 5, 1)]


def test_a_failed_retry_counts_on_at_the_same_event_and_anew_at_another(backend, name, ann):
    key, parked = ParkedKey(name, "log", ann), backend.parked
    parked.park(key, ParkedFailure(Place(0, 5), 3, "KeyError", 0))
    parked.take(key, "one", 0, 60_000)
    assert parked.fail(key, "one", ParkedFailure(Place(0, 5), 1, "ValueError", 0))
    assert entries(backend, name) == [(ann, 5, 5, 4)]
    parked.take(key, "two", 0, 60_000)
    assert parked.fail(key, "two", ParkedFailure(Place(0, 6), 1, "ValueError", 0))
    assert entries(backend, name) == [(ann, 6, 5, 1)]


def test_a_skipped_event_is_listed_until_it_is_forgotten(backend, name, ann):
    key = ParkedKey(name, "stream", ann)
    for version in (10, 9):
        backend.parked.skip(key, ParkedFailure(Place(1, version), 1, "KeyError", 0))
    assert [one.place for one in backend.parked.skipped(name)] == [Place(1, 9), Place(1, 10)]
    assert {one.key.name for one in backend.parked.skipped()} >= {name}
    assert backend.parked.forget_skipped(key, Place(1, 9))
    assert not backend.parked.forget_skipped(key, Place(1, 9))
    assert backend.parked.streams(name) == []


def test_consumers_may_be_called_like_kinds_of_items(backend, ann, caplog):
    for name in ("cursor", "outbox", "parked"):
        key, failure = ParkedKey(name, "log", ann), ParkedFailure(Place(0, 1), 1, "KeyError", 0)
        backend.parked.park(key, failure)
        backend.parked.skip(key, failure)
        backend.checkpoints.of_version(3).move(name, 1)
        assert [one.key for one in backend.parked.streams(name)] == [key]
        assert backend.checkpoints.of_version(3).position(name) == 1
    found = backend.consumers.find()
    while found.after is not None:
        found = backend.consumers.find(found.after)
    assert "cannot be read" not in caplog.text
    for name in ("cursor", "outbox", "parked"):
        backend.parked.drop(ParkedKey(name, "log", ann))
        backend.parked.forget_skipped(ParkedKey(name, "log", ann), Place(0, 1))


def test_a_name_that_makes_no_key_is_refused(backend, ann):
    with pytest.raises(InvalidConsumerError):
        backend.parked.streams("a#b")
    with pytest.raises(InvalidConsumerError):
        backend.parked.park(ParkedKey("", "log", ann), ParkedFailure(Place(0, 1), 1, "", 0))


# Projections.


@pytest.mark.parametrize(("late", "retries"), [(1, 1), (4, 2)])
def test_an_event_that_reads_do_not_show_yet_is_not_left_out_of_a_retry(
    backend, name, projection, applied, ann, book, late, retries, monkeypatch
):
    book(ann, 1)
    applied.poison = {(ann, 1)}
    projection().run_once()
    book(ann, 2)
    projection().run_once()
    applied.poison = set()
    kind = type(backend.log.reader(0))
    read_some, looks = kind.read_some, []

    def not_yet(reader, *most):
        looks.append(reader)
        return Piece([], [], ended=True) if len(looks) <= late else read_some(reader, *most)

    monkeypatch.setattr(kind, "read_some", not_yet)
    reports = [projection().retry_parked() for _ in range(retries)]

    assert applied.of(ann) == [1, 2]
    assert [report.unparked for report in reports] == [*[0] * (retries - 1), 1]
    assert entries(backend, name) == []


def test_a_retry_ends_where_somebody_has_cut_the_log(backend, name, projection, applied, ann, book):
    book(ann, 1)
    applied.poison = {(ann, 1)}
    projection().run_once()
    last = backend.log.last_position
    key = backend.parked.streams(name)[0].key
    assert backend.parked.pass_over(key, Place(0, last + 5), Place(0, last + 5))
    applied.poison = set()

    assert projection().retry_parked().unparked == 1
    assert applied.of(ann) == [1]


def test_the_stream_of_an_event_that_fails_is_parked_and_others_go_on(
    backend, name, projection, applied, ann, bob, book, start
):
    book(ann, 1, 2)
    book(bob, 1)
    book(ann, 3)
    book(bob, 2)
    applied.poison = {(ann, 2)}

    report = projection().run_once()

    assert (applied.of(ann), applied.of(bob)) == ([1], [1, 2])
    assert entries(backend, name) == [(ann, start + 2, start + 4, 1)]
    assert (report.position, report.lag, report.parked, report.failed) == (start + 5, 0, 1, 1)
    assert projection().position == start + 5


def test_a_retry_applies_the_events_in_order_and_unparks(
    backend, name, projection, applied, ann, bob, book
):
    book(ann, 1, 2, 3)
    applied.poison = {(ann, 2)}
    projection().run_once()
    book(ann, 4)
    book(bob, 1)
    projection().run_once()
    applied.poison = {(ann, 4)}

    report = projection().retry_parked()

    assert (report.applied, report.unparked, report.left) == (2, 0, 1)
    assert applied.of(ann) == [1, 2, 3]
    applied.poison = set()
    report = projection().retry_parked()
    assert (report.applied, report.unparked, report.left) == (1, 1, 0)
    assert entries(backend, name) == []
    book(ann, 5)
    projection().run_once()
    assert applied.of(ann) == [1, 2, 3, 4, 5]
    assert applied.of(bob) == [1]


def test_events_that_a_running_worker_passed_over_are_applied_if_the_stream_was_retried_meanwhile(
    backend, name, projection, applied, ann, bob, book
):
    book(ann, 1, 2)
    book(bob, 1)
    applied.poison = {(ann, 1)}
    projection().run_once()
    book(ann, 3)
    book(bob, 2)
    real = applied.__class__.__call__

    class Retrying(Applied):
        """Retries the stream while the worker has passed over its third event."""

        def __call__(self, recorded):
            real(applied, recorded)
            if (recorded.stream_id, recorded.wrapped_event.event.number) == (bob, 2):
                applied.poison = set()
                assert projection().retry_parked().unparked == 1

    backend.projection(name, Retrying(), on_failure=AT_ONCE).run_once()

    assert applied.of(ann) == [1, 2, 3]
    assert entries(backend, name) == []


def test_a_temporary_error_after_such_a_retry_loses_no_event(
    backend, name, projection, applied, ann, bob, book
):
    book(ann, 1, 2)
    applied.poison = {(ann, 1)}
    projection().run_once()
    book(ann, 3, 4)
    book(bob, 1)
    failures = [ThrottledError("PutItem", "Slow", "Too much.", "table")]

    def handler(recorded):
        number = recorded.wrapped_event.event.number
        if (recorded.stream_id, number) == (ann, 3) and failures:
            raise failures.pop()
        Applied.__call__(applied, recorded)
        if recorded.stream_id == bob:
            applied.poison = set()
            assert projection().retry_parked().unparked == 1

    with pytest.raises(ThrottledError):
        backend.projection(name, handler, on_failure=AT_ONCE).run_once()
    backend.projection(name, handler, on_failure=AT_ONCE).run_once()

    assert applied.of(ann) == [1, 2, 3, 4]


def test_a_stream_that_is_deleted_is_unparked_without_an_event(
    backend, name, projection, applied, ann, book
):
    book(ann, 1)
    applied.poison = {(ann, 1)}
    projection().run_once()
    backend.storage.delete_stream(ann)
    report = projection().retry_parked()
    assert (report.applied, report.unparked) == (0, 1)
    assert entries(backend, name) == []


def test_a_projection_that_is_set_back_gives_a_parked_stream_all_its_events_again(
    backend, name, projection, applied, ann, book, start
):
    book(ann, 1, 2)
    applied.poison = {(ann, 2)}
    projection().run_once()
    projection().reset()
    applied.clear()
    projection().run_once()
    assert applied.of(ann) == []
    applied.poison = set()
    projection().retry_parked()
    assert applied.of(ann) == [1, 2]


def test_a_skipped_event_is_listed_and_the_next_ones_are_applied(
    backend, name, projection, applied, ann, book, start
):
    book(ann, 1, 2, 3)
    applied.poison = {(ann, 2)}
    report = projection(SKIP).run_once()
    assert applied.of(ann) == [1, 3]
    assert report.skipped == 1
    [one] = backend.parked.skipped(name)
    assert (one.key.stream_id, one.place.number) == (ann, start + 2)
    assert QUOTED not in one.reason


def test_an_event_is_tried_as_often_as_the_policy_says(
    projection, applied, ann, book, backend, name
):
    book(ann, 1)
    applied.poison = {(ann, 1)}
    projection(FailurePolicy(then="park", attempts=4, pause=0)).run_once()
    assert applied.calls == 4
    assert entries(backend, name)[0][3] == 4


def test_stop_with_attempts_tries_again_and_raises_the_last_error(projection, applied, ann, book):
    book(ann, 1)
    applied.poison = {(ann, 1)}
    with pytest.raises(ZeroDivisionError):
        projection(FailurePolicy(attempts=3, pause=0)).run_once()
    assert applied.calls == 3


def test_an_error_of_aws_parks_nothing(backend, name, projection, applied, ann, book):
    book(ann, 1)
    applied.poison = {(ann, 1)}
    applied.error = lambda _: ThrottledError("get_item", "ThrottlingException", "busy")
    with pytest.raises(ThrottledError):
        projection().run_once()
    assert entries(backend, name) == []


def test_neither_the_list_nor_a_log_line_holds_an_events_value(
    backend, name, projection, applied, ann, book, caplog
):
    book(ann, 1)
    applied.poison = {(ann, 1)}
    with caplog.at_level(logging.DEBUG):
        projection(FailurePolicy(then="park", attempts=2, pause=0)).run_once()
        projection().retry_parked()
    assert QUOTED not in caplog.text
    [one] = backend.parked.streams(name)
    assert "ZeroDivisionError" in one.reason
    assert QUOTED not in one.reason


@pytest.mark.parametrize(
    "wrong", ["drop", None, 3, {"attempts": 0}, {"then": "x"}, {"pause": -1}, {"attempts": True}]
)
def test_a_wrong_policy_is_refused(backend, name, wrong):
    with pytest.raises(InvalidSubscriptionError):
        policy = FailurePolicy(**wrong) if isinstance(wrong, dict) else wrong
        backend.projection(name, print, on_failure=policy)


def test_writes_can_only_stop(backend, name):
    with pytest.raises((InvalidSubscriptionError, InvalidEnlistedWriteError), match="writes=True"):
        backend.projection(name, lambda _: [], on_failure="park", writes=True)


def test_waits_double_up_to_the_longest():
    policy = FailurePolicy(pause=1, longest_pause=5)
    assert [policy.wait_after(n) for n in (1, 2, 3, 4, 2000)] == [1, 2, 4, 5, 5]


# Projectors.


def test_a_projector_parks_a_stream_after_three_failures(backend, name, ann, bob, book, start):
    book(ann, 1, 2)
    book(bob, 1)
    seen, poison = [], {ann}

    def model(wrapped, stream):
        if stream in poison:
            raise ZeroDivisionError(QUOTED)
        seen.append((stream, wrapped.version))

    projector = backend.projector(name, model, on_failure="park")
    first, second = backend.event_store.load_stream(ann)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            projector.project(first, ann)
    assert projector.project(first, ann) == 0
    assert entries(backend, name) == [(ann, 1, 1, 3)]
    assert projector.project(second, ann) == 0
    assert entries(backend, name) == [(ann, 1, 2, 3)]
    projector.project(backend.event_store.load_stream(bob)[0], bob)
    poison.clear()

    report = projector.retry_parked()

    assert (report.applied, report.unparked, report.left) == (2, 1, 0)
    assert seen == [(bob, 1), (ann, 1), (ann, 2)]
    assert projector.project(second, ann) == 0


def test_a_projector_skips_an_event_after_three_failures(backend, name, ann, book, start):
    book(ann, 1, 2, 3)
    seen = []

    def model(wrapped, _):
        if wrapped.version == 2:
            raise ZeroDivisionError(QUOTED)
        seen.append(wrapped.version)

    projector = backend.projector(name, model, on_failure="skip")
    last = backend.event_store.load_stream(ann)[-1]
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            projector.project(last, ann)
    projector.project(last, ann)
    assert seen == [1, 3]
    assert [one.place.number for one in backend.parked.skipped(name)] == [2]


def test_a_stream_that_began_anew_is_retried_from_its_first_event(backend, name, ann, book, start):
    book(ann, 1, 2)
    seen, poison = [], {ann}

    def model(wrapped, stream):
        if stream in poison:
            raise ZeroDivisionError(QUOTED)
        seen.append(wrapped.event.number)

    projector = backend.projector(name, model, on_failure=AT_ONCE)
    projector.project(backend.event_store.load_stream(ann)[0], ann)
    backend.storage.delete_stream(ann)
    book(ann, 1)
    poison.clear()
    report = projector.retry_parked()
    assert (report.applied, report.unparked) == (1, 1)
    assert seen == [1]

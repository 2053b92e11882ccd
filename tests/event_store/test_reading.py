"""The version of a stream, and reading it page by page, in both directions."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from uuid import uuid4

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, DynamoBackend, StreamId
from dynamo_es.exceptions import (
    EventDefinitionError,
    InputError,
    InvalidRangeError,
    InvalidStreamIdError,
    StreamGapError,
    UnknownEventError,
    UnreadableEventError,
)
from dynamo_es.values import RawEvent
from tests.event_store.accounts import Balance, Closed, Deposited, Opened


def deposits(*amounts):
    return [Deposited(amount=amount) for amount in amounts]


def amounts(events):
    return [one.event.amount for one in events]


def test_a_stream_has_the_version_of_its_last_append(store, stream):
    appended = store.append(*deposits(1, 2, 3), stream_id=stream)

    found = store.version(stream)

    assert found == appended == 3
    assert found.generation == appended.generation
    assert store.exists(stream)


def test_a_stream_that_does_not_exist_has_version_0(store, stream):
    assert store.version(stream) == 0
    assert not store.exists(stream)


def test_a_stream_without_versions_exists_and_has_no_version(store, stream):
    store.append(*deposits(1), stream_id=stream, expected_version=NO_VERSIONING)

    assert store.version(stream) is None
    assert store.exists(stream)


def test_a_deleted_stream_does_not_exist(store, stream):
    store.append(*deposits(1), stream_id=stream)
    store.delete_stream(stream)

    assert store.version(stream) == 0
    assert not store.exists(stream)


def test_the_version_of_a_stream_is_of_its_tenant(backend, store, stream):
    store.append(*deposits(1), stream_id=stream)

    assert not backend.in_tenant("other").event_store.exists(stream)


@pytest.mark.parametrize("page_size", [1, 2, 3, 4, 6, 7, 100])
@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_of_any_size_yield_every_event_once(store, stream, page_size, newest_first):
    store.append(*deposits(1, 2), stream_id=stream)
    store.append(*deposits(3, 4, 5), stream_id=stream, expected_version=2)
    store.append(*deposits(6), stream_id=stream, expected_version=5)

    found = list(store.iter_stream(stream, newest_first=newest_first, page_size=page_size))

    expected = store.load_stream(stream, 1)
    assert found == (expected[::-1] if newest_first else expected)
    assert len(found) == 6


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (2, None, [2, 3, 4, 5]),
        (1, 3, [1, 2]),
        (2, 4, [2, 3]),
        (3, 3, []),
        (6, None, []),
        (2, 99, [2, 3, 4, 5]),
    ],
)
def test_a_range_is_read_in_both_directions(store, stream, start, stop, expected):
    store.append(*deposits(1, 2, 3, 4, 5), stream_id=stream)

    up = store.iter_stream(stream, start, stop, page_size=2)
    down = store.iter_stream(stream, start, stop, newest_first=True, page_size=2)

    assert amounts(up) == expected
    assert amounts(down) == expected[::-1]


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_stream_that_does_not_exist_yields_nothing(store, stream, newest_first):
    assert list(store.iter_stream(stream, newest_first=newest_first)) == []


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_stream_without_versions_is_read_too(store, stream, newest_first):
    store.append(*deposits(1, 2, 3), stream_id=stream, expected_version=NO_VERSIONING)

    found = list(store.iter_stream(stream, newest_first=newest_first, page_size=2))

    assert amounts(found) == ([3, 2, 1] if newest_first else [1, 2, 3])
    assert {one.version for one in found} == {None}


def test_a_snapshot_is_part_of_it_only_without_a_start(store, stream):
    store.append(*deposits(1, 2, 3), stream_id=stream)
    store.save_snapshot(stream, store.load_stream(stream)[0].wrap(Balance(balance=3), 2))

    assert amounts(store.iter_stream(stream)) == [1, 2, 3]
    assert amounts(store.iter_stream(stream, newest_first=True)) == [3, 2, 1]
    snapshot, *after = store.iter_stream(stream, None)
    assert (snapshot.event, amounts(after)) == (Balance(balance=3), [3])


def test_a_snapshot_whose_class_is_gone_is_passed_over(backend, store, stream):
    store.append(*deposits(1, 2, 3), stream_id=stream)
    backend.storage.save_snapshot(RawEvent(uuid4(), stream, datetime.now(UTC), "gone", {}, {}, 2))

    assert amounts(store.iter_stream(stream, None)) == [1, 2, 3]
    assert list(store.iter_stream(StreamId(name="nobody", category="account"), None)) == []


def test_events_appended_while_you_read_are_not_part_of_it(store, stream):
    store.append(*deposits(1), stream_id=stream)
    store.append(*deposits(2), stream_id=stream, expected_version=1)
    up, down = (
        store.iter_stream(stream, newest_first=newest, page_size=1) for newest in (False, True)
    )
    begun = amounts([next(up), next(down)])
    store.append(*deposits(3), stream_id=stream, expected_version=2)

    assert begun == [1, 2]
    assert amounts(up) == [2]
    assert amounts(down) == [1]


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("newest_first", [False, True])
def test_a_stream_deleted_while_you_read_is_an_error(newest_first, again):
    with DynamoBackend.local(sequencing="stream") as backend:
        store, stream = backend.event_store, StreamId(name="ann", category="account")
        for version in range(4):
            store.append(*deposits(version + 1), stream_id=stream, expected_version=version)
        reading = store.iter_stream(stream, newest_first=newest_first, page_size=1)
        next(reading)
        store.delete_stream(stream)
        if again:
            store.append(*deposits(1, 2, 3, 4), stream_id=stream)

        with pytest.raises(StreamGapError):
            list(reading)
        assert list(reading) == []


def test_an_error_is_raised_in_the_place_of_its_event(backend, store, stream):
    store.append(*deposits(1, 2), stream_id=stream)
    raw = RawEvent(uuid4(), stream, datetime.now(UTC), "gone", {}, {})
    backend.storage.insert_events(stream, ANY_VERSION, [raw])

    reading = store.iter_stream(stream)

    assert amounts(islice(reading, 2)) == [1, 2]
    with pytest.raises(UnknownEventError):
        next(reading)
    *_, unknown = store.iter_stream(stream, keep_unknown=True)
    assert unknown.event.name == "gone"
    chosen = store.iter_stream(stream, events=Deposited)
    assert amounts(islice(chosen, 2)) == [1, 2]


def test_wrong_arguments_are_refused_at_the_call(store, stream):
    for wrong in (0, True, 1.5, None):
        with pytest.raises(InputError, match="page_size must be"):
            store.iter_stream(stream, page_size=wrong)
    for start in (0, "1"):
        with pytest.raises(InvalidRangeError):
            store.iter_stream(stream, start)
    with pytest.raises(InvalidRangeError, match="newest_first needs a start"):
        store.iter_stream(stream, None, newest_first=True)
    for call in (store.iter_stream, store.load_stream):
        with pytest.raises(InputError, match="consistent must be True, False or None, not 0"):
            call(stream, consistent=0)
    with pytest.raises(EventDefinitionError):
        store.iter_stream(stream, events=int)
    for call in (store.iter_stream, store.version, store.exists):
        with pytest.raises(InvalidStreamIdError):
            call("ann")


def test_what_you_expect_is_loaded(store, stream):
    store.append(Opened(owner="Ann"), *deposits(5), stream_id=stream)

    expected = store.load_stream(stream)

    assert store.load_stream(stream, events=(Opened, Deposited)) == expected
    assert store.load_stream(stream, events=Opened | Deposited) == expected
    assert list(store.iter_stream(stream, events=(Opened, Deposited))) == expected
    assert store.load_stream(stream, 2, events=Deposited) == expected[1:]


def test_an_event_of_another_class_is_an_error_that_names_both(store, stream):
    store.append(Opened(owner="Ann"), *deposits(5), stream_id=stream)

    with pytest.raises(UnreadableEventError) as caught:
        store.load_stream(stream, events=(Opened, Closed))

    assert (caught.value.version, caught.value.name) == (2, "account.deposited")
    assert "its class is Deposited, but events has only Opened, Closed" in str(caught.value)
    with pytest.raises(UnreadableEventError):
        list(store.iter_stream(stream, events=Opened))


def test_an_event_that_no_class_has_is_not_expected_either(backend, store, stream):
    raw = RawEvent(uuid4(), stream, datetime.now(UTC), "gone", {}, {})
    backend.storage.insert_events(stream, ANY_VERSION, [raw])

    with pytest.raises(UnknownEventError):
        store.load_stream(stream, events=Opened)
    with pytest.raises(UnreadableEventError, match="gone: its class is UnknownEvent"):
        store.load_stream(stream, events=Opened, keep_unknown=True)


@pytest.mark.parametrize("wrong", [(), int, "Opened", [Opened], (Opened, int), Opened | int])
def test_only_classes_of_events_can_be_expected(store, stream, wrong):
    with pytest.raises(EventDefinitionError, match="events"):
        store.load_stream(stream, events=wrong)


def test_a_page_is_one_request_and_the_next_one_is_read_ahead():
    reports = []
    stream = StreamId(name="ann", category="account")
    with DynamoBackend.local(reports.append, sequencing="stream") as backend:
        store = backend.event_store
        for version in range(150):
            store.append(*deposits(version + 1), stream_id=stream, expected_version=version)
        reports.clear()

        reading = store.iter_stream(stream, page_size=50)
        assert reports == []
        assert next(reading).version == 1
        # The newest item alone, and the page: not all that is below it.
        assert [one.requests for one in reports] == [2]
        assert len(list(reading)) == 149
        assert [(one.operation, one.requests) for one in reports] == [
            ("load", 2),
            ("load", 1),
            ("load", 1),
        ]
        assert max(one.read_units for one in reports) <= 5

        reports.clear()
        newest = next(store.iter_stream(stream, newest_first=True, page_size=1))
        assert (newest.version, [(one.operation, one.requests) for one in reports]) == (
            150,
            [("load", 1)],
        )

        reports.clear()
        assert (store.version(stream), store.exists(stream)) == (150, True)
        assert [(one.operation, one.requests) for one in reports] == [("head", 1), ("head", 1)]

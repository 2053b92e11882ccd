"""Appending with an expected version: which appends succeed, and what they store."""

import pytest

from dynamo_es import ExplicitVersioning, StreamId
from dynamo_es.exceptions import InvalidStreamIdError, InvalidVersioningError
from dynamo_es.testing.conformance.language import an_event, events, numbered


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


def test_missing_stream_is_empty(then, stream):
    then.stream(stream).is_missing()


def test_expected_version_0_creates_a_stream(when, then, stream):
    event = an_event(stream)

    when.appending(event, to=stream, expecting=0)

    then.stream(stream).is_([event]).loads(*numbered([event]))


@pytest.mark.parametrize("size", [1, 2, 3, 10, 150])
def test_events_of_one_append_keep_their_order(when, then, stream, size):
    appended = events(stream, size)

    when.appending(*appended, to=stream, expecting=0)

    then.stream(stream).is_(appended)


def test_next_append_goes_after_the_last_event(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(2, 1)
    appended = events(stream, 2)

    when.appending(*appended, to=stream, expecting=3)

    then.stream(stream).is_([*stored, *appended])


def test_process_that_never_saw_the_stream_appends_at_its_version(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(2, 1)
    appended = events(stream, 2)

    when.in_process("cold").appending(*appended, to=stream, expecting=3)

    then.stream(stream).is_([*stored, *appended])


def test_process_whose_knowledge_is_stale_appends_at_the_true_version(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(2)
    given.in_process("stale").stream(stream).loaded()
    stored += given.stream(stream).with_commits_of(3)
    appended = an_event(stream)

    when.in_process("stale").appending(appended, to=stream, expecting=5)

    then.stream(stream).is_([*stored, appended])


def test_versions_that_agree_with_the_expected_one_may_be_set(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(2)
    first, second, third = events(stream, 3)

    when.appending(*numbered([first, second, third], 3), to=stream, expecting=2)

    then.stream(stream).is_([*stored, first, second, third])


def test_versions_may_be_set_on_some_events_only(when, then, stream):
    first, second = events(stream, 2)

    when.appending(first, *numbered([second], 2), to=stream, expecting=0)

    then.stream(stream).is_([first, second])


@pytest.mark.parametrize("expected", [0, 1, 2, 3])
def test_no_events_change_nothing_whatever_the_version(given, when, then, stream, expected):
    stored = given.stream(stream).with_commits_of(2)

    when.appending(to=stream, expecting=expected)

    then.stream(stream).is_(stored)


def test_no_events_create_no_stream(when, then, stream):
    when.appending(to=stream, expecting=0)
    when.appending(to=stream, expecting=7)

    then.stream(stream).is_missing()


def test_no_events_are_checked_all_the_same(given, stream):
    storage = given.storage

    with pytest.raises(InvalidVersioningError):
        storage.insert_events(stream, 0, [])
    with pytest.raises(InvalidStreamIdError):
        storage.insert_events("order-1", ExplicitVersioning(0), [])
    with pytest.raises(InvalidStreamIdError):
        storage.insert_events(StreamId(category="\ud800"), ExplicitVersioning(0), [])


def test_events_may_come_in_any_sequence(given, then, stream):
    appended = events(stream, 2)

    given.storage.insert_events(stream, ExplicitVersioning(0), tuple(appended))

    then.stream(stream).is_(appended)


def test_many_appends_by_one_process(given, then, stream):
    stored = given.stream(stream).with_commits_of(*[1, 2, 3] * 4)

    then.stream(stream).is_(stored).loads(*stored)

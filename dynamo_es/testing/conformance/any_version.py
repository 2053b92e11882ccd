"""``ANY_VERSION`` appends at the end of a stream, at any version."""

import time

import pytest

from dynamo_es import ANY_VERSION, StreamId
from dynamo_es.exceptions import (
    ExpectedVersionUsedOnVersionlessStream,
    NoExpectedVersionGivenOnVersionedStream,
)
from dynamo_es.testing.conformance.language import an_event, events, numbered
from dynamo_es.values import NO_VERSIONING


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


def test_missing_stream_is_created_with_versions(when, then, stream):
    appended = events(stream, 2)

    when.appending(*appended, to=stream, expecting=ANY_VERSION)

    then.stream(stream).is_(appended).loads(*numbered(appended))
    when.appending(an_event(stream), to=stream, expecting=NO_VERSIONING)
    then.it_is_refused(NoExpectedVersionGivenOnVersionedStream)


@pytest.mark.parametrize("process", ["first", "cold"])
@pytest.mark.parametrize("sizes", [(1,), (2,), (1, 3, 2), (1,) * 40])
def test_goes_after_the_last_event(given, when, then, stream, sizes, process):
    stored = given.stream(stream).with_commits_of(*sizes)
    appended = events(stream, 2)

    when.in_process(process).appending(*appended, to=stream, expecting=ANY_VERSION)

    then.stream(stream).is_([*stored, *appended])


@pytest.mark.parametrize("missed", [(1,), (3,), (1, 1, 1), (2, 1, 3)])
def test_process_that_missed_appends_goes_after_them(given, when, then, stream, missed):
    stored = given.stream(stream).with_commits_of(2)
    given.in_process("stale").stream(stream).loaded()
    stored += given.stream(stream).with_commits_of(*missed)
    appended = an_event(stream)

    when.in_process("stale").appending(appended, to=stream, expecting=ANY_VERSION)

    then.stream(stream).is_([*stored, appended])


@pytest.mark.parametrize("versioning", [ANY_VERSION, NO_VERSIONING], ids=str)
def test_process_that_missed_a_hundred_appends_is_not_kept_waiting(
    given, when, then, stream, versioning
):
    writer = given.in_process("busy").storage
    first, *missed, last = events(stream, 102)
    writer.insert_events(stream, versioning, [first])
    given.in_process("stale").stream(stream).loaded()
    for event in missed:
        writer.insert_events(stream, versioning, [event])

    begin = time.monotonic()
    when.in_process("stale").appending(last, to=stream, expecting=versioning)

    fetched = then.storage.fetch_events(stream)
    assert [event.uuid for event in fetched] == [e.uuid for e in (first, *missed, last)]
    assert time.monotonic() - begin < 5


def test_expected_versions_go_on_from_there(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(2)
    first, second, third = events(stream, 3)

    when.appending(first, to=stream, expecting=ANY_VERSION)
    when.appending(second, to=stream, expecting=3)
    when.appending(third, to=stream, expecting=ANY_VERSION)

    then.stream(stream).is_([*stored, first, second, third])


def test_many_processes_take_turns(when, then, stream):
    appended = events(stream, 12)

    for index, event in enumerate(appended):
        when.in_process(f"process {index % 3}").appending(event, to=stream, expecting=ANY_VERSION)

    then.stream(stream).is_(appended)


@pytest.mark.parametrize("process", ["first", "cold"])
def test_stream_without_versions_is_refused(given, when, then, stream, process):
    stored = given.stream(stream).without_versions(2)

    when.in_process(process).appending(an_event(stream), to=stream, expecting=ANY_VERSION)

    then.it_is_refused(ExpectedVersionUsedOnVersionlessStream, stream_id=str(stream))
    then.stream(stream).is_versionless(stored)


@pytest.mark.parametrize("process", ["first", "cold", "stale"])
def test_deleted_stream_is_created_again(given, when, then, stream, process):
    given.stream(stream).with_commits_of(1, 3)
    given.in_process("stale").stream(stream).loaded()
    given.stream(stream).deleted()
    appended = events(stream, 2)

    when.in_process(process).appending(*appended, to=stream, expecting=ANY_VERSION)

    then.stream(stream).is_(appended)


@pytest.mark.parametrize("sizes", [(1,), (2,), (1, 1, 1, 1), (6,)])
def test_process_of_an_earlier_generation_goes_after_the_next_one(given, when, then, stream, sizes):
    given.stream(stream).with_commits_of(1, 3)
    given.in_process("stale").stream(stream).loaded()
    given.stream(stream).deleted()
    stored = given.stream(stream).with_commits_of(*sizes)
    appended = an_event(stream)

    when.in_process("stale").appending(appended, to=stream, expecting=ANY_VERSION)

    then.stream(stream).is_([*stored, appended])


def test_no_events_create_nothing(when, then, stream):
    when.appending(to=stream, expecting=ANY_VERSION)

    then.stream(stream).is_missing()

"""``NO_VERSIONING``: events of a stream have an order but no versions."""

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, ExplicitVersioning, StreamId
from dynamo_es.exceptions import (
    ExpectedVersionUsedOnVersionlessStream,
    NoExpectedVersionGivenOnVersionedStream,
    VersioningMismatch,
)
from dynamo_es.testing.conformance.language import a_snapshot, an_event, events

PROCESSES = ["first", "cold", "stale"]
VERSIONED = [ANY_VERSION, *(ExplicitVersioning(n) for n in (0, 1, 2, 3, 4, 50))]


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Audit")


def test_events_come_back_in_order_without_versions(when, then, stream):
    appended = events(stream, 3)

    when.appending(*appended, to=stream, expecting=NO_VERSIONING)

    then.stream(stream).is_versionless(appended)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("sizes", [(1,), (3,), (1, 3, 2), (1,) * 40])
def test_appends_go_after_the_last_event(given, when, then, stream, sizes, process):
    stored = given.stream(stream).without_versions(2)
    given.in_process("stale").stream(stream).loaded()
    stored += given.stream(stream).without_versions(*sizes)
    appended = events(stream, 2)

    when.in_process(process).appending(*appended, to=stream, expecting=NO_VERSIONING)

    then.stream(stream).is_versionless([*stored, *appended])


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("versioning", VERSIONED, ids=str)
def test_versions_on_a_stream_without_them_are_refused(
    given, when, then, stream, versioning, process
):
    stored = given.stream(stream).without_versions(2)
    given.in_process("stale").stream(stream).loaded()
    stored += given.stream(stream).without_versions(1, 1)

    when.in_process(process).appending(an_event(stream), to=stream, expecting=versioning)

    then.it_is_refused(ExpectedVersionUsedOnVersionlessStream, stream_id=str(stream))
    then.stream(stream).is_versionless(stored)


@pytest.mark.parametrize("process", PROCESSES)
def test_no_versions_on_a_stream_with_them_is_refused(given, when, then, stream, process):
    stored = given.stream(stream).with_commits_of(2)
    given.in_process("stale").stream(stream).loaded()
    stored += given.stream(stream).with_commits_of(1, 1)

    when.in_process(process).appending(an_event(stream), to=stream, expecting=NO_VERSIONING)

    then.it_is_refused(NoExpectedVersionGivenOnVersionedStream, stream_id=str(stream))
    then.stream(stream).is_(stored)


def test_both_mixing_errors_have_one_base():
    assert issubclass(ExpectedVersionUsedOnVersionlessStream, VersioningMismatch)
    assert issubclass(NoExpectedVersionGivenOnVersionedStream, VersioningMismatch)


def test_mixing_is_refused_even_when_the_events_are_stored(given, when, then, stream):
    stored = given.stream(stream).without_versions(2)
    other = StreamId(category="Order")
    versioned = given.stream(other).with_commits_of(2)
    again = [an_event(other, uuid=event.uuid) for event in versioned]

    when.appending(*stored, to=stream, expecting=0)
    then.it_is_refused(ExpectedVersionUsedOnVersionlessStream)
    when.appending(*again, to=other, expecting=NO_VERSIONING)
    then.it_is_refused(NoExpectedVersionGivenOnVersionedStream)


def test_no_events_are_no_mixing(given, when, then, stream):
    stored = given.stream(stream).without_versions(1)

    when.appending(to=stream, expecting=0)
    when.appending(to=stream, expecting=ANY_VERSION)

    then.stream(stream).is_versionless(stored)


RANGES = [(1, None), (2, None), (3, 5), (1, 4), (2, 3), (6, None), (7, None), (9, 12), (4, 4)]


@pytest.mark.parametrize("sizes", [(6,), (1, 3, 2), (2, 2, 2)])
@pytest.mark.parametrize(("start", "stop"), [*RANGES, (None, None), (None, 4), (None, 1)])
def test_range_counts_the_events_from_1(given, then, stream, start, stop, sizes):
    stored = given.stream(stream).without_versions(*sizes)
    first, end = start or 1, stop or 7

    then.stream(stream).gives(stored[first - 1 : end - 1], start, stop)


@pytest.mark.parametrize("version", [1, 2, 3, 10])
@pytest.mark.parametrize("process", ["first", "cold"])
def test_snapshot_is_refused(given, when, then, stream, version, process):
    stored = given.stream(stream).without_versions(2)

    when.in_process(process).saving(a_snapshot(stream, version))

    then.it_is_refused(ExpectedVersionUsedOnVersionlessStream, stream_id=str(stream))
    then.stream(stream).is_versionless(stored)


@pytest.mark.parametrize("process", PROCESSES)
def test_deleted_stream_may_be_created_without_versions(given, when, then, stream, process):
    given.stream(stream).with_commits_of(1, 2)
    given.in_process("stale").stream(stream).loaded()
    given.stream(stream).deleted()
    appended = an_event(stream)

    when.in_process(process).appending(appended, to=stream, expecting=NO_VERSIONING)

    then.stream(stream).is_versionless([appended])


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("versioning", [ExplicitVersioning(0), ANY_VERSION], ids=str)
def test_deleted_stream_may_be_created_with_versions(
    given, when, then, stream, versioning, process
):
    given.stream(stream).without_versions(1, 2)
    given.in_process("stale").stream(stream).loaded()
    given.stream(stream).deleted()
    appended = events(stream, 2)

    when.in_process(process).appending(*appended, to=stream, expecting=versioning)

    then.stream(stream).is_(appended)


def test_process_of_the_earlier_generation_is_told_of_the_change(given, when, then, stream):
    given.stream(stream).without_versions(1, 2)
    given.in_process("stale").stream(stream).loaded()
    given.stream(stream).deleted()
    stored = given.stream(stream).with_commits_of(1)

    when.in_process("stale").appending(an_event(stream), to=stream, expecting=NO_VERSIONING)

    then.it_is_refused(NoExpectedVersionGivenOnVersionedStream)
    then.stream(stream).is_(stored)


def test_same_events_may_be_appended_twice_as_no_version_tells_them_apart(
    given, when, then, stream
):
    first, second = given.stream(stream).without_versions(1, 1)

    when.appending(first, to=stream, expecting=NO_VERSIONING)

    then.stream(stream).is_versionless([first, second, first])

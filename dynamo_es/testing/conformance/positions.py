"""``current_position`` is the end of the log of all tenants."""

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, MemoryBackend, StreamId
from dynamo_es.exceptions import ConcurrentStreamWriteError
from dynamo_es.testing.conformance.language import a_snapshot, an_event, events

pytestmark = pytest.mark.inline


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


@pytest.fixture
def position(given):
    """The position before the test, in a log with at least one entry."""
    given.stream(StreamId()).with_commits_of(1)
    return given.storage.current_position


def test_each_append_takes_the_next_one(when, then, stream, position):
    when.appending(an_event(stream), to=stream, expecting=0)
    then.position_is(position + 1)
    when.appending(an_event(stream), to=stream, expecting=1)
    then.position_is(position + 2)
    when.appending(an_event(stream), to=stream, expecting=ANY_VERSION)
    then.position_is(position + 3)


def test_each_event_of_an_append_takes_one(when, then, stream, position):
    when.appending(*events(stream, 3), to=stream, expecting=0)

    then.position_is(position + 3)


def test_streams_without_versions_have_positions(when, then, stream, position):
    when.appending(an_event(stream), to=stream, expecting=NO_VERSIONING)

    then.position_is(position + 1)


def test_tenants_share_one_log(when, then, stream, position):
    when.in_tenant("ours").appending(an_event(stream), to=stream, expecting=0)
    when.in_tenant("theirs").appending(an_event(stream), to=stream, expecting=0)

    then.position_is(position + 2)
    then.in_tenant("ours").position_is(position + 2)
    then.in_process("cold").position_is(position + 2)


def test_delete_changes_none_and_frees_none(given, when, then, stream, position):
    given.stream(stream).with_commits_of(1, 1)

    when.deleting(stream)
    then.position_is(position + 2)
    when.appending(an_event(stream), to=stream, expecting=0)

    then.position_is(position + 3)


def test_what_writes_no_event_takes_none(given, when, then, stream, position):
    first, second = given.stream(stream).with_commits_of(1, 1)

    when.saving(a_snapshot(stream, 2))
    when.appending(first, second, to=stream, expecting=0)
    when.appending(to=stream, expecting=2)
    when.appending(an_event(stream), to=stream, expecting=0)
    then.it_is_refused(ConcurrentStreamWriteError)
    when.loading(stream)

    then.position_is(position + 2)


def test_empty_log_has_none():
    assert MemoryBackend().storage.current_position is None

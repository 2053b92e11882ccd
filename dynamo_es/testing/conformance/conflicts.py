"""An append with a wrong expected version is refused, names both versions, and writes nothing."""

import pytest

from dynamo_es import StreamId
from dynamo_es.exceptions import ConcurrentStreamWriteError, EventStoreError
from dynamo_es.testing.conformance.language import an_event, events

# The process that makes the wrong append. Its memory must not matter.
PROCESSES = ["first", "cold"]
# Versions up to and beyond those that a store may support.
HUGE = [10**12, 10**18 - 2, 10**18 - 1, 10**18, 10**130]


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("expected", [1, 2, 31, 32, 33, *HUGE])
def test_missing_stream_is_not_at_any_version(when, then, stream, expected, process):
    when.in_process(process).appending(an_event(stream), to=stream, expecting=expected)

    then.it_is_refused(
        ConcurrentStreamWriteError, stream_id=str(stream), expected=expected, actual=0
    )
    then.stream(stream).is_missing()


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("appended", [1, 5])
@pytest.mark.parametrize("expected", [0, 1, 2, 3, 4, 5, 7, 8, *HUGE])
def test_stream_of_commits_of_several_sizes_is_at_its_last_version_only(
    given, when, then, stream, expected, appended, process
):
    stored = given.stream(stream).with_commits_of(1, 3, 2)

    when.in_process(process).appending(*events(stream, appended), to=stream, expecting=expected)

    then.it_is_refused(
        ConcurrentStreamWriteError, stream_id=str(stream), expected=expected, actual=6
    )
    then.stream(stream).is_(stored)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("expected", [1, 2, 4])
def test_middle_of_the_only_commit_is_no_version(given, when, then, stream, expected, process):
    stored = given.stream(stream).with_commits_of(5)

    when.in_process(process).appending(an_event(stream), to=stream, expecting=expected)

    then.it_is_refused(
        ConcurrentStreamWriteError, stream_id=str(stream), expected=expected, actual=5
    )
    then.stream(stream).is_(stored)


@pytest.mark.parametrize("process", PROCESSES)
def test_stream_that_exists_is_not_created_again(given, when, then, stream, process):
    stored = given.stream(stream).with_commits_of(2)

    when.in_process(process).appending(an_event(stream), to=stream, expecting=0)

    then.it_is_refused(ConcurrentStreamWriteError, stream_id=str(stream), expected=0, actual=2)
    then.stream(stream).is_(stored)


@pytest.mark.parametrize("missed", [1, 2, 3, 4])
def test_process_that_missed_appends_is_refused(given, when, then, stream, missed):
    stored = given.stream(stream).with_commits_of(2)
    given.in_process("stale").stream(stream).loaded()
    stored += given.stream(stream).with_commits_of(*[1] * missed)

    when.in_process("stale").appending(an_event(stream), to=stream, expecting=2)

    # Another read may be necessary to know the actual version.
    then.it_is_refused(ConcurrentStreamWriteError, stream_id=str(stream), expected=2)
    then.stream(stream).is_(stored)


@pytest.mark.parametrize("missed", [(1,), (3,), (2, 2)])
@pytest.mark.parametrize("appended", [1, 2, 4])
def test_refusal_names_a_version_past_the_expected_one(given, when, then, stream, missed, appended):
    given.stream(stream).with_commits_of(2)
    given.in_process("stale").stream(stream).loaded()
    given.stream(stream).with_commits_of(*missed)
    world = when.world

    when.in_process("stale").appending(*events(stream, appended), to=stream, expecting=2)

    assert world.refusal is not None
    actual = getattr(world.refusal.error, "actual", 0)
    then.it_is_refused(ConcurrentStreamWriteError)
    assert 2 < actual <= 2 + sum(missed)


def test_refused_process_appends_after_loading_again(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(2)
    given.in_process("stale").stream(stream).loaded()
    stored += given.stream(stream).with_commits_of(1)
    stale = when.in_process("stale")
    stale.appending(an_event(stream), to=stream, expecting=2)
    then.it_is_refused(ConcurrentStreamWriteError, expected=2, actual=3)
    appended = an_event(stream)

    stale.loading(stream)
    stale.appending(appended, to=stream, expecting=3)

    then.stream(stream).is_([*stored, appended])


def test_refused_process_appends_at_the_true_version_without_loading(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(2, 1)
    when.in_process("cold").appending(an_event(stream), to=stream, expecting=2)
    then.it_is_refused(ConcurrentStreamWriteError, expected=2, actual=3)
    appended = an_event(stream)

    when.in_process("cold").appending(appended, to=stream, expecting=3)

    then.stream(stream).is_([*stored, appended])


@pytest.mark.parametrize("loaded_until", [None, 2, 3, 4])
@pytest.mark.parametrize("expected", [0, 2, 3, 5])
def test_partial_load_misleads_no_later_append(given, when, then, stream, loaded_until, expected):
    stored = given.stream(stream).with_commits_of(1, 2, 1)
    when.in_process("partial").loading(stream, 2, loaded_until)

    when.in_process("partial").appending(an_event(stream), to=stream, expecting=expected)

    then.it_is_refused(ConcurrentStreamWriteError, expected=expected, actual=4)
    then.stream(stream).is_(stored)


@pytest.mark.parametrize("start", [1, 4, 5, 6, 40])
def test_load_of_nothing_misleads_no_later_append(given, when, then, stream, start):
    stored = given.stream(stream).with_commits_of(1, 2, 1)
    when.in_process("partial").loading(stream, start, start)
    appended = an_event(stream)

    when.in_process("partial").appending(appended, to=stream, expecting=4)

    then.stream(stream).is_([*stored, appended])


def test_conflict_is_an_error_of_the_store_and_no_input_error(given, when, then, stream):
    given.stream(stream).with_commits_of(1)

    when.appending(an_event(stream), to=stream, expecting=0)

    then.it_is_refused(ConcurrentStreamWriteError)
    assert issubclass(ConcurrentStreamWriteError, EventStoreError)
    assert not issubclass(ConcurrentStreamWriteError, ValueError)

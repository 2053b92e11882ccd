"""An append of events stored at exactly these versions succeeds and writes nothing."""

from dataclasses import replace

import pytest

from dynamo_es import StreamId
from dynamo_es.exceptions import ConcurrentStreamWriteError
from dynamo_es.testing.conformance.engine import Capability, needs
from dynamo_es.testing.conformance.language import an_event, events, numbered

PROCESSES = ["first", "cold"]


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_whole_stream_again(given, when, then, stream, size, process):
    appended = events(stream, size)
    given.stream(stream).with_events(*appended)

    when.in_process(process).appending(*appended, to=stream, expecting=0)

    then.stream(stream).is_(appended)


@pytest.mark.parametrize("process", PROCESSES)
def test_versions_as_loaded_may_be_set(given, when, then, stream, process):
    stored = given.stream(stream).with_commits_of(1, 2)

    when.in_process(process).appending(*stored[1:], to=stream, expecting=1)

    then.stream(stream).is_(stored)


# The sizes of the stored commits, and the first and last version to append again.
CUTS = {
    "last commit": ((1, 2), 2, 3),
    "first commit": ((1, 2), 1, 1),
    "commit in the middle": ((1, 2, 1), 2, 3),
    "two commits in one append": ((1, 1), 1, 2),
    "three commits in one append": ((2, 1, 3), 1, 6),
    "prefix of a longer commit": ((3,), 1, 1),
    "suffix of a longer commit": ((3,), 3, 3),
    "middle of a longer commit": ((5,), 2, 4),
    "across a cut": ((3, 3), 2, 5),
    "across many commits": ((1,) * 40, 3, 39),
    "far from the end": ((1,) * 40, 2, 2),
}


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize(("sizes", "first", "last"), CUTS.values(), ids=CUTS)
def test_however_the_commits_are_cut(given, when, then, stream, sizes, first, last, process):
    stored = given.stream(stream).with_commits_of(*sizes)

    when.in_process(process).appending(*stored[first - 1 : last], to=stream, expecting=first - 1)

    then.stream(stream).is_(stored)


def test_stale_process_repeats_what_it_appended(given, when, then, stream):
    given.stream(stream).with_commits_of(1)
    appended = events(stream, 2)
    slow = when.in_process("slow")
    slow.appending(*appended, to=stream, expecting=1)
    given.in_process("fast").stream(stream).loaded()
    when.in_process("fast").appending(an_event(stream), to=stream, expecting=3)
    history = given.storage.fetch_events(stream)

    slow.appending(*appended, to=stream, expecting=1)

    then.stream(stream).is_(history)


def test_repeated_append_leaves_the_process_at_the_true_version(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(1, 2, 1)
    cold = when.in_process("cold")
    cold.appending(*stored[1:3], to=stream, expecting=1)

    cold.appending(an_event(stream), to=stream, expecting=3)
    then.it_is_refused(ConcurrentStreamWriteError, expected=3, actual=4)
    last = an_event(stream)
    cold.appending(last, to=stream, expecting=4)

    then.stream(stream).is_([*stored, last])


def test_stored_event_stays_as_it_is(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(2)
    changed = [replace(event, name="Changed", data={"changed": True}) for event in stored]

    when.appending(*changed, to=stream, expecting=0)

    then.stream(stream).is_(stored)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("expected", [0, 2, 4])
def test_stored_at_other_versions_is_a_conflict(given, when, then, stream, expected, process):
    stored = given.stream(stream).with_commits_of(1, 1, 1)
    again = [replace(event, version=None) for event in stored[1:2]]

    when.in_process(process).appending(*again, to=stream, expecting=expected)

    then.it_is_refused(ConcurrentStreamWriteError, expected=expected, actual=3)
    then.stream(stream).is_(stored)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("sizes", [(2,), (1, 1)])
def test_stored_in_another_order_is_a_conflict(given, when, then, stream, sizes, process):
    stored = given.stream(stream).with_commits_of(*sizes)
    swapped = [replace(event, version=None) for event in reversed(stored)]

    when.in_process(process).appending(*swapped, to=stream, expecting=0)

    then.it_is_refused(ConcurrentStreamWriteError, expected=0, actual=2)
    then.stream(stream).is_(stored)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("sizes", [(3,), (1, 2), (2, 1), (1, 1, 1)])
@pytest.mark.parametrize("known", [1, 2, 3])
def test_stored_in_part_only_is_a_conflict(given, when, then, stream, known, sizes, process):
    stored = given.stream(stream).with_commits_of(*sizes)
    again = [replace(event, version=None) for event in stored[:known]]

    when.in_process(process).appending(*again, an_event(stream), to=stream, expecting=0)

    then.it_is_refused(ConcurrentStreamWriteError, expected=0, actual=3)
    then.stream(stream).is_(stored)


def test_same_events_in_another_stream_are_stored(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(2)
    other = StreamId(category=stream.category)
    copies = [replace(event, stream_id=other) for event in stored]

    when.appending(*copies, to=other, expecting=0)

    then.stream(other).is_(copies)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("sizes", [(2,), (1, 1), (1, 2, 1)])
def test_after_a_delete_they_are_stored_anew(given, when, then, stream, sizes, process):
    stored = given.stream(stream).with_commits_of(*sizes)
    given.stream(stream).deleted()

    when.in_process(process).appending(*stored, to=stream, expecting=0)

    then.stream(stream).is_(stored)


@pytest.mark.parametrize("process", PROCESSES)
def test_after_a_delete_the_last_of_them_are_a_conflict(given, when, then, stream, process):
    stored = given.stream(stream).with_commits_of(1, 1, 1)
    given.in_process(process).stream(stream).deleted()

    when.in_process(process).appending(stored[2], to=stream, expecting=2)

    then.it_is_refused(ConcurrentStreamWriteError, expected=2, actual=0)
    then.stream(stream).is_missing()


@needs(Capability.GENERATIONS)
def test_in_the_next_generation_they_are_a_conflict_for_a_process_of_the_earlier_one(
    given, when, then, stream
):
    stored = given.stream(stream).with_commits_of(1, 1)
    given.in_process("late").stream(stream).loaded()
    given.stream(stream).deleted()
    lived = given.stream(stream).with_commits_of(2)

    when.in_process("late").appending(stored[1], to=stream, expecting=1)

    then.it_is_refused(ConcurrentStreamWriteError, expected=1)
    then.stream(stream).is_(lived)


def test_uuid_known_elsewhere_in_the_stream_is_no_conflict_at_the_true_version(
    given, when, then, stream
):
    stored = given.stream(stream).with_commits_of(1, 1)
    again = replace(stored[0], version=None)

    when.appending(again, to=stream, expecting=2)

    then.stream(stream).is_(numbered([*stored, again]))

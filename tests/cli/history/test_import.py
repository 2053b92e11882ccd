"""Importing into the store in memory: the stored events are right after any interruption."""

from __future__ import annotations

import random
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import ANY_VERSION, NO_VERSIONING, MemoryBackend, RawEvent, StreamId
from dynamo_es.cli.history.importing import Importer, Settings, writer
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    CommitTooLargeError,
    ContentionError,
    CredentialsError,
    StoredItemError,
    ThrottledError,
    UnavailableError,
)
from tests.cli.history.histories import (
    BEGIN,
    Crash,
    Watched,
    a_line,
    expected,
    failing,
    history,
    import_lines,
    load,
    raises_at,
    stored,
)

MIXED = history("abacabbbadcaabcd" * 5)


@pytest.fixture
def storage():
    return MemoryBackend().storage


def is_stored(storage, lines):
    wanted = expected(lines)
    return stored(storage, wanted) == wanted


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("gather", [False, True])
@pytest.mark.parametrize("most", [1, 3, 100])
def test_every_stream_holds_its_lines_in_order(storage, workers, gather, most):
    summary, problems = import_lines(
        storage, MIXED, workers=workers, gather=gather, events_per_commit=most
    )

    assert is_stored(storage, MIXED)
    assert problems == []
    assert (summary.events, summary.streams, summary.tenants) == (len(MIXED), 4, 1)
    assert summary.clean


def test_a_commit_is_what_is_consecutive(storage):
    watched = Watched(storage)
    summary, _ = import_lines(watched, history("aabaaa"), workers=1, events_per_commit=2)

    assert [(stream.name, events) for stream, events in watched.calls] == [
        ("a", 2),
        ("b", 1),
        ("a", 2),
        ("a", 1),
    ]
    assert summary.commits == 4


def test_a_stream_has_its_times_and_its_name(storage):
    import_lines(storage, [a_line("readme", at="2015-08-25T13:35:29+02:00")])

    (event,) = storage.scoped_for_tenant("acme").fetch_events(
        StreamId(name="readme", category="file")
    )
    assert event.created_at.isoformat() == "2015-08-25T13:35:29+02:00"
    assert event.stream_id.name == "readme"


def test_blank_lines_are_no_lines(storage):
    summary, problems = import_lines(storage, [b"\n", *history("ab"), b"  \r\n"])
    assert (summary.lines, summary.events, problems) == (2, 2, [])


def test_importing_again_stores_nothing_twice(storage):
    import_lines(storage, MIXED, events_per_commit=3)
    position = storage.current_position

    summary, problems = import_lines(storage, MIXED, events_per_commit=3)

    assert is_stored(storage, MIXED)
    assert storage.current_position == position
    assert (summary.events, summary.commits, summary.already_stored) == (0, 0, len(MIXED))
    assert problems == []
    assert summary.clean


@pytest.mark.parametrize("gather", [False, True])
@pytest.mark.parametrize("most", [1, 2, 7])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("commits", [1, 2, 9])
def test_after_a_crash_running_it_again_stores_the_rest(storage, commits, moment, most, gather):
    crashing = failing(storage, moment, [commits], Crash())
    with pytest.raises(Crash):
        import_lines(crashing, MIXED, workers=1, events_per_commit=3)
    before = sum(len(load(storage, stream)) for stream in expected(MIXED))
    assert before < len(MIXED)

    summary, problems = import_lines(storage, MIXED, events_per_commit=most, gather=gather)

    assert is_stored(storage, MIXED)
    assert (summary.already_stored, summary.events) == (before, len(MIXED) - before)
    assert problems == []


def test_a_file_that_has_grown_is_continued(storage):
    import_lines(storage, MIXED[:33], events_per_commit=4, gather=True)

    summary, problems = import_lines(storage, MIXED, events_per_commit=4, gather=True)

    assert is_stored(storage, MIXED)
    assert (summary.already_stored, summary.events) == (33, len(MIXED) - 33)
    assert problems == []


def test_a_file_that_is_shorter_than_what_is_stored_changes_nothing(storage):
    import_lines(storage, MIXED)
    summary, problems = import_lines(storage, MIXED[:33], events_per_commit=2)
    assert is_stored(storage, MIXED)
    assert (summary.already_stored, summary.events, problems) == (33, 0, [])


def test_what_is_stored_is_read_ahead_once(storage, monkeypatch):
    monkeypatch.setattr(writer, "WINDOW", 10)
    lines = history("abcd" * 30)
    import_lines(storage, lines)

    watched = Watched(storage)
    summary, problems = import_lines(watched, [*lines, *history("abcd")], workers=1)

    assert is_stored(storage, [*lines, *history("abcd")])
    # The first append of each stream shows that it exists; the last one is new.
    assert len(watched.calls) == 4 + 4
    assert (summary.already_stored, summary.events, problems) == (120, 4, [])


def test_streams_whose_window_was_dropped_are_looked_at_again(storage, monkeypatch):
    reads = []

    class Reading(Watched):
        def fetch_events(self, *arguments, **options):
            reads.append(arguments)
            return super().fetch_events(*arguments, **options)

    monkeypatch.setattr(writer, "MOST_WINDOWS", 1)
    import_lines(storage, MIXED)
    watched = Reading(storage)
    summary, problems = import_lines(watched, [*MIXED, *history("abcd")], workers=1)
    assert is_stored(storage, [*MIXED, *history("abcd")])
    assert len(watched.calls) == 4 + 4, "a stream is known though its window is not kept"
    assert len(reads) > 4
    assert (summary.already_stored, summary.events, problems) == (len(MIXED), 4, [])


def foreign(storage, name, events=1):
    """Store other events in a stream of the history."""
    stream_id = StreamId(name=name, category="file")
    for number in range(events):
        event = RawEvent(
            StreamId(name=f"{name}{number}"),
            stream_id,
            BEGIN,
            "Foreign",
            {},
            {},
        )
        storage.scoped_for_tenant("acme").insert_events(stream_id, ANY_VERSION, [event])
    return storage.scoped_for_tenant("acme").fetch_events(stream_id)


def test_a_stream_with_other_events_is_left_alone_and_the_others_are_stored(storage):
    others = foreign(storage, "b")
    lines = history("abacabb")

    summary, problems = import_lines(storage, lines, events_per_commit=2)

    assert (
        storage.scoped_for_tenant("acme").fetch_events(StreamId(name="b", category="file"))
        == others
    )
    rest = [line for line, stream in zip(lines, "abacabb", strict=True) if stream != "b"]
    assert stored(storage, expected(rest)) == expected(rest)
    (problem,) = problems
    assert (problem.line, str(problem.stream)) == (2, "acme/file/b")
    assert problem.reason.startswith("the stream holds another event at version 1 ")
    assert (summary.skipped, summary.refused_streams, summary.events) == (3, 1, 4)
    assert not summary.clean


def test_other_events_after_ours_are_found_where_they_begin(storage):
    lines = history("aaaa")
    import_lines(storage, lines[:2])
    foreign(storage, "a")

    summary, problems = import_lines(storage, lines)

    assert [problem.line for problem in problems] == [3]
    assert (summary.already_stored, summary.skipped, summary.events) == (2, 2, 0)


def test_a_changed_line_is_another_event(storage):
    lines = history("aba")
    import_lines(storage, lines)
    lines[2] = a_line("a", 2, data={"number": "changed"})

    _, problems = import_lines(storage, lines)

    assert [problem.line for problem in problems] == [3]


def test_a_stream_without_versions_is_left_alone(storage):
    stream_id = StreamId(name="a", category="file")
    event = RawEvent(StreamId(), stream_id, BEGIN, "Foreign", {}, {})
    storage.scoped_for_tenant("acme").insert_events(stream_id, NO_VERSIONING, [event])

    summary, (problem,) = import_lines(storage, history("aba"))

    assert problem.line == 1
    assert (summary.skipped, summary.events) == (2, 1)


def test_a_stream_deleted_meanwhile_is_not_begun_in_the_middle(storage):
    stream_id = StreamId(name="a", category="file")

    def delete(number: int) -> None:
        if number == 2:
            storage.scoped_for_tenant("acme").delete_stream(stream_id)

    watched = Watched(storage, before=delete)
    _, (problem,) = import_lines(watched, history("aaa"), workers=1, events_per_commit=1)

    assert problem.line == 2
    assert problem.reason == "the stream ends before it, so this event cannot become version 2"
    assert storage.scoped_for_tenant("acme").fetch_events(stream_id) == []


def test_two_imports_at_once_store_everything_once(storage):
    other_lines = [*MIXED]

    def import_a_bit(number: int) -> None:
        if number in (2, 5, 9):
            import_lines(storage, other_lines[: number * 5], workers=1, events_per_commit=2)

    watched = Watched(storage, before=import_a_bit)
    summary, problems = import_lines(watched, MIXED, workers=1, events_per_commit=3)

    assert is_stored(storage, MIXED)
    assert problems == []
    assert summary.clean


PASSING = [
    AppendOutcomeUnknownError("a", 0, "No reply."),
    ThrottledError("PutItem", "Throttling", "Too fast."),
    ContentionError("PutItem", "TransactionConflict", "Busy."),
    UnavailableError("PutItem", "InternalServerError", "Down."),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_passes_is_tried_again(storage, moment, error):
    watched = failing(storage, moment, [2, 3, 6], error)

    summary, problems = import_lines(watched, MIXED, workers=1, events_per_commit=3)

    assert is_stored(storage, MIXED)
    assert problems == []
    assert summary.events == len(MIXED)


def test_commits_that_are_tried_again_keep_their_place_in_the_log():
    backend = MemoryBackend()
    watched = failing(backend.storage, "before", [2, 3, 6], PASSING[1])

    import_lines(watched, MIXED, workers=1)

    records = backend.log.reader(0).read()
    assert [record.entry.stream_id.name for record in records] == [*"abacabbbadcaabcd" * 5]


def test_failures_do_not_end_an_import_that_gets_on(storage):
    watched = failing(storage, "before", range(2, 999, 2), PASSING[1])
    summary, problems = import_lines(watched, MIXED, workers=2, events_per_commit=1)
    assert len(watched.calls) > 2 * writer.TRIES
    assert (summary.events, problems) == (len(MIXED), [])


def test_a_commit_that_is_tried_again_takes_no_more_lines(storage, monkeypatch):
    monkeypatch.setattr("dynamo_es.cli.history.importing.chunks.MAX_WAITING_BYTES", 1000)
    watched = failing(storage, "after", [1, 2, 5, 9], PASSING[0])

    summary, problems = import_lines(watched, MIXED, gather=True)

    assert is_stored(storage, MIXED)
    assert (summary.events, summary.already_stored, problems) == (len(MIXED), 0, [])


def test_a_stream_that_cannot_be_read_is_refused_and_the_others_are_stored(storage):
    import_lines(storage, history("aab"))
    unreadable = StreamId(name="a", category="file")

    class Damaged(Watched):
        def fetch_events(self, stream_id, *arguments, **options):
            if stream_id == unreadable:
                raise StoredItemError("a", 2, "a commit of a later release.")
            return super().fetch_events(stream_id, *arguments, **options)

    summary, (problem,) = import_lines(Damaged(storage), history("aabab"), events_per_commit=1)

    assert (problem.line, "a commit of a later release" in problem.reason) == (2, True)
    assert is_stored(storage, [*history("aab")[2:], a_line("b", 4)])
    assert (summary.already_stored, summary.skipped, summary.events) == (2, 2, 1)


def test_what_does_not_pass_ends_the_import(storage):
    watched = Watched(storage, before=raises_at(range(3, 100), PASSING[1]))
    with pytest.raises(ThrottledError):
        import_lines(watched, MIXED, workers=2, events_per_commit=3)
    assert len(watched.calls) <= 2 + 2 * writer.TRIES


def test_where_nothing_answers_it_ends_at_once(storage):
    watched = Watched(storage, before=raises_at(range(1, 100), PASSING[3]))
    with pytest.raises(UnavailableError):
        import_lines(watched, MIXED, workers=1)
    assert len(watched.calls) == 1


def test_an_error_of_the_store_ends_the_import_though_the_queues_are_full(storage, monkeypatch):
    monkeypatch.setattr("dynamo_es.cli.history.importing.importer.QUEUE_CHUNKS", 1)
    watched = Watched(
        storage, before=raises_at(range(3, 999), CredentialsError("PutItem", "Expired", "Old."))
    )
    with pytest.raises(CredentialsError):
        import_lines(watched, MIXED * 10, workers=2, events_per_commit=1)
    assert len(watched.calls) <= 4


def test_an_event_that_is_too_large_refuses_the_rest_of_its_stream(storage):
    lines = history("aabaa")
    watched = Watched(storage, before=raises_at([2], CommitTooLargeError("a", 9, 4, "Too much.")))

    summary, (problem,) = import_lines(watched, lines, workers=1, events_per_commit=1)

    assert (problem.line, str(problem.stream)) == (2, "acme/file/a")
    assert (summary.events, summary.skipped) == (2, 3)


def test_an_interrupted_import_can_be_continued(storage):
    def interrupted():
        yield from MIXED[:40]
        raise KeyboardInterrupt

    importer = Importer(storage, Settings(workers=2, events_per_commit=2))
    with pytest.raises(KeyboardInterrupt):
        importer.run(interrupted())
    so_far = importer.summary
    assert not so_far.complete
    assert so_far.events <= 40

    summary, _ = import_lines(storage, MIXED)
    assert is_stored(storage, MIXED)
    assert summary.already_stored == so_far.events


@pytest.mark.ci
@settings(max_examples=60)
@given(
    streams=st.text("abc", min_size=1, max_size=30),
    cuts=st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=2, max_size=4),
    crashes=st.lists(st.integers(1, 12), max_size=3),
    seed=st.integers(),
)
def test_any_runs_with_any_cuts_and_crashes_lead_to_the_same_streams(streams, cuts, crashes, seed):
    storage = MemoryBackend().storage
    lines = history(streams)
    randomness = random.Random(seed)
    for (most, gather), crash in zip(cuts, [*crashes, 0, 0, 0, 0], strict=False):
        moment = randomness.choice(["before", "after"])
        crashing = failing(storage, moment, [crash], Crash())
        part = lines[: randomness.randint(0, len(lines))]
        try:
            _, problems = import_lines(
                crashing, part, workers=1, events_per_commit=most, gather=gather
            )
            assert problems == []
        except Crash:
            pass

    _, problems = import_lines(storage, lines, workers=1)

    assert problems == []
    assert is_stored(storage, lines)
    uuids = [event.uuid for event in chain(*(load(storage, s) for s in expected(lines)))]
    assert len(set(uuids)) == len(uuids) == len(lines)

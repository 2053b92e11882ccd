"""Tests the checker itself, on small correct histories and wrong ones of each kind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    InvalidEventError,
    SnapshotAheadOfStreamError,
    StreamGapError,
    ThrottledError,
    UnavailableError,
)
from tests.linearizability.checker import Search
from tests.linearizability.histories import (
    Delete,
    Found,
    Operation,
    Outcome,
    Save,
    Unless,
    event,
    found_in,
    outcome_of,
    snapshot,
    with_memory,
)
from tests.linearizability.model import Model
from tests.linearizability.right_histories import (
    CREATED,
    NOTHING,
    RIGHT,
    WHOLE,
    append,
    failed,
    ok,
    refused,
    these,
    unknown,
)
from tests.linearizability.verdicts import shortest_failing, verify, violation
from tests.linearizability.wrong_histories import WRONG


@pytest.mark.parametrize("history", RIGHT.values(), ids=RIGHT.keys())
def test_a_right_history_passes(history):
    verify(history, "by hand")


@pytest.mark.parametrize(("said", "history"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_history_is_found_and_explained(said, history):
    told = violation(history)

    assert told is not None
    assert said in told.splitlines()[0]


def test_the_verdict_names_the_seed_and_shows_nothing_after_the_failure():
    history = [CREATED, ok("b", WHOLE, 3, 4, NOTHING), ok("c", WHOLE, 5, 6, these("x", "y"))]

    with pytest.raises(AssertionError) as failure:
        verify(history, 4711)

    told = str(failure.value)
    assert told.startswith("seed 4711: stream 1: b: load [1:]: acknowledged, and lost: x y\n")
    assert "    x y\n" in told
    assert "append x y at 0" in told
    assert "c  load" not in told


def test_the_shortest_failing_prefix_ends_with_the_operation_that_cannot_be():
    good = [ok("a", append(at, f"e{at}"), 10 * at + 1, 10 * at + 2) for at in range(50)]
    bad = ok("b", WHOLE, 205, 206, these("e0"))

    assert len(shortest_failing([*good, bad], Model())) == 22


def test_an_error_that_no_documentation_names_is_a_violation():
    history = [CREATED.told(2, InvalidEventError("x", "why"))]

    assert "ended with InvalidEventError" in str(violation(history))


def test_processes_whose_clocks_differ_may_create_late():
    _, late = WRONG["a late creation after a later generation"]

    verify(late, "by hand", Model(clocks_agree=False))


@pytest.mark.parametrize(
    ("call", "error", "outcome"),
    [
        (append(1, "x"), ConcurrentStreamWriteError("s", 1, 2), Outcome.REFUSED),
        (append(1, "x"), AppendOutcomeUnknownError("s", 1, "lost."), Outcome.UNKNOWN),
        (append(1, "x"), ThrottledError("PutItem", "x", "y"), Outcome.FAILED),
        (append(1, "x"), StreamGapError("s", 1), Outcome.UNDOCUMENTED),
        (WHOLE, StreamGapError("s", 1), Outcome.FAILED),
        (WHOLE, UnavailableError("Query", "x", "y"), Outcome.FAILED),
        (WHOLE, ConcurrentStreamWriteError("s", 1, 2), Outcome.UNDOCUMENTED),
        (Save(1, "s"), SnapshotAheadOfStreamError("s", 1, 0), Outcome.REFUSED),
        (Save(1, "s"), UnavailableError("PutItem", "x", "y"), Outcome.UNKNOWN),
        (Delete(), ThrottledError("Query", "x", "y"), Outcome.UNKNOWN),
        (Delete(), KeyError("x"), Outcome.UNDOCUMENTED),
    ],
)
def test_errors_say_of_a_call_what_is_documented(call, error, outcome):
    assert outcome_of(call, error) is outcome


def test_loads_are_read_in_labels():
    saved = snapshot(1, Save(4, "b7s"))

    assert found_in([saved, event(1, "b8a", 5)]) == these("b8a", first=5, after=(4, "b7s"))
    assert found_in([]) == NOTHING


def test_a_process_knows_of_a_stream_since_its_last_certain_look():
    history = with_memory(
        [
            unknown("a", append(0, "x"), 1, 2),
            failed("a", WHOLE, 3, 4),
            ok("a", Save(1, "s"), 5, 6),
            refused("a", append(0, "y"), 7, 8, 1),
            ok("a", WHOLE, 9, 10, these("x")),
            ok("b", WHOLE, 11, 12, these("x")),
            ok("a", WHOLE, 13, 14, these("x")),
        ]
    )

    assert [one.last_look for one in history] == [
        None,
        (1, 2),
        (1, 2),
        (1, 2),
        (7, 8),
        None,
        (9, 10),
    ]


@pytest.mark.ci
def test_a_long_history_with_many_unknown_outcomes_is_decided_soon():
    history: list[Operation] = []
    for at in range(1000):
        moment = 10 * at
        history += [
            ok(f"p{at % 5}", append(at, f"e{at}"), moment, moment + 3),
            unknown("u", append(None, f"u{at}"), moment + 1, moment + 2),
            refused(f"p{at % 7}", append(0, "no"), moment + 4, moment + 6, 1),
        ]

    search = Search(history, Model())

    assert search.first_end() is not None
    assert search.configurations < 5000


def told(operation: Operation, head: tuple[int, int], *found: str) -> Operation:
    """Return an operation on a boundary with the head and the events of its answer."""
    return replace(operation, head=head, found=these(*found) if found else None)


FIRST = told(ok("a", Unless(None, None, 0, ("1ax",)), 1, 2), (1, 7))


def test_a_refusal_by_what_was_deleted_is_right_only_until_the_deletion_is_over():
    late = Unless("x", 0, 0, ("2ax",))
    during, after = (
        [
            FIRST,
            ok("b", Delete(), 3, 10),
            ok("c", WHOLE, 4, 5, NOTHING),
            told(refused("a", late, begin, 12), (1, 7), "1ax"),
        ]
        for begin in (6, 11)
    )

    verify(during, "by hand")
    assert violation(after) is not None


def test_such_a_refusal_is_right_where_the_next_generation_is_unknown():
    history = [
        FIRST,
        ok("b", Delete(), 3, 20),
        unknown("c", Unless(None, None, 0, ("3by",)), 4, 5),
        ok("c", WHOLE, 6, 7, Found(None, ("3by",), (1,))),
        told(refused("a", Unless("x", 0, 0, ("2ax",)), 8, 12), (1, 7), "1ax"),
    ]

    verify(history, "by hand")


def test_an_append_that_is_repeated_may_be_elsewhere_in_another_generation():
    again = Unless(None, 0, 0, ("2by",))
    history = [
        FIRST,
        unknown("b", again, 3, 4),
        ok("c", WHOLE, 5, 6, these("1ax", "2by")),
        ok("c", Delete(), 7, 8),
        told(ok("b", again, 9, 10), (1, 9)),
    ]

    verify(history, "by hand")

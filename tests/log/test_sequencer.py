"""The sequencer, request by request: what it sends, and how it handles each reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.markers import Marker
from dynamo_es.dynamodb.log.pages import Page, page_item
from dynamo_es.dynamodb.log.pointers import Pointer, pointer_to
from dynamo_es.dynamodb.log.requests import (
    commits_before,
    get_markers,
    get_page,
    insert_marker,
    newest_page,
    pages_from,
    put_page,
    raise_marker,
)
from dynamo_es.dynamodb.log.sequencer import Tables, sequence
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.log.set_aside import SetAside, put_entry
from dynamo_es.dynamodb.wire.errors import OutcomeUnknown
from dynamo_es.dynamodb.wire.partiql.statements import execute
from dynamo_es.dynamodb.wire.steps import Pause, Request, Together
from dynamo_es.exceptions import StoredItemError, ThrottledError, UnavailableError
from dynamo_es.testing.conformance.language import events
from tests.dynamodb.machine import DONE, GENERATION, KEY, STREAM, a_commit, lost, play, refused

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.steps import Response

TABLES = Tables("events", "log")
LOG = LogKeys("log")
NEWEST = newest_page(LOG)
EMPTY = (NEWEST, {"Items": []})


def a_hint(stream="a", version=1, size=1, generation=GENERATION):
    return Pointer(
        f"#order#{stream}", None, generation, version, size, ("N",), outbox=False, versionless=False
    )


A1, A2, A4 = a_hint("a", 1), a_hint("a", 2, 2), a_hint("a", 4)
B1, C1 = a_hint("b", 1, 3), a_hint("c", 1)


def a_page(first, *pointers, writer="me"):
    return Page(first, pointers, writer, put_at=0)


def reading(page):
    return NEWEST, {"Items": [page_item(page)]}


def marked(hint, version):
    return {**hint.marker.key, "last_version": {"N": str(version)}}


def markers(*hints, found=(), left=()):
    keys = [hint.marker.key for hint in hints]
    reply: Response = {"Responses": {"log": list(found)}, "UnprocessedKeys": {}}
    if left:
        reply["UnprocessedKeys"] = {"log": {"Keys": [hint.marker.key for hint in left]}}
    return get_markers("log", keys), reply


def putting(page, reply=None):
    return put_page(LOG, page_item(page)), DONE if reply is None else reply


def new(hint, version):
    """The statement that makes a stream's marker."""
    return insert_marker("log", hint.marker, version)


def higher(hint, version):
    """The statement that raises a stream's marker."""
    return raise_marker("log", hint.marker, version)


def marking(*statements, refused=()):
    """The batch that applies a page's markers; some places are refused, with an item or None."""
    answers = [{} for _ in statements]
    for place, item in refused:
        shown = {} if item is None else {"Item": item}
        answers[place] = {"Error": {"Code": "ConditionalCheckFailed", **shown}}
    return Together((execute(statements),)), [{"Responses": answers}]


def looking_from(position, *hints, pages=(), found=()):
    """The look for new pages after a position, at once with the markers unless they are known."""
    pages_reply = {"Items": [page_item(page) for page in pages]}
    asked = pages_from(LOG, position, limit=8, consistent=True)
    if not hints:
        return asked, pages_reply
    request, reply = markers(*hints, found=found)
    return Together((asked, request)), [pages_reply, reply]


def looking(page, found):
    return get_page(LOG, page.first), {} if found is None else {"Item": page_item(found)}


def stored(*versions):
    """The commits of stream a at these versions, as the projection has them."""
    return [
        {
            "version": {"N": str(version)},
            "generation": {"N": str(GENERATION)},
            "event_count": {"N": str(size)},
            "event_names": {"SS": ["N"]},
        }
        for version, size in versions
    ]


def remembering(**known):
    return SequencerMemory(**{"new_id": lambda: "me", "clock": lambda: 0.0, **known})


LOST = Pause(1, within=0.016), {}
"""After the first lost race."""


def sequencing(*hints, memory=None):
    return sequence(TABLES, hints, memory or remembering())


def test_the_first_page():
    page, memory = a_page(1, A1), remembering()
    script = EMPTY, markers(A1), putting(page), marking(new(A1, 1))
    assert play(sequencing(A1, memory=memory), *script) == [page]
    assert (memory.marked_below, memory.alone) == (2, True)


def test_no_hints_no_requests():
    assert play(sequencing()) == []


def test_a_batch_over_two_streams_takes_four_requests_and_three_round_trips():
    page = a_page(4, A1, A2, B1)
    assert play(
        sequencing(A1, A2, B1, memory=remembering(marked_below=4)),
        looking_from(4, A1, B1),
        putting(page),
        marking(new(A1, 3), new(B1, 3)),
    ) == [page]


def test_after_its_own_page_it_reads_no_page():
    page = a_page(8, B1)
    memory = remembering(marked_below=8, alone=True)
    script = markers(B1), putting(page), marking(new(B1, 3))
    assert play(sequencing(B1, memory=memory), *script) == [page]
    assert memory.marked_below == 11


WAIT = Pause(1, within=0.008), {}
AGAIN = Pause(2, within=0.016), {}
AT_LAST = Pause(3, within=0.032), {}


def test_the_markers_of_a_page_not_known_are_read_and_those_that_are_there_not_written():
    newest, page = a_page(5, A1, B1, writer="other"), a_page(9, A2)
    assert play(
        sequencing(A2),
        reading(newest),
        markers(A2, B1, found=[marked(A1, 1), marked(B1, 3)]),
        putting(page),
        marking(higher(A2, 3)),
    ) == [page]


def test_the_markers_of_a_page_whose_writer_died_are_applied_after_three_more_looks():
    newest, page = a_page(5, A1, B1, writer="other"), a_page(9, A2)
    assert play(
        sequencing(A2),
        reading(newest),
        markers(A2, B1, found=[marked(A1, 1)]),
        WAIT,
        markers(B1),
        AGAIN,
        markers(B1),
        AT_LAST,
        markers(B1),
        marking(new(B1, 3)),
        putting(page),
        marking(higher(A2, 3)),
    ) == [page]


def test_a_living_writer_applies_its_markers_itself():
    newest, page = a_page(5, A1, B1, writer="other"), a_page(9, A2)
    assert play(
        sequencing(A2),
        reading(newest),
        markers(A2, B1),
        WAIT,
        markers(A2, B1, found=[marked(A1, 1)]),
        AGAIN,
        markers(B1, found=[marked(B1, 3)]),
        putting(page),
        marking(higher(A2, 3)),
    ) == [page]


def test_a_refused_marker_that_is_high_enough_is_done():
    page, memory = a_page(8, A2), remembering(marked_below=8, alone=True)
    assert play(
        sequencing(A2, memory=memory),
        markers(A2, found=[marked(A1, 1)]),
        putting(page),
        marking(higher(A2, 3), refused=[(0, marked(A2, 3))]),
    ) == [page]
    assert memory.marked_below == 10


def test_other_refused_markers_are_read_and_raised_where_they_are_lower():
    page, memory = a_page(8, A2, B1, C1), remembering(marked_below=8, alone=True)
    assert play(
        sequencing(A2, B1, C1, memory=memory),
        markers(A2, B1, C1, found=[marked(A1, 1)]),
        putting(page),
        marking(higher(A2, 3), new(B1, 3), new(C1, 1), refused=[(0, None), (1, None), (2, None)]),
        # B was a retry of the SDK: the marker is there. A is gone, and C is lower.
        markers(A2, B1, C1, found=[marked(B1, 3), marked(C1, 0)]),
        (Pause(1), {}),
        marking(new(A2, 3), higher(C1, 1)),
    ) == [page]


def test_a_marker_that_cannot_be_read_is_not_raised_for_ever():
    page, memory = a_page(8, A2), remembering(marked_below=8, alone=True)
    damaged = {**A1.marker.key, "last_version": {"S": "x"}}
    assert play(
        sequencing(A2, memory=memory),
        markers(A2, found=[marked(A1, 1)]),
        putting(page),
        marking(higher(A2, 3), refused=[(0, damaged)]),
        markers(A2, found=[damaged]),
    ) == [page]


def test_a_page_goes_out_in_batches_of_25_at_once():
    hints = [a_hint(f"{number:03}") for number in range(60)]
    page, memory = a_page(8, *hints), remembering(marked_below=8, alone=True)
    statements = [new(hint, 1) for hint in hints]
    batches = [execute(statements[start : start + 25]) for start in (0, 25, 50)]
    replies = [{"Responses": [{}] * len(each.params["Statements"])} for each in batches]
    assert play(
        sequencing(*hints, memory=memory),
        markers(*hints),
        putting(page),
        (Together(tuple(batches)), replies),
    ) == [page]


def test_throttled_markers_are_sent_again_from_there():
    page, memory = a_page(8, A1, B1), remembering(marked_below=8, alone=True)
    throttled = {"Error": {"Code": "ThrottlingError"}}
    (batch, _) = marking(new(A1, 1), new(B1, 3))
    assert play(
        sequencing(A1, B1, memory=memory),
        markers(A1, B1),
        putting(page),
        (batch, [{"Responses": [{}, throttled]}]),
        (Pause(1, throttled=True), {}),
        marking(new(B1, 3)),
    ) == [page]


def test_after_a_throttling_that_lasts_another_call_goes_on_there():
    memory = remembering(marked_below=8, alone=True)
    throttled = {"Error": {"Code": "ThrottlingError"}}
    (batch, _) = marking(new(A1, 1), new(B1, 3))
    mine = a_page(8, A1, B1)
    with pytest.raises(ThrottledError):
        play(
            sequencing(A1, B1, memory=memory),
            markers(A1, B1),
            putting(mine),
            (batch, [{"Responses": [{}, throttled]}]),
            (Pause(1, throttled=True), ThrottledError("BatchGetItem", "x", "y.")),
        )
    assert not memory.alone
    assert (
        play(
            sequencing(A1, B1, memory=memory),
            looking_from(8, A1, B1, pages=[mine], found=[marked(A1, 1)]),
            markers(A1, B1, found=[marked(A1, 1)]),
            WAIT,
            markers(B1),
            AGAIN,
            markers(B1),
            AT_LAST,
            markers(B1),
            marking(new(B1, 3)),
        )
        == []
    )


@pytest.mark.parametrize("version", [{}, {"last_version": {"S": "many"}}])
def test_a_stream_whose_marker_cannot_be_read_is_set_aside_and_others_go_on(version):
    memory = remembering(marked_below=8, alone=True, clock=lambda: 0.0)
    damaged = {**A1.marker.key, **version}
    reason = "the log's marker of its stream has no readable version."
    entry = SetAside.of(StoredItemError(A1.stream_key, 1, reason), 0.0)
    page = a_page(8, B1)
    assert play(
        sequencing(A1, A2, B1, memory=memory),
        markers(A1, B1, found=[damaged]),
        (put_entry(LOG, entry), DONE),
        putting(page),
        marking(new(B1, 3)),
    ) == [page]
    assert memory.waiting == 2


def test_a_process_that_is_far_behind_begins_anew():
    newest, page = a_page(900, B1, writer="other"), a_page(903, A1)
    asked = pages_from(LOG, 8, limit=8, consistent=True)
    request, reply = markers(A1)
    assert play(
        sequencing(A1, memory=remembering(marked_below=8)),
        (Together((asked, request)), [{"Items": [], "LastEvaluatedKey": {}}, reply]),
        reading(newest),
        markers(A1, B1, found=[marked(B1, 3)]),
        putting(page),
        marking(new(A1, 1)),
    ) == [page]


def test_a_process_that_put_the_last_page_remembers_its_markers():
    memory = remembering(marked_below=8, alone=True)
    first, second = a_page(8, A1, B1), a_page(12, A2, C1)
    play(
        sequencing(A1, B1, memory=memory),
        markers(A1, B1),
        putting(first),
        marking(new(A1, 1), new(B1, 3)),
    )
    assert play(
        sequencing(A2, C1, memory=memory),
        markers(C1),
        putting(second),
        marking(higher(A2, 3), new(C1, 1)),
    ) == [second]
    assert play(sequencing(A1, A2, B1, memory=memory)) == []


def test_what_others_put_since_is_known_from_their_pages():
    memory = remembering(marked_below=8, alone=True)
    first, others, last = a_page(8, A1), a_page(9, A2, writer="other"), a_page(11, A4)
    play(sequencing(A1, memory=memory), markers(A1), putting(first), marking(new(A1, 1)))
    assert play(
        sequencing(A2, A4, memory=memory),
        putting(a_page(9, A2, A4), refused()),
        LOST,
        looking_from(9, pages=[others]),
        markers(A2, found=[marked(A2, 3)]),
        putting(last),
        marking(higher(A4, 4)),
    ) == [last]
    # Not alone any more, so it looks for pages; the markers it knows.
    memory.alone = False
    assert play(sequencing(A4, memory=memory), looking_from(12)) == []


def test_what_a_process_remembers_is_lost_with_a_request_that_failed():
    memory = remembering(marked_below=8, alone=True)
    play(sequencing(A1, memory=memory), markers(A1), putting(a_page(8, A1)), marking(new(A1, 1)))
    failure = UnavailableError("BatchGetItem", "timeout", "no reply.")
    (asked, _) = markers(B1)
    with pytest.raises(UnavailableError):
        play(sequencing(A2, B1, memory=memory), (asked, failure))
    page = a_page(9, A2)
    assert play(
        sequencing(A2, memory=memory),
        markers(A2, found=[marked(A1, 1)]),
        putting(page),
        marking(higher(A2, 3)),
    ) == [page]


@pytest.mark.parametrize("seconds", [10, -1])
def test_after_a_silence_in_which_the_table_may_have_been_replaced_it_remembers_nothing(seconds):
    now = [1000.0]
    memory = remembering(marked_below=8, alone=True, clock=lambda: now[0])
    at_first = a_page(8, A1)._replace(put_at=1_000_000_000)
    first = markers(A1), putting(at_first), marking(new(A1, 1))
    play(sequencing(A1, memory=memory), *first)
    now[0] += 9.9
    assert play(sequencing(A1, memory=memory)) == [], "it still knows"
    now[0] += seconds
    restored = a_page(1, B1, writer="other")
    page = a_page(4, A1)._replace(put_at=int(now[0] * 1_000_000))
    assert play(
        sequencing(A1, memory=memory),
        reading(restored),
        markers(A1, B1, found=[marked(B1, 3)]),
        putting(page),
        marking(new(A1, 1)),
    ) == [page]


def test_it_remembers_so_many_markers_and_forgets_the_oldest(monkeypatch):
    monkeypatch.setattr("dynamo_es.dynamodb.log.sequencer_memory._MOST_SEEN", 10)
    memory = remembering()
    hints = [a_hint(f"{number:02}") for number in range(11)]
    memory.keep_seen(5, {hint.marker: 1 for hint in hints})
    assert list(memory.take_seen(5)) == [hint.marker for hint in hints[5:]]


def test_markers_are_known_below_the_position_only_that_they_were_kept_for():
    memory = remembering()
    memory.keep_seen(5, {A1.marker: 1})
    assert memory.take_seen(6) == {}
    assert memory.take_seen(5) == {}, "and they are gone then"


def test_what_is_in_the_log_is_dropped():
    assert play(sequencing(A1, A2), EMPTY, markers(A1, found=[marked(A1, 3)])) == []


def test_hints_reordered_and_repeated_are_put_in_order():
    page = a_page(1, A1, B1, A2)
    assert play(
        sequencing(A2, B1, A1, A2, B1),
        EMPTY,
        markers(A1, B1),
        putting(page),
        marking(new(A1, 3), new(B1, 3)),
    ) == [page]


def test_a_gap_is_filled_from_the_events_table():
    page, after = a_page(1, A1, A2, A4), {"stream_key": {"S": "#order#a"}, "version": {"N": "1"}}
    assert play(
        sequencing(A4),
        EMPTY,
        markers(A4),
        (commits_before("events", A4, 1), {"Items": stored((1, 1)), "LastEvaluatedKey": after}),
        (commits_before("events", A4, 1, after), {"Items": stored((2, 2))}),
        putting(page),
        marking(new(A4, 4)),
    ) == [page]


def test_what_a_deletion_has_removed_is_passed_over():
    page = a_page(1, A2, A4)
    assert play(
        sequencing(A4),
        EMPTY,
        markers(A4),
        (commits_before("events", A4, 1), {"Items": stored((2, 2))}),
        putting(page),
        marking(new(A4, 4)),
    ) == [page]


def test_a_new_generation_has_a_marker_of_its_own():
    again = a_hint("a", 1, generation=GENERATION + 1)
    page = a_page(1, A1, again)
    assert play(
        sequencing(again, A1),
        EMPTY,
        markers(A1, again),
        putting(page),
        marking(new(A1, 1), new(again, 1)),
    ) == [page]


def test_a_lost_race_begins_again_after_the_winner():
    winner, page, memory = a_page(8, A1, writer="other"), a_page(9, A2), remembering()
    memory.marked_below, memory.alone = 8, True
    assert play(
        sequencing(A1, A2, memory=memory),
        markers(A1),
        putting(a_page(8, A1, A2), refused()),
        LOST,
        looking_from(8, pages=[winner]),
        markers(A1, found=[marked(A1, 1)]),
        putting(page),
        marking(higher(A2, 3)),
    ) == [page]
    assert (memory.marked_below, memory.alone) == (11, False)


@pytest.mark.parametrize("reply", [lost(), refused(maybe_landed=True)])
def test_a_put_without_a_clear_outcome_may_be_found_in_the_log(reply):
    page = a_page(1, A1)
    assert play(
        sequencing(A1),
        EMPTY,
        markers(A1),
        putting(page, reply),
        looking(page, page),
        marking(new(A1, 1)),
    ) == [page]


def test_or_another_page_is_there():
    page, other = a_page(1, A1), a_page(1, B1, writer="other")
    assert play(
        sequencing(A1),
        EMPTY,
        markers(A1),
        putting(page, lost()),
        looking(page, other),
        LOST,
        looking_from(1, pages=[other]),
        markers(B1, found=[marked(B1, 3)]),
        putting(a_page(4, A1)),
        marking(new(A1, 1)),
    ) == [a_page(4, A1)]


def test_or_nothing_and_the_same_page_is_put_again():
    page = a_page(1, A1)
    again = putting(page, lost()), looking(page, None)
    assert play(
        sequencing(A1),
        EMPTY,
        markers(A1),
        *again,
        (Pause(1), {}),
        putting(page, refused()),  # it was late
        looking(page, page),
        marking(new(A1, 1)),
    ) == [page]
    with pytest.raises(OutcomeUnknown):
        play(
            sequencing(A1),
            EMPTY,
            markers(A1),
            *again,
            (Pause(1), {}),
            *again,
            (Pause(2), {}),
            *again,
            (Pause(3), {}),
        )


def test_markers_left_out_are_read_again():
    page = a_page(1, B1)
    assert play(
        sequencing(A1, B1),
        EMPTY,
        markers(A1, B1, found=[marked(A1, 1)], left=[B1]),
        (Pause(1, throttled=True), {}),
        markers(B1),
        putting(page),
        marking(new(B1, 3)),
    ) == [page]


def test_markers_left_out_for_ever_are_throttling():
    again = [
        (markers(A1, left=[A1]), (Pause(attempt, throttled=True), {})) for attempt in range(1, 11)
    ]
    with pytest.raises(ThrottledError):
        play(sequencing(A1), EMPTY, *[exchange for pair in again for exchange in pair])


def test_the_requests_to_the_letter():
    item = a_commit(events(STREAM, 1), 3)
    hint, key = pointer_to(item), {"log_key": {"S": "l"}, "place": {"S": "p"}}
    assert put_page(LOG, key) == Request(
        "put_item",
        {"TableName": "log", "Item": key, "ConditionExpression": "attribute_not_exists(place)"},
    )
    assert raise_marker("log", Marker("l", "p"), 4) == {
        "Statement": (
            'UPDATE "log" SET "last_version" = ? '
            'WHERE "log_key" = ? AND "place" = ? AND "last_version" < ?'
        ),
        "Parameters": [{"N": "4"}, {"S": "l"}, {"S": "p"}, {"N": "4"}],
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    assert insert_marker("log", Marker("l", "p"), 4) == {
        "Statement": "INSERT INTO \"log\" VALUE {'log_key': ?, 'place': ?, 'last_version': ?}",
        "Parameters": [{"S": "l"}, {"S": "p"}, {"N": "4"}],
    }
    assert get_markers("log", [key]).params == {
        "RequestItems": {"log": {"Keys": [key], "ConsistentRead": True}}
    }
    values = commits_before("events", hint, 1).params["ExpressionAttributeValues"]
    assert values == {
        ":key": {"S": KEY},
        ":start": {"N": "1"},
        ":end": {"N": "2"},
        ":generation": {"N": str(GENERATION)},
        ":number": {"S": "N"},
    }

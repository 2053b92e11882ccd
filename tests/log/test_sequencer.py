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
    newest_page,
    put_page,
    raise_marker,
)
from dynamo_es.dynamodb.log.sequencer import Tables, sequence
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.wire.errors import OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Pause, Request
from dynamo_es.exceptions import ThrottledError
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
B1 = a_hint("b", 1, 3)


def a_page(first, *pointers, writer="me"):
    return Page(first, pointers, writer)


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


def raising(hint, version, reply=None):
    return raise_marker("log", hint.marker, version), DONE if reply is None else reply


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
    return SequencerMemory(new_id=lambda: "me", **known)


def sequencing(*hints, memory=None):
    return sequence(TABLES, hints, memory or remembering())


def test_the_first_page():
    page, memory = a_page(1, A1), remembering()
    script = EMPTY, markers(A1), putting(page), raising(A1, 1)
    assert play(sequencing(A1, memory=memory), *script) == [page]
    assert (memory.marked_below, memory.alone) == (2, True)


def test_no_hints_no_requests():
    assert play(sequencing()) == []


def test_a_batch_over_two_streams_takes_five_requests():
    page = a_page(4, A1, A2, B1)
    assert play(
        sequencing(A1, A2, B1, memory=remembering(marked_below=4)),
        reading(a_page(1, a_hint("z", 1, 3), writer="other")),
        markers(A1, B1),
        putting(page),
        raising(A1, 3),
        raising(B1, 3),
    ) == [page]


def test_after_its_own_page_it_reads_no_page():
    page = a_page(8, B1)
    memory = remembering(marked_below=8, alone=True)
    assert play(sequencing(B1, memory=memory), markers(B1), putting(page), raising(B1, 3)) == [page]
    assert memory.marked_below == 11


def test_the_markers_of_a_page_not_known_are_applied_again():
    newest, page = a_page(5, A1, B1, writer="other"), a_page(9, A2)
    assert play(
        sequencing(A2),
        reading(newest),
        raising(A1, 1, refused()),
        raising(B1, 3),
        markers(A2, found=[marked(A1, 1)]),
        putting(page),
        raising(A2, 3),
    ) == [page]


def test_what_is_in_the_log_is_dropped():
    assert play(sequencing(A1, A2), EMPTY, markers(A1, found=[marked(A1, 3)])) == []


def test_hints_reordered_and_repeated_are_put_in_order():
    page = a_page(1, A1, B1, A2)
    assert play(
        sequencing(A2, B1, A1, A2, B1),
        EMPTY,
        markers(A1, B1),
        putting(page),
        raising(A1, 3),
        raising(B1, 3),
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
        raising(A4, 4),
    ) == [page]


def test_what_a_deletion_has_removed_is_passed_over():
    page = a_page(1, A2, A4)
    assert play(
        sequencing(A4),
        EMPTY,
        markers(A4),
        (commits_before("events", A4, 1), {"Items": stored((2, 2))}),
        putting(page),
        raising(A4, 4),
    ) == [page]


def test_a_new_generation_has_a_marker_of_its_own():
    again = a_hint("a", 1, generation=GENERATION + 1)
    page = a_page(1, A1, again)
    assert play(
        sequencing(again, A1),
        EMPTY,
        markers(A1, again),
        putting(page),
        raising(A1, 1),
        raising(again, 1),
    ) == [page]


def test_a_lost_race_begins_again_after_the_winner():
    winner, page, memory = a_page(8, A1, writer="other"), a_page(9, A2), remembering()
    memory.marked_below, memory.alone = 8, True
    assert play(
        sequencing(A1, A2, memory=memory),
        markers(A1),
        putting(a_page(8, A1, A2), refused()),
        (Pause(1), {}),
        reading(winner),
        raising(A1, 1),
        markers(A1, found=[marked(A1, 1)]),
        putting(page),
        raising(A2, 3),
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
        raising(A1, 1),
    ) == [page]


def test_or_another_page_is_there():
    page, other = a_page(1, A1), a_page(1, B1, writer="other")
    assert (
        play(
            sequencing(A1),
            EMPTY,
            markers(A1),
            putting(page, lost()),
            looking(page, other),
            (Pause(1), {}),
            reading(other),
            raising(B1, 3),
            markers(A1, found=[marked(A1, 1)]),
        )
        == []
    )


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
        raising(A1, 1),
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
        raising(B1, 3),
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
    assert raise_marker("log", Marker("l", "p"), 4).params == {
        "TableName": "log",
        "Key": key,
        "UpdateExpression": "SET last_version = :version",
        "ConditionExpression": "attribute_not_exists(last_version) OR last_version < :version",
        "ExpressionAttributeValues": {":version": {"N": "4"}},
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

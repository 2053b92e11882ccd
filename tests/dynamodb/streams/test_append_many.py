"""Appends to many streams at once send their puts as INSERTs, and each decides as if alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from dynamo_es import NO_VERSIONING, ExplicitVersioning, StreamId
from dynamo_es.dynamodb.streams.appending import append_many
from dynamo_es.dynamodb.streams.appending.append import Append
from dynamo_es.dynamodb.streams.appending.append_many import append_to_many
from dynamo_es.dynamodb.streams.items import Head, commit_item, fence_item
from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.streams.remembered.heads import RememberedHeads
from dynamo_es.dynamodb.streams.requests import get_item, put_commit, query_down
from dynamo_es.dynamodb.streams.stream import Stream
from dynamo_es.dynamodb.wire.errors import MAYBE_LANDED
from dynamo_es.dynamodb.wire.partiql.statements import execute, insert
from dynamo_es.dynamodb.wire.steps import Pause, Together
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    CredentialsError,
    NoExpectedVersionGivenOnVersionedStream,
    ThrottledError,
    UnavailableError,
)
from dynamo_es.testing.conformance.language import events
from tests.dynamodb.machine import (
    DONE,
    GENERATION,
    LAST_GENERATION,
    NEXT_GENERATION,
    NOW,
    TABLE,
    carried_out,
    lost,
    page,
    play,
    refused,
    timed_out,
)

if TYPE_CHECKING:
    from dynamo_es import RawEvent, Versioning
    from dynamo_es.dynamodb.wire.steps import Item, Request

DOWN = UnavailableError("BatchExecuteStatement", "EndpointConnectionError", "no way.")


class One:
    """One of the appends, and the requests that it makes."""

    def __init__(self, number: int, expected: int = 0, *, known: bool = True) -> None:
        stream_id = StreamId(UUID(int=number))
        self.key = f"#{stream_id}"
        heads = RememberedHeads(9, lambda: NOW)
        if expected and known:
            heads.remember(self.key, Head(GENERATION, expected, versionless=False))
        self.expected = expected
        self.stream = Stream(TABLE, self.key, stream_id, heads, lambda: NOW)
        self.events = events(stream_id, 2)
        self.generation = GENERATION if expected else NEXT_GENERATION

    def append(self, versioning: Versioning | None = None) -> Append:
        return Append.of(self.stream, versioning or ExplicitVersioning(self.expected), self.events)

    def item(self, some: list[RawEvent] | None = None, **changes: Any) -> Item:
        place = {"version": self.expected + 1, "generation": self.generation, "versionless": False}
        return commit_item(self.key, None, some or self.events, **(place | changes))[0]

    @property
    def put(self) -> Request:
        return put_commit(TABLE, self.item())

    @property
    def look(self) -> Request:
        return get_item(TABLE, self.key, self.expected + 1)

    @property
    def read_head(self) -> Request:
        return query_down(TABLE, self.key, below=SNAPSHOT_VERSION, limit=1)

    def others(self) -> Item:
        """Return a commit of somebody else in the place of this one."""
        return self.item(events(self.stream.id, 2), generation=GENERATION)


def inserts(*ones: One) -> Together:
    statements = [insert(TABLE, one.item()) for one in ones]
    batches = [statements[begin : begin + 25] for begin in range(0, len(statements), 25)]
    return Together(tuple(map(execute, batches)))


def together(*requests: Request) -> Together:
    return Together(requests)


def run(ones: list[One], *script: Any) -> list[Any]:
    found: list[Any] = play(append_to_many([one.append() for one in ones]), *script)
    return found


def test_puts_go_25_a_request_and_all_requests_at_once():
    ones = [One(number) for number in range(60)]
    replies = [carried_out(25), carried_out(25), carried_out(10)]

    results = run(ones, (inserts(*ones), replies))

    assert results == [2] * 60
    assert {(result.generation, result.repeated) for result in results} == {
        (NEXT_GENERATION, False)
    }
    assert all(one.stream.heads.get(one.key) == Head(NEXT_GENERATION, 2, False) for one in ones)


def test_an_append_alone_is_a_put():
    one = One(1)
    assert run([one], (one.put, DONE)) == [2]


def test_the_versions_of_streams_that_are_not_known_are_read_at_once():
    known, a, b = One(1, 3), One(2, 3, known=False), One(3, 3, known=False)
    newest = [page(one.item(events(one.stream.id, 1), version=3), more=True) for one in (a, b)]

    results = run(
        [known, a, b],
        (together(known.put, a.read_head, b.read_head), [DONE, *newest]),
        (inserts(a, b), [carried_out(2)]),
    )

    assert results == [5, 5, 5]


def test_what_is_in_the_way_of_one_is_shown_by_its_put_and_is_its_own_affair():
    a, b, c = One(1), One(2), One(3)

    first, second, third = run(
        [a, b, c],
        (inserts(a, b, c), [carried_out(3, _1="DuplicateItem")]),
        (together(b.put), [refused(b.others())]),
        (together(b.read_head), [page(b.others(), more=True)]),
    )

    assert (first, third) == (2, 2)
    assert isinstance(second, ConcurrentStreamWriteError)
    assert (second.expected, second.actual) == (0, 2)


def test_a_conflict_at_a_known_version_takes_no_read():
    a, b = One(1, 3), One(2, 3)

    first, second = run(
        [a, b],
        (inserts(a, b), [carried_out(2, _0="DuplicateItem")]),
        (together(a.put), [refused(a.others())]),
    )

    assert isinstance(first, ConcurrentStreamWriteError)
    assert (first.actual, len(first.winning), second) == (5, 2, 5)


def test_a_fence_of_an_earlier_generation_refuses_an_insert_and_not_its_put():
    a, b = One(1), One(2)
    assert run(
        [a, b],
        (inserts(a, b), [carried_out(2, _0="DuplicateItem")]),
        (together(a.put), [DONE]),
    ) == [2, 2]


def test_after_a_fence_the_next_generation_is_put_without_another_insert():
    ones = a, b, c = One(1), One(2), One(3)
    fence = fence_item(a.key, version=1, closed=NEXT_GENERATION + 5, expires_at=None)
    a_later = put_commit(TABLE, a.item(generation=NEXT_GENERATION + 6))

    assert run(
        list(ones),
        (inserts(a, b, c), [carried_out(3, _0="DuplicateItem")]),
        (together(a.put), [refused(fence)]),
        (together(a_later), [DONE]),
    ) == [2, 2, 2]


def test_events_that_are_stored_already_are_found():
    a, b = One(1, 3), One(2)
    (first, second) = run(
        [a, b],
        (inserts(a, b), [carried_out(2, _0="DuplicateItem")]),
        (together(a.put), [refused(a.item())]),
        (together(a.read_head), [page(a.item(), more=True)]),
    )
    assert (first, first.repeated) == (5, True)
    assert (second, second.repeated) == (2, False)


def test_after_a_lost_reply_each_append_looks_for_its_own_events():
    a, b, c = One(1, 3), One(2, 3), One(3, 3)

    first, second, third = run(
        [a, b, c],
        (inserts(a, b, c), [lost()]),
        (together(a.look, b.look, c.look), [{"Item": a.item()}, {"Item": b.others()}, {}]),
        (together(a.read_head), [page(a.item(), more=True)]),
    )

    assert first == 5
    assert isinstance(second, ConcurrentStreamWriteError)
    assert isinstance(third, AppendOutcomeUnknownError)


def test_a_creation_refused_after_a_lost_reply_may_still_arrive():
    a, b = One(1), One(2)
    reply = carried_out(2, _0="DuplicateItem") | {MAYBE_LANDED: True}

    first, second = run(
        [a, b],
        (inserts(a, b), [reply]),
        (together(a.put), [refused(a.others())]),
        (together(a.read_head), [page(a.others(), more=True)]),
    )

    assert isinstance(first, AppendOutcomeUnknownError)
    assert second == 2


@pytest.mark.parametrize("maybe", [{}, {MAYBE_LANDED: True}], ids=["told", "lost before"])
def test_a_put_that_fails_after_a_refused_insert_leaves_it_unknown(maybe):
    # What refused the INSERT may be the INSERT itself, if the network delivered it twice.
    a, b = One(1, 3), One(2, 3)
    reply = carried_out(2, _0="DuplicateItem") | maybe

    first, second = run(
        [a, b],
        (inserts(a, b), [reply]),
        (together(a.put), [ThrottledError("PutItem", "Throttling", "Slow.")]),
        (together(a.look), [timed_out("GetItem")]),
    )

    assert isinstance(first, AppendOutcomeUnknownError)
    assert second == 5


def test_a_throttled_statement_is_sent_again_after_a_pause():
    a, b, c = One(1), One(2), One(3)
    assert run(
        [a, b, c],
        (inserts(a, b, c), [carried_out(3, _1="ThrottlingError")]),
        (Pause(1, throttled=True), {}),
        (inserts(b), [carried_out(1)]),
    ) == [2, 2, 2]


@pytest.mark.parametrize("end", [DONE, ThrottledError("PutItem", "Throttling", "Slow.")])
def test_one_that_is_throttled_until_the_deadline_is_put_as_if_alone(end):
    a, b = One(1), One(2)
    first, second = run(
        [a, b],
        (inserts(a, b), [carried_out(2, _1="ThrottlingError")]),
        (Pause(1, throttled=True), ThrottledError("BatchGetItem", "UnprocessedKeys", "Slow.")),
        (together(b.put), [end]),
    )
    assert first == 2
    assert second == (2 if end is DONE else end)


def test_appends_to_one_stream_go_one_after_the_other():
    a, b, c = One(1), One(2), One(3)
    a_next, b_next = One(1, 2), One(2, 2)
    for first, then in ((a, a_next), (b, b_next)):
        then.stream, then.generation = first.stream, NEXT_GENERATION

    results = run(
        [a, a_next, b, c, b_next],
        (inserts(a, b, c), [carried_out(3)]),
        (inserts(a_next, b_next), [carried_out(2)]),
    )

    assert results == [2, 4, 2, 2, 4]


def test_while_some_pause_the_others_go_on():
    a, b = One(1), One(2)
    fences = [
        fence_item(a.key, version=1, closed=LAST_GENERATION + n, expires_at=None) for n in (0, 1)
    ]
    later = put_commit(TABLE, a.item(generation=NEXT_GENERATION))
    assert later == a.put
    assert run(
        [a, b],
        (inserts(a, b), [carried_out(2, _0="DuplicateItem")]),
        (together(a.put), [refused(fences[0])]),
        (together(later), [refused(fences[1])]),
        (Pause(2), {}),
        (together(later), [DONE]),
    ) == [2, 2]


def test_no_append_begins_once_the_service_fails(monkeypatch):
    monkeypatch.setattr(append_many, "AT_ONCE", 2)
    ones = a, b, *_ = [One(number) for number in range(5)]

    results = run(list(ones), (inserts(a, b), [DOWN]))

    assert results == [DOWN] * 5


def test_an_append_that_fails_for_itself_leaves_the_others_to_begin(monkeypatch):
    monkeypatch.setattr(append_many, "AT_ONCE", 2)
    a, b, c = One(1), One(2), One(3)
    mixed = Append.of(a.stream, NO_VERSIONING, a.events)

    first, second, third = play(
        append_to_many([mixed, b.append(), c.append()]),
        (Together((a.read_head, b.put)), [page(a.others(), more=True), DONE]),
        (together(c.put), [DONE]),
    )

    assert isinstance(first, NoExpectedVersionGivenOnVersionedStream)
    assert (second, third) == (2, 2)


def test_an_error_of_a_statement_is_the_error_of_its_append():
    a, b = One(1, 3), One(2, 3)
    first, second = run([a, b], (inserts(a, b), [carried_out(2, _0="AccessDenied")]))
    assert isinstance(first, CredentialsError)
    assert second == 5

"""A deletion finishes what a crashed one left, and every write of it is conditional."""

from __future__ import annotations

import pytest

from dynamo_es.dynamodb.streams.delete import delete_stream, finish_deletion
from dynamo_es.dynamodb.wire.steps import Request, Together
from dynamo_es.exceptions import UnavailableError
from dynamo_es.testing.conformance.language import a_snapshot, events
from tests.dynamodb.machine import (
    ALL,
    CLEAR_SNAPSHOT,
    DONE,
    GENERATION,
    LAST_GENERATION,
    LOW,
    MIDDLE,
    NEXT_GENERATION,
    STREAM,
    a_commit,
    a_fence,
    a_snapshot_item,
    a_stream,
    carried_out,
    close,
    expire,
    fence_over,
    play,
    refused,
    survey,
    timed_out,
)

SNAPSHOT = a_snapshot_item(a_snapshot(STREAM, 4))
REFUSED = refused()


# What a crash has left


def test_leftovers_are_cleared_and_then_the_closing_fence_expires():
    play(
        delete_stream(a_stream()),
        survey(a_fence(7, GENERATION, None), a_fence(5), MIDDLE, LOW),
        (fence_over(MIDDLE), DONE),
        (fence_over(LOW), DONE),
        (expire(7), DONE),
    )


def test_leftovers_of_generations_before_are_cleared_too():
    older = a_commit(events(STREAM, 2), 1, LAST_GENERATION)
    play(
        delete_stream(a_stream()),
        survey(a_fence(5, GENERATION, None), MIDDLE, older),
        (fence_over(MIDDLE), DONE),
        (fence_over(older), DONE),
        (expire(5), DONE),
    )


def test_a_snapshot_that_was_left_is_cleared():
    play(
        delete_stream(a_stream()),
        survey(SNAPSHOT, a_fence(3, GENERATION, None), LOW),
        (CLEAR_SNAPSHOT, DONE),
        (fence_over(LOW), DONE),
        (expire(3), DONE),
    )


def test_a_closing_fence_alone_that_was_left_expires():
    play(
        delete_stream(a_stream()),
        survey(a_fence(3, GENERATION, None), a_fence(1)),
        (expire(3), DONE),
    )


@pytest.mark.parametrize("exchanges", range(1, 6))
def test_a_failure_ends_it_with_nothing_more_sent(exchanges):
    script = [
        survey(MIDDLE, LOW),
        (close(5), DONE),
        (CLEAR_SNAPSHOT, DONE),
        (fence_over(MIDDLE), DONE),
        (fence_over(LOW), DONE),
        (expire(5), DONE),
    ][: exchanges + 1]
    script[-1] = (script[-1][0], timed_out("PutItem"))
    with pytest.raises(UnavailableError):
        play(delete_stream(a_stream()), *script)


# On behalf of a creation


def test_a_creation_clears_what_was_left():
    play(
        finish_deletion(a_stream()),
        survey(SNAPSHOT, a_fence(3, GENERATION, None), LOW),
        (CLEAR_SNAPSHOT, DONE),
        (fence_over(LOW), DONE),
        (expire(3), DONE),
    )


@pytest.mark.parametrize("items", [(), (SNAPSHOT, *ALL), (a_fence(9, LAST_GENERATION, None), *ALL)])
def test_a_creation_never_touches_a_live_stream(items):
    play(finish_deletion(a_stream()), survey(*items))


# Conditions


@pytest.mark.parametrize(
    "items",
    [
        (SNAPSHOT, *ALL),
        (SNAPSHOT, a_fence(7, GENERATION, None), *ALL),
        (a_fence(9, LAST_GENERATION, None), a_commit(events(STREAM, 1), 1, NEXT_GENERATION)),
    ],
)
def test_every_write_is_conditional(items):
    steps, writes = delete_stream(a_stream()), []
    request = next(steps)
    reply = survey(*items)[1]
    while True:
        try:
            request = steps.send(reply)
        except StopIteration:
            break
        if isinstance(request, Together):
            (batch,) = request.requests
            statements = batch.params["Statements"]
            assert all('"generation" = ?' in each["Statement"] for each in statements)
            reply = [carried_out(len(statements))]
            continue
        assert isinstance(request, Request)
        writes.append(request)
        reply = DONE
    assert len(writes) >= 3
    for request in writes:
        assert request.operation != "query"
        assert "ConditionExpression" in request.params
    assert writes[-1].operation == "update_item", "the expiry of the closing fence comes last"

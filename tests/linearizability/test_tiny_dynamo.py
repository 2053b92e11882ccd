"""The tiny engine answers every request of the store as moto does."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es import DynamoBackend
from dynamo_es.dynamodb.streams import requests
from dynamo_es.dynamodb.streams.items import (
    Head,
    commit_item,
    fence_item,
    read_commit,
    snapshot_item,
)
from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.partiql.statements import execute, insert, update
from tests.linearizability import histories
from tests.linearizability.emulated import Emulated
from tests.linearizability.tiny_dynamo import TinyDynamo, holds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.dynamodb.wire.steps import Item, Request

TABLE = "events"
KEYS = ("#order#1", "#order#2")


@pytest.fixture
def emulated() -> Iterator[Emulated]:
    with DynamoBackend.local() as backend:
        yield Emulated(backend.client)


@pytest.mark.parametrize("seed", range(4))
def test_random_requests_get_the_same_replies(emulated, seed):
    random, tiny = Random(seed), TinyDynamo()
    refusals = 0
    for number in range(150):
        request = any_request(random, number)
        expected, actual = outcome(emulated, request), outcome(tiny, request)
        assert actual == expected, f"request {number}: {request}"
        refusals += expected[0] == "refused"

    assert 20 < refusals < 130, "the seed shows little"


def outcome(dynamo: Any, request: Request) -> tuple[str, Any]:
    try:
        response = dynamo.answer(request)
    except ConditionRefused as refused:
        return "refused", refused.items
    if "Responses" in response:
        refused_ones = [answer.get("Error", {}) for answer in response["Responses"]]
        return "batch", [(each.get("Code"), each.get("Item")) for each in refused_ones]
    told = {name: response.get(name) for name in ("Item", "Items", "LastEvaluatedKey")}
    if request.operation == "query" and "Limit" in request.params:
        # Where the page ends with the last item, engines differ in whether they say that there
        # may be more; the next page is empty then.
        told["LastEvaluatedKey"] = None
    return "done", told


def a_batch(random: Random, key: str, version: int, generation: int, number: int) -> Request:
    """Return an insert and an update, which removes something, of two items of a stream."""
    place = {"stream_key": {"S": key}, "version": {"N": str(version % 5 + 1)}}
    conditions = [("generation", random.choice("<="), {"N": str(generation)})]
    changes = {"closed": {"N": str(generation)}, "expires_at": {"N": str(number)}}
    removed = ["generation", "events"]
    return execute(
        [
            insert(TABLE, a_commit(random, key, version, generation, number)),
            update(TABLE, place, changes, conditions, remove=removed, all_old=True),
        ]
    )


def any_request(random: Random, number: int) -> Request:  # noqa: C901, PLR0911 - one for each kind
    key, version = random.choice(KEYS), random.randint(1, 5)
    generation = random.randint(1, 4)
    match random.randrange(12):
        case 11:
            head = Head(generation, random.randint(0, 4), versionless=False)
            check = requests.check_unchanged(TABLE, random.choice(KEYS), head)
            item = a_commit(random, key, version + 6, generation, number)
            return requests.put_commits(TABLE, [item], [check])
        case 10:
            return a_batch(random, key, version, generation, number)
        case 0 | 1:
            return requests.put_commit(TABLE, a_commit(random, key, version, generation, number))
        case 2:
            two = [a_commit(random, key, at, generation, number) for at in (version, version + 3)]
            return requests.put_commits(TABLE, two)
        case 3:
            saved = histories.snapshot(1, histories.Save(version, f"s{number}"))
            item, _ = snapshot_item(key, saved, generation=generation)
            return requests.put_snapshot(TABLE, item)
        case 4:
            fence = fence_item(key, version=version, closed=generation, expires_at=None)
            return requests.put_closing_fence(TABLE, fence)
        case 5:
            commit = read_commit(a_commit(random, key, version, generation, number))
            fence = fence_item(key, version=version, closed=generation, expires_at=number)
            return requests.put_fence_over(TABLE, commit, fence)
        case 6:
            return requests.delete_snapshot(TABLE, key, generation)
        case 7:
            return requests.expire_fence(
                TABLE, key, version=version, closed=generation, expires_at=number
            )
        case 8:
            return requests.get_item(TABLE, key, random.choice((version, SNAPSHOT_VERSION)))
        case _:
            below = random.choice((None, version, SNAPSHOT_VERSION))
            most = 6 if below is None else below - 1
            place = {"stream_key": {"S": key}, "version": {"N": str(random.randint(1, 6))}}
            return requests.query_down(
                TABLE,
                key,
                below=below,
                lowest=random.choice((1, min(3, most))) if version > 1 else 1,
                limit=random.choice((None, 1, 2, 5)),
                # The place where a page ended is below the bound of its query.
                after=place if version == 1 and random.random() < 0.5 else None,
                outline=random.random() < 0.3,
            )


def a_commit(random: Random, key: str, version: int, generation: int, number: int) -> Item:
    events = [histories.event(1, f"e{number}{at}") for at in range(random.randint(1, 2))]
    item, _ = commit_item(
        key, None, events, version=version, generation=generation, versionless=False
    )
    return item


def test_pages_end_where_they_are_told_to():
    tiny = TinyDynamo(lambda: 2)
    for version in (1, 2, 3):
        tiny.answer(requests.put_commit(TABLE, a_commit(Random(1), "k", version, 1, version)))

    first = tiny.answer(requests.query_down(TABLE, "k"))
    second = tiny.answer(requests.query_down(TABLE, "k", after=first["LastEvaluatedKey"]))

    assert [item["version"]["N"] for item in first["Items"]] == ["3", "2"]
    assert [item["version"]["N"] for item in second["Items"]] == ["1"]
    assert "LastEvaluatedKey" not in second


def test_a_transaction_with_a_known_token_is_done_once():
    tiny = TinyDynamo()
    request = requests.put_commits(TABLE, [a_commit(Random(1), "k", at, 1, at) for at in (1, 2)])

    assert tiny.answer(request, "token") == tiny.answer(request, "token") == {}
    with pytest.raises(ConditionRefused):
        tiny.answer(request, "another")


@pytest.mark.parametrize(
    "expression", ["contains(version, :a)", "version IN (:a, :b)", "NOT version = :a"]
)
def test_what_no_request_has_in_it_is_not_guessed(expression):
    with pytest.raises(NotImplementedError):
        holds(expression, {"version": {"N": "1"}}, {":a": {"N": "1"}, ":b": {"N": "1"}})

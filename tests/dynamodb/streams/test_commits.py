"""Planning an append: one item if the events fit, else halves, else an error."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from random import Random

import pytest

from dynamo_es.contracts.stream_keys import MAX_NAMES_BYTES
from dynamo_es.dynamodb.streams.appending.commits import plan_commits, put_request
from dynamo_es.dynamodb.streams.items import encode_events, event_uuids
from dynamo_es.dynamodb.streams.requests import put_commit, put_commits
from dynamo_es.dynamodb.wire.sizes import MAX_TRANSACTION_BYTES, SAFE_ITEM_BYTES, item_size
from dynamo_es.exceptions import CommitTooLargeError
from dynamo_es.testing.conformance.language import an_event
from tests.dynamodb.machine import GENERATION, NEW, STREAM, TABLE, a_commit, a_stream, at


def noise(*sizes):
    """Return events that hardly shrink, of these sizes and a hundredth when compressed."""
    return [
        an_event(STREAM, data={"x": b64encode(Random(n).randbytes(size)).decode()})
        for n, size in enumerate(sizes)
    ]


def plan(head, new):
    return plan_commits(a_stream(), head, new)


def test_what_fits_is_one_item_and_a_plain_put():
    found = plan(at(3), NEW)
    assert [commit.item for commit in found.commits] == [a_commit(NEW, 4)]
    assert found.sizes == [item_size(a_commit(NEW, 4))]
    assert found.head == at(5)
    assert put_request(TABLE, found) == put_commit(TABLE, a_commit(NEW, 4))


@pytest.mark.parametrize(
    ("sizes", "cuts"),
    [
        ([150_000] * 4, [2, 2]),
        ([150_000] * 5, [2, 1, 2]),
        ([300_000] * 3, [1, 1, 1]),
        ([300_000, 300_000, 10, 10, 10, 10], [1, 2, 3]),
        ([10, 10, 30_000, 390_000], [2, 1, 1]),
    ],
)
def test_what_does_not_fit_is_cut_in_halves_until_it_does(sizes, cuts):
    new = noise(*sizes)
    found = plan(at(3), new)
    assert [commit.last - commit.version + 1 for commit in found.commits] == cuts
    assert [uuid for commit in found.commits for uuid in event_uuids(commit.item)] == [
        event.uuid for event in new
    ]
    version = 3
    for commit, size in zip(found.commits, found.sizes, strict=True):
        assert (commit.version, commit.generation) == (version + 1, GENERATION)
        assert size == item_size(commit.item) <= SAFE_ITEM_BYTES
        version = commit.last
    assert found.head == at(3 + len(new))
    assert put_request(TABLE, found) == put_commits(
        TABLE, [commit.item for commit in found.commits]
    )


def test_an_event_too_large_for_an_item_is_named():
    small, large = noise(10, 420_000)
    with pytest.raises(CommitTooLargeError, match=f"the event {large.uuid}") as caught:
        plan(at(3), [small, large])
    assert caught.value.size > caught.value.limit == SAFE_ITEM_BYTES


@pytest.mark.ci
def test_four_megabytes_are_taken_and_no_more():
    almost = noise(*[390_000] * 10)
    assert len(plan(at(3), almost).commits) == 10
    with pytest.raises(CommitTooLargeError, match="append them in several calls") as caught:
        plan(at(3), [*almost, *noise(390_000)])
    assert caught.value.size > caught.value.limit == MAX_TRANSACTION_BYTES


# What a commit may take before compression, and in names


def test_what_an_append_takes_uncompressed_is_bounded():
    new = [an_event(STREAM, data={"x": "y" * 10_000}) for _ in range(10)]
    size = len(encode_events(new))
    stream = replace(a_stream(), most_bytes=size)
    assert len(plan_commits(stream, at(3), new).commits) == 1
    stream = replace(stream, most_bytes=size - 1)
    with pytest.raises(CommitTooLargeError, match=f"take {size:,} bytes before") as caught:
        plan_commits(stream, at(3), new)
    assert (caught.value.size, caught.value.limit) == (size, size - 1)
    assert "max_uncompressed_bytes" in str(caught.value)


def test_thirty_two_megabytes_are_the_default():
    new = [an_event(STREAM, data={"x": "y" * 17_000_000}) for _ in range(2)]
    assert len(plan(at(3), new[:1]).commits) == 1
    with pytest.raises(CommitTooLargeError, match="before compression"):
        plan(at(3), new)


def test_names_that_no_page_of_the_log_takes_are_cut_or_refused():
    half = MAX_NAMES_BYTES // 2
    new = [an_event(STREAM, name=letter * half) for letter in "abc"]
    assert [commit.last for commit in plan(at(0), new).commits] == [1, 3]
    long = an_event(STREAM, name="\N{EURO SIGN}" * half)
    with pytest.raises(CommitTooLargeError, match=f"the names of event {long.uuid}") as caught:
        plan(at(0), [long])
    assert (caught.value.size, caught.value.limit) == (3 * half, MAX_NAMES_BYTES)

"""Aggregates as they were at a version or at a time, for reading only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest

from dynamo_es import NO_VERSIONING, MemoryBackend, Repository, StreamId, WrappedEvent
from dynamo_es.dynamodb.streams.loading.past import commit_at
from dynamo_es.exceptions import InputError, StreamGapError
from tests.aggregates.account import Account
from tests.dynamodb.machine import GENERATION, a_stream
from tests.dynamodb.test_read_budgets import Table
from tests.event_store.accounts import Deposited, Opened

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def accounts(store):
    return Repository(store, Account)


def append(store, name, *commits):
    """Append commits; each event is a number of seconds after noon, and deposits as much."""
    stream, version = StreamId(name=name, category="account"), 0
    for seconds in commits:
        wrapped = [
            WrappedEvent(
                Deposited(amount=at) if at else Opened(owner="Ann"), created_at=NOON + at * SECOND
            )
            for at in seconds
        ]
        version = store.append(*wrapped, stream_id=stream, expected_version=version)
    return stream


def test_a_version_is_the_state_after_that_commit(store, accounts, ann):
    append(store, ann, [0, 1], [2], [4, 8, 16])
    past = {version: accounts.load(ann, at_version=version) for version in (0, 2, 3, 6)}
    assert {version: one.balance for version, one in past.items()} == {0: 0, 2: 1, 3: 3, 6: 31}
    assert [int(one.stored_version) for one in past.values()] == [0, 2, 3, 6]


@pytest.mark.parametrize(("version", "near"), [(1, "0 or 2"), (4, "3 or 6"), (5, "3 or 6")])
def test_a_version_inside_a_commit_never_was(store, accounts, ann, version, near):
    append(store, ann, [0, 1], [2], [4, 8, 16])
    with pytest.raises(InputError, match=f"inside the commit .*: give {near}"):
        accounts.load(ann, at_version=version)


def test_a_time_counts_whole_commits(store, accounts, ann):
    append(store, ann, [0, 1], [2], [4, 8, 16], [32])
    balances = {
        seconds: accounts.load(ann, as_of=NOON + seconds * SECOND).balance
        for seconds in (-1, 0, 1, 2, 3, 4, 15, 16, 31, 32, 10_000)
    }
    assert balances == {
        -1: 0,
        0: 0,  # its commit has an event of a second later
        1: 1,
        2: 3,
        3: 3,
        4: 3,
        15: 3,
        16: 31,
        31: 31,
        32: 63,
        10_000: 63,
    }


def test_a_time_is_the_same_in_every_zone(store, accounts, ann):
    append(store, ann, [0], [2], [4])
    elsewhere = (NOON + 3 * SECOND).astimezone(timezone(timedelta(hours=-7)))
    assert accounts.load(ann, as_of=elsewhere).balance == 2


def test_a_stream_loads_as_of_a_time(store, ann):
    stream = append(store, ann, [0, 1], [2], [4, 8])
    loaded = store.load_stream(stream, as_of=NOON + 7 * SECOND)
    assert [wrapped.version for wrapped in loaded] == [1, 2, 3]
    later = store.load_stream(stream, 3, as_of=NOON + 8 * SECOND)
    assert [wrapped.version for wrapped in later] == [3, 4, 5]
    assert store.load_stream(stream, 4, as_of=NOON + 7 * SECOND) == []
    assert store.load_stream(stream, as_of=NOON - SECOND) == []
    assert store.load_stream(StreamId(name=f"no {ann}"), as_of=NOON) == []
    with pytest.raises(InputError, match="a stop or as_of, not both"):
        store.load_stream(stream, stop=2, as_of=NOON)


def test_streams_without_versions_have_a_past_too(store, ann):
    stream = StreamId(name=ann, category="notes")
    for seconds in ([1, 2], [3]):
        events = [
            WrappedEvent(Deposited(amount=at), created_at=NOON + at * SECOND) for at in seconds
        ]
        store.append(*events, stream_id=stream, expected_version=NO_VERSIONING)
    for second, number in ((1, 0), (2, 2), (3, 3)):
        assert len(store.load_stream(stream, as_of=NOON + second * SECOND)) == number


def test_a_later_snapshot_is_not_used_and_an_earlier_one_is(store, accounts, ann):
    append(store, ann, [0, 1], [2], [4])
    taken = Repository(store, Account, every=1)
    taken.transact(ann, lambda account: account.deposit(100))  # a snapshot at version 5
    taken_at = accounts.load(ann, at_version=5)
    assert (taken_at.applied, taken_at.balance) == ([], 107)
    before = accounts.load(ann, at_version=4)
    assert (len(before.applied), before.balance) == (4, 7)
    accounts.transact(ann, lambda account: account.deposit(1))
    after = accounts.load(ann, at_version=6)
    assert ([type(event) for event in after.applied], after.balance) == ([Deposited], 108)


def test_the_past_cannot_be_saved(store, accounts, ann):
    append(store, ann, [0], [2])
    for past in (
        accounts.load(ann, at_version=1),
        accounts.load(ann, at_version=2),
        accounts.load(ann, as_of=NOON - SECOND),
    ):
        with pytest.raises(InputError, match="loaded with at_version or as_of"):
            accounts.save(ann, past)
        past.deposit(5)  # to see what would have been
        for options in ({}, {"command_id": uuid4()}):
            with pytest.raises(InputError, match="so it cannot be saved"):
                accounts.save(ann, past, **options)
        with pytest.raises(InputError, match="loaded before"):
            accounts.load(ann, past)
    assert accounts.load(ann).balance == 2


def test_what_is_loaded_without_them_can_be_saved(store, accounts, ann):
    append(store, ann, [0], [2])
    account = accounts.load(ann)
    account.deposit(3)
    accounts.save(ann, account)
    assert accounts.load(ann, at_version=3).balance == 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"at_version": -1}, "at_version must be an integer of 0 or more, not -1"),
        ({"at_version": True}, "at_version must be an integer"),
        ({"at_version": "2"}, "at_version must be an integer"),
        ({"at_version": 3}, "at_version must not be after the stream's version 2: 3"),
        ({"as_of": NOON.replace(tzinfo=None)}, "as_of must be a datetime with a time zone"),
        ({"as_of": 5}, "as_of must be a datetime with a time zone"),
        ({"at_version": 1, "as_of": NOON}, "at_version or as_of, not both"),
    ],
)
def test_what_is_no_version_and_no_time_is_refused(store, accounts, ann, options, words):
    append(store, ann, [0, 2])
    with pytest.raises(InputError, match=words):
        accounts.load(ann, **options)


def test_a_stream_that_is_created_again_has_its_own_past(store, accounts, ann):
    stream = append(store, ann, [0, 1], [2], [4])
    store.delete_stream(stream)
    assert accounts.load(ann, as_of=NOON + 9 * SECOND).balance == 0
    append(store, ann, [10], [12, 14])
    assert accounts.load(ann, as_of=NOON + 9 * SECOND).balance == 0
    assert accounts.load(ann, as_of=NOON + 13 * SECOND).balance == 10
    assert accounts.load(ann, at_version=3).balance == 36


def test_a_deletion_in_between_is_an_error(monkeypatch):
    backend = MemoryBackend()
    stream = append(backend.event_store, "ann", [0], [1], [2])
    find = type(backend.storage).commit_at

    def commit_at(storage, *args):
        found = find(storage, *args)
        backend.event_store.delete_stream(stream)
        return found

    monkeypatch.setattr(type(backend.storage), "commit_at", commit_at)
    with pytest.raises(StreamGapError):
        backend.event_store.load_stream(stream, as_of=NOON + SECOND)


def test_a_commit_in_a_long_stream_is_one_request_and_a_unit():
    table = Table(100_000, 10)
    found = table.run(commit_at(a_stream(), 54_321, GENERATION))
    assert (found.first, found.last) == (54_321, 54_330)
    assert table.bill() == (1, 1)


@pytest.mark.parametrize(("commits", "most"), [(1, 1), (30, 6), (1_000, 11)])
def test_a_time_costs_a_request_for_each_halving_of_the_commits(monkeypatch, commits, most):
    backend = MemoryBackend()
    stream = append(backend.event_store, "ann", *([second] for second in range(commits)))
    find, calls = type(backend.storage).commit_at, []

    def commit_at(storage, *args):
        calls.append(args)
        return find(storage, *args)

    monkeypatch.setattr(type(backend.storage), "commit_at", commit_at)
    for second in range(0, commits, 7):
        calls.clear()
        found = backend.event_store.version_as_of(stream, NOON + second * SECOND)
        assert found.version == second + 1
        assert len(calls) <= most

"""Remembered heads: limited in number and age, and never replaced by older ones."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest

from dynamo_es.dynamodb.streams.items import Head
from dynamo_es.dynamodb.streams.remembered.heads import (
    FENCE_SECONDS,
    HEAD_SECONDS,
    TRUSTED_SECONDS,
    RememberedHeads,
    Seen,
)

GENERATION = 1_700_000_000_000_000


class WallClock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return WallClock()


@pytest.fixture
def heads(clock):
    return RememberedHeads(3, clock)


def at(version, generation=GENERATION):
    return Head(generation, version, versionless=False)


def test_a_head_is_remembered_until_it_is_forgotten(heads):
    assert heads.get("a") is None
    heads.remember("a", at(1))
    heads.remember("b", at(2))
    assert (heads.get("a"), heads.get("b")) == (at(1), at(2))
    heads.forget("a")
    assert (heads.get("a"), heads.get("b")) == (None, at(2))


def test_what_was_never_known_can_be_forgotten(heads):
    heads.forget("a")


# Bounds


def known(heads, keys="abcdef"):
    # Without looking: that would count as use.
    return "".join(key for key in keys if key in heads._heads)


def test_the_one_not_used_for_longest_goes_first(heads):
    for key in "abcd":
        heads.remember(key, at(1))
    assert known(heads) == "bcd"


def test_looking_is_use(heads):
    for key in "abc":
        heads.remember(key, at(1))
    assert heads.get("a") == at(1)
    heads.remember("d", at(1))
    assert known(heads) == "acd"


def test_remembering_again_is_use(heads):
    for key in "abc":
        heads.remember(key, at(1))
    heads.remember("a", at(2))
    heads.remember("d", at(1))
    assert known(heads) == "acd"


def test_a_memory_without_room_remembers_nothing(clock):
    heads = RememberedHeads(0, clock)
    heads.remember("a", at(1))
    assert heads.get("a") is None
    assert known(heads) == ""


# Which head is newer


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (at(1), at(2)),
        (at(9, GENERATION), at(1, GENERATION + 1)),
        (at(1, GENERATION), at(1, GENERATION + 1)),
    ],
)
def test_an_older_head_never_replaces_a_newer_one(heads, older, newer):
    heads.remember("a", newer)
    heads.remember("a", older)
    assert heads.get("a") == newer


@pytest.mark.parametrize(
    ("older", "newer"), [(at(1), at(2)), (at(9, GENERATION), at(1, GENERATION + 1))]
)
def test_a_newer_head_replaces_an_older_one(heads, older, newer):
    heads.remember("a", older)
    heads.remember("a", newer)
    assert heads.get("a") == newer


def test_once_forgotten_any_head_is_news(heads):
    heads.remember("a", at(9))
    heads.forget("a")
    heads.remember("a", at(1))
    assert heads.get("a") == at(1)


# Time


def test_heads_are_forgotten_days_before_the_fences_go():
    assert HEAD_SECONDS == 24 * 3600
    assert FENCE_SECONDS == 7 * 24 * 3600


def test_a_head_is_used_unread_for_ten_seconds_and_remembered_for_a_day(heads, clock):
    heads.remember("a", at(1))
    clock.now += TRUSTED_SECONDS - 1
    assert heads.get("a") == at(1)
    assert heads.recall("a") == Seen(at(1), trusted=True)
    clock.now += 1
    assert heads.get("a") is None
    assert heads.recall("a") == Seen(at(1), trusted=False)
    clock.now += HEAD_SECONDS - TRUSTED_SECONDS
    assert heads.recall("a") is None
    assert known(heads) == ""


def test_it_lasts_as_long_as_the_table_goes_on_replying(heads, clock):
    heads.remember("a", at(1))
    for _ in range(100):
        clock.now += TRUSTED_SECONDS - 1
        heads.remember("b", at(1))
    assert heads.get("a") == at(1)


def test_after_a_silence_no_head_from_before_it_is_used_unread(heads, clock):
    heads.remember("a", at(1))
    clock.now += TRUSTED_SECONDS
    heads.remember("b", at(1))
    assert heads.get("b") == at(1)
    assert heads.get("a") is None
    assert heads.recall("a") == Seen(at(1), trusted=False)


def test_a_clock_that_went_back_is_a_silence(heads, clock):
    heads.remember("a", at(1))
    clock.now -= 1
    heads.remember("b", at(1))
    clock.now += 2
    assert heads.get("b") == at(1)
    assert heads.get("a") is None


def test_looking_does_not_make_it_last(heads, clock):
    heads.remember("a", at(1))
    clock.now += TRUSTED_SECONDS / 2
    heads.get("a")
    clock.now += TRUSTED_SECONDS / 2
    assert heads.get("a") is None


def test_seeing_the_stream_there_again_does(heads, clock):
    heads.remember("a", at(1))
    clock.now += TRUSTED_SECONDS - 1
    heads.remember("a", at(1))
    clock.now += TRUSTED_SECONDS - 1
    assert heads.get("a") == at(1)


def test_an_older_head_does_not_make_a_newer_one_last(heads, clock):
    heads.remember("a", at(2))
    for _ in range(HEAD_SECONDS // 5):
        clock.now += 5
        heads.remember("a", at(1))
    assert heads.recall("a") is None


def test_a_head_that_is_not_trusted_any_more_gives_way_to_what_was_read_since(heads, clock):
    heads.remember("a", at(10))
    clock.now += TRUSTED_SECONDS
    heads.remember("a", at(7))  # of a table that was restored under its name
    assert heads.get("a") == at(7)


def test_a_table_that_is_gone_takes_all_heads_along(heads):
    for key in "abc":
        heads.remember(key, at(1))
    heads.clear()
    assert known(heads) == ""


def test_a_clock_that_went_back_leaves_nothing_to_trust(heads, clock):
    # How long ago it was seen cannot be told any more.
    heads.remember("a", at(1))
    clock.now -= 1
    assert heads.get("a") is None
    clock.now += 1
    assert heads.get("a") is None


# Threads


def test_a_head_that_is_being_looked_at_is_not_forgotten_halfway():
    interrupted = []

    def clock():
        # In the middle of looking: another thread wants to forget the stream, and has to wait.
        if looking:
            other = Thread(target=heads.forget, args=("a",))
            other.start()
            other.join(0.05)
            interrupted.append(other)
        return 1_700_000_000.0

    looking = False
    heads = RememberedHeads(3, clock)
    heads.remember("a", at(1))
    looking = True
    assert heads.get("a") == at(1)
    interrupted[0].join()
    assert heads.get("a") is None


# Only a stream that was forgotten can be remembered at an older head: the first forgets none.
@pytest.mark.parametrize(("capacity", "forgets"), [(200, False), (8, True)])
def test_threads_never_find_an_older_head_nor_pass_the_bound(clock, capacity, forgets):
    heads = RememberedHeads(capacity, clock)

    def work(number):
        for version in range(1, 300):
            heads.remember("shared", at(version))
            heads.remember(f"{number}-{version % 20}", at(version))
            heads.get(f"{(number + 1) % 8}-{version % 20}")
            heads.forget(f"{number}-{(version - 5) % 20}")
            seen = heads.get("shared")
            assert forgets or (seen is not None and seen.version >= version)
            assert len(heads._heads) <= capacity

    # Switched as often as possible, so that a missing lock shows.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
    finally:
        sys.setswitchinterval(interval)


# Snapshots


def test_where_a_snapshot_is_loaded_from_is_remembered_until_it_is_forgotten(heads):
    assert heads.snapshot_from("a") is None
    heads.remember_snapshot("a", 5)
    heads.remember_snapshot("b", 7)
    heads.forget("a")
    assert (heads.snapshot_from("a"), heads.snapshot_from("b")) == (5, 7)
    heads.forget_snapshot("a")
    assert (heads.snapshot_from("a"), heads.snapshot_from("b")) == (None, 7)


def test_a_table_that_is_gone_takes_its_snapshots_with_it(heads):
    heads.remember_snapshot("a", 5)
    heads.clear()
    assert heads.snapshot_from("a") is None


def test_the_snapshot_not_used_for_longest_is_forgotten_first(heads):
    for key in "abc":
        heads.remember_snapshot(key, 5)
    heads.snapshot_from("a")
    heads.remember_snapshot("d", 5)
    assert [heads.snapshot_from(key) for key in "abcd"] == [5, None, 5, 5]


def test_without_a_memory_no_snapshot_is_remembered(clock):
    heads = RememberedHeads(0, clock)
    heads.remember_snapshot("a", 5)
    heads.remember_saved("a", 5)
    assert heads.snapshot_from("a") is None


@pytest.mark.parametrize(
    ("begins", "version", "lowest"), [(None, 4, None), (5, 4, 5), (5, 6, 5), (5, 3, 4), (4, 4, 4)]
)
def test_a_saved_snapshot_is_loaded_from_the_version_after_it_or_the_newest_commit(
    heads, begins, version, lowest
):
    heads.remember("a", at(6), begins)
    heads.remember_saved("a", version)
    assert heads.snapshot_from("a") == lowest


def test_a_saved_snapshot_of_a_stream_without_a_head_is_not_remembered(heads):
    heads.remember_saved("a", 3)
    assert heads.snapshot_from("a") is None

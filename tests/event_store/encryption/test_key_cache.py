"""The cache keeps keys for a time, and never a deleted one."""

import gc
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from dynamo_es.event_store.encryption import key_cache
from dynamo_es.event_store.encryption.cipher import Cipher
from dynamo_es.event_store.encryption.key_cache import KeyCache, forget_everywhere
from dynamo_es.values import SubjectKey


class Reads:
    """Counts reads; returns a key or None."""

    def __init__(self, *ciphers):
        self.left = list(ciphers)
        self.count = 0

    def __call__(self):
        self.count += 1
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def a_cipher():
    return Cipher(SubjectKey.random())


def test_a_key_is_read_once_in_300_seconds(clock):
    cache, read = KeyCache(clock), Reads(a_cipher(), a_cipher())
    first = cache.get("t", "s", read)
    clock.now += 299.9
    assert cache.get("t", "s", read) is first
    clock.now += 0.1
    assert cache.get("t", "s", read) is not first
    assert read.count == 2


def test_a_clock_that_goes_back_makes_no_key_last_longer(clock):
    cache, read = KeyCache(clock), Reads(a_cipher())
    cache.get("t", "s", read)
    clock.now -= 1
    cache.get("t", "s", read)
    assert read.count == 2


def test_an_absent_key_is_not_remembered(clock):
    cache, read = KeyCache(clock), Reads(None)
    assert cache.get("t", "s", read) is cache.get("t", "s", read) is None
    assert read.count == 2


def test_tenants_and_subjects_are_apart(clock):
    cache, read = KeyCache(clock), Reads(a_cipher())
    for tenant, subject in (("t", "s"), ("", "ts"), ("ts", ""), ("t", "z")):
        cache.get(tenant, subject, read)
    assert read.count == 4


def test_the_least_recently_used_key_goes_first(clock):
    cache, read = KeyCache(clock, capacity=2), Reads(a_cipher())
    for subject in "aba":
        cache.get("t", subject, read)
    cache.get("t", "c", read)
    assert (len(cache), read.count) == (2, 3)
    cache.get("t", "a", read)
    assert read.count == 3
    cache.get("t", "b", read)
    assert read.count == 4


@pytest.mark.parametrize("off", [{"seconds": 0}, {"capacity": 0}])
def test_it_can_be_turned_off(clock, off):
    cache, read = KeyCache(clock, **off), Reads(a_cipher())
    cache.get("t", "s", read)
    cache.get("t", "s", read)
    assert (len(cache), read.count) == (0, 2)


def test_a_failed_read_leaves_nothing(clock):
    cache = KeyCache(clock)
    with pytest.raises(ZeroDivisionError):
        cache.get("t", "s", lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    assert len(cache) == 0


def test_forgetting_reaches_every_cache_and_this_subject_only(clock):
    caches, read = [KeyCache(clock), KeyCache(clock)], Reads(a_cipher())
    for cache in caches:
        for place in (("t", "s"), ("t", "other"), ("other", "s")):
            cache.get(*place, read)
    forget_everywhere("t", "s")
    assert [len(cache) for cache in caches] == [2, 2]
    read.count = 0
    for cache in caches:
        cache.get("t", "s", read)
    assert read.count == 2


def test_what_is_in_flight_while_a_key_is_deleted_is_not_remembered(clock):
    cache, begun, go_on = KeyCache(clock), Event(), Event()
    deleted, read = a_cipher(), Reads(None)

    def slow():
        begun.set()
        assert go_on.wait(10)
        return deleted

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(cache.get, "t", "s", slow)
        assert begun.wait(10)
        forget_everywhere("t", "s")
        go_on.set()
        assert loading.result(10) is deleted

    assert cache.get("t", "s", read) is None
    assert read.count == 1


@pytest.mark.ci
def test_caches_are_dropped_with_their_owners(clock):
    gc.collect()
    before = len(key_cache._process.caches)
    cache = KeyCache(clock)
    assert len(key_cache._process.caches) == before + 1
    del cache
    gc.collect(1)
    assert len(key_cache._process.caches) == before


def test_threads_may_use_and_make_caches_while_keys_are_deleted(clock):
    def work(number):
        for subject in "abcde" * 40:
            KeyCache(clock).get("t", subject, Reads(a_cipher()))
            forget_everywhere("t", subject)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

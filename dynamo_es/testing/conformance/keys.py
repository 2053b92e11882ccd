"""Each subject of a tenant has one key, the first writer's, until it is deleted."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from dynamo_es.contracts import KeyStorageStrategy
from dynamo_es.exceptions import InvalidStreamIdError, InvalidSubjectError
from dynamo_es.testing.conformance.engine import Capability, Engine, needs
from dynamo_es.testing.conformance.examples import SUITE
from dynamo_es.values import SubjectKey

THREADS = 8


@pytest.fixture
def keys(engine: Engine, world: Any) -> KeyStorageStrategy:
    """The keys of a tenant that no other test uses."""
    return engine.key_storage().scoped_for_tenant(f"tenant-{uuid4().hex}")


@pytest.fixture
def elsewhere(engine: Engine, keys: Any) -> KeyStorageStrategy:
    """The keys of the same tenant, in another process."""
    return engine.key_storage().scoped_for_tenant(keys._tenant_id)


def a_key() -> SubjectKey:
    return SubjectKey.random()


def test_a_subject_has_no_key_at_first(keys):
    assert keys.get("ann") is None


def test_a_key_that_was_created_is_found_everywhere(keys, elsewhere):
    key = a_key()
    assert keys.get_or_create("ann", key) == key
    assert keys.get("ann") == elsewhere.get("ann") == key


def test_the_first_key_stays(keys, elsewhere):
    first = a_key()
    keys.get_or_create("ann", first)
    assert elsewhere.get_or_create("ann", a_key()) == first
    assert keys.get_or_create("ann", first) == first
    assert keys.get("ann") == first


def test_subjects_have_keys_of_their_own(keys):
    anns, bobs = a_key(), a_key()
    keys.get_or_create("ann", anns)
    keys.get_or_create("bob", bobs)
    keys.delete("ann")
    assert keys.get("ann") is None
    assert keys.get("bob") == bobs


def test_a_deleted_key_is_gone_everywhere_and_deleting_it_again_is_no_error(keys, elsewhere):
    keys.get_or_create("ann", a_key())
    assert keys.delete("ann") is True
    assert keys.get("ann") is None
    assert elsewhere.get("ann") is None
    assert elsewhere.delete("ann") is True


def test_deleting_says_whether_a_subject_ever_had_a_key(keys):
    keys.get_or_create("ann", a_key())
    assert keys.delete("nobody") is False
    assert keys.scoped_for_tenant("another").delete("ann") is False
    assert keys.delete("ann") is True
    assert keys.delete("ann") is True
    keys.get_or_create("ann", a_key())
    assert keys.delete("ann") is True


def test_a_subject_that_comes_back_has_a_new_key(keys):
    old, new = a_key(), a_key()
    keys.get_or_create("ann", old)
    keys.delete("ann")
    assert keys.get_or_create("ann", new) == new
    assert keys.get("ann") == new


@pytest.mark.parametrize(
    ("one", "other"), [("a", "b"), ("", "#"), ("a#", "a"), ("a%23", "a#"), ("", "%")]
)
def test_tenants_have_keys_of_their_own(keys, one, other):
    subject = uuid4().hex
    ones = keys.scoped_for_tenant(one)
    key = ones.get_or_create(subject, a_key())
    others = keys.scoped_for_tenant(other)
    assert others.get(subject) is None
    others.delete(subject)
    assert ones.get(subject) == key
    assert keys.get(subject) is None


def test_the_storage_that_a_scoped_one_is_made_from_stays_as_it_is(keys):
    key = keys.get_or_create("ann", a_key())
    keys.scoped_for_tenant("other").delete("ann")
    assert keys.get("ann") == key


@SUITE
@given_that(subject=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_a_subject_is_any_text(keys, subject):
    tenant = keys.scoped_for_tenant(uuid4().hex)
    key = tenant.get_or_create(subject, a_key())
    assert tenant.get(subject) == key


@pytest.mark.parametrize("subject", ["a" * 1024, "é" * 512, "x"], ids=["ascii", "utf-8", "one"])
def test_a_subject_may_be_as_long_as_a_key_of_the_table(keys, subject):
    key = keys.get_or_create(subject, a_key())
    assert keys.get(subject) == key
    keys.delete(subject)
    assert keys.get(subject) is None


@pytest.mark.parametrize(
    "subject",
    ["", None, 7, b"ann", "ann\ud800", "a" * 1025, "é" * 513],
    ids=["empty", "None", "number", "bytes", "surrogate", "too long", "too long in utf-8"],
)
def test_a_subject_that_makes_no_key_is_refused(keys, subject):
    for call in (
        lambda: keys.get(subject),
        lambda: keys.get_or_create(subject, a_key()),
        lambda: keys.delete(subject),
    ):
        with pytest.raises(InvalidSubjectError):
            call()


@pytest.mark.parametrize("tenant", [None, 7, b"tenant", "tenant\ud800"])
def test_a_tenant_that_is_no_text_is_refused(keys, tenant):
    with pytest.raises(InvalidStreamIdError):
        keys.scoped_for_tenant(tenant)


@pytest.mark.parametrize("tenant", ["t" * 2048, "é" * 1024, "%" * 700])
def test_a_tenant_past_the_limit_of_a_key_is_refused(keys, tenant):
    with pytest.raises(InvalidStreamIdError, match="DynamoDB takes 2,048"):
        keys.scoped_for_tenant(tenant).get("ann")
    longest = keys.scoped_for_tenant("t" * 2047)
    assert longest.get("ann") is None


@pytest.mark.concurrent
@needs(Capability.CONCURRENCY)
def test_of_writers_at_once_all_get_the_key_of_one(engine, keys):
    storages = [engine.key_storage().scoped_for_tenant(keys._tenant_id) for _ in range(THREADS)]
    for number in range(engine.races):
        barrier, subject = Barrier(THREADS), f"subject {number}"
        made = [a_key() for _ in storages]

        def create(storage, key, barrier=barrier, subject=subject):
            barrier.wait(timeout=60)
            return storage.get_or_create(subject, key)

        with ThreadPoolExecutor(THREADS) as pool:
            got = set(pool.map(create, storages, made))

        assert len(got) == 1
        assert got <= set(made)
        assert {keys.get(subject)} == got

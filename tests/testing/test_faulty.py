"""faulty: a backend whose requests fail at random, the same way each time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es import Repository, StreamId
from dynamo_es.exceptions import EventStoreError, InputError
from dynamo_es.testing import Fault, faulty
from tests.aggregates.account import Account
from tests.event_store.accounts import Deposited, Opened

if TYPE_CHECKING:
    from dynamo_es import Backend

STREAM = StreamId(name="ann", category="account")
EVERYTHING: dict[str, Any] = {
    "lost_replies": 0.05,
    "lost_requests": 0.05,
    "throttled": 0.05,
    "errors_after_write": 0.05,
    "delivered_twice": 0.05,
    "late": 0.05,
    "cut_replies": 0.05,
    "past_the_deadline": 0.02,
    "partly_throttled": 0.02,
}


def deposit_often(backend: Backend, times: int) -> list[str]:
    """Deposit 1 so many times, each until it succeeds; return the names of the errors."""
    accounts = Repository(backend.event_store, Account, sleep=lambda _: None, retry_for=0.2)
    errors = []
    for number in range(times):
        for _ in range(50):
            try:
                accounts.transact(
                    "ann", lambda account: account.deposit(1), command_id=f"c-{number}"
                )
                break
            except EventStoreError as error:
                errors.append(type(error).__name__)
    return errors


def balance(backend: Backend) -> int:
    return Repository(backend.event_store, Account).load("ann").balance


def test_code_that_tries_again_with_a_command_id_loses_and_doubles_nothing(dynamo_backend):
    network = faulty(dynamo_backend, **EVERYTHING, seed=3)
    with network as unreliable:
        deposit_often(unreliable, 25)

    assert balance(dynamo_backend) == 25
    assert len(network.injected) > 4
    assert network.sent > 25


def test_code_that_tries_again_without_one_doubles_something(dynamo_backend):
    # The test above would find this, and the next one would not without faults.
    with faulty(dynamo_backend, errors_after_write=0.8, seed=1) as unreliable:
        accounts = Repository(unreliable.event_store, Account)
        for _ in range(15):
            for _ in range(20):
                try:
                    accounts.transact("ann", lambda account: account.deposit(1), attempts=1)
                    break
                except EventStoreError:
                    continue
    assert balance(dynamo_backend) > 15


def test_the_same_seed_gives_the_same_faults(dynamo_backend):
    seen = []
    for seed in (5, 5, 6):
        dynamo_backend.clear()
        network = faulty(dynamo_backend, **EVERYTHING, seed=seed)
        with network as unreliable:
            errors = deposit_often(unreliable, 10)
        seen.append((errors, network.injected, network.sent))

    assert seen[0] == seen[1] != seen[2]


def test_each_fault_happens_as_often_as_it_is_asked_for(dynamo_backend):
    network = faulty(dynamo_backend, throttled=0.3, seed=2)
    with network as unreliable:
        for _ in range(100):
            unreliable.event_store.version(STREAM)

    assert set(network.injected) == {Fault.THROTTLED}
    assert network.injected[Fault.THROTTLED] / network.sent == pytest.approx(0.3, abs=0.1)


def test_no_test_waits(dynamo_backend):
    started = time.perf_counter()
    with faulty(dynamo_backend, throttled=0.6, seed=2) as unreliable:
        for _ in range(30):
            try:
                unreliable.event_store.version(STREAM)
            except EventStoreError:
                continue
    assert time.perf_counter() - started < 5  # the SDK alone would wait a minute


def test_the_given_backend_has_no_faults(dynamo_backend):
    with faulty(dynamo_backend, lost_requests=1.0):
        for version in range(5):
            dynamo_backend.event_store.append(
                Opened(owner="ann"), stream_id=STREAM, expected_version=version
            )
    assert dynamo_backend.event_store.version(STREAM) == 5


def test_late_requests_arrive_at_the_end(dynamo_backend):
    with faulty(dynamo_backend, late=1.0) as unreliable, pytest.raises(EventStoreError):
        unreliable.event_store.append(Opened(owner="ann"), stream_id=STREAM, expected_version=0)
    assert dynamo_backend.event_store.version(STREAM) == 1


def test_it_belongs_to_the_same_tenant_with_the_same_listeners(dynamo_backend):
    heard: list[Any] = []
    tenant = dynamo_backend.in_tenant("t")
    dynamo_backend.listeners.register(lambda wrapped, *_: heard.append(wrapped), to=Deposited)
    with faulty(tenant, delivered_twice=0.5) as unreliable:
        unreliable.event_store.append(Deposited(amount=1), stream_id=STREAM, expected_version=0)

    assert tenant.event_store.version(STREAM) == 1
    assert dynamo_backend.event_store.version(STREAM) == 0
    assert len(heard) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"lost_replies": -0.1},
        {"lost_replies": 1.1},
        {"lost_replies": True},
        {"lost_replies": "0.1"},
        {"lost_replies": float("nan")},
        {"lost_replies": 0.6, "throttled": 0.6},
        {"lost_replies": 0.1, "seed": "x"},
    ],
)
def test_rates_out_of_range_are_refused(wrong, dynamo_backend):
    with pytest.raises(InputError):
        faulty(dynamo_backend, **wrong)


def test_a_backend_that_sends_no_requests_is_refused(memory_backend):
    with pytest.raises(InputError, match="needs a DynamoBackend"):
        faulty(memory_backend, lost_replies=0.1)


def test_it_has_to_be_entered(dynamo_backend):
    with pytest.raises(InputError, match="with statement"):
        _ = faulty(dynamo_backend, lost_replies=0.1).injected

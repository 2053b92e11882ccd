"""An aggregate is saved only into the generation that it was loaded from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamo_es import DynamoBackend, Repository, StreamId, WrappedEvent
from dynamo_es.exceptions import ConcurrentStreamWriteError
from tests.aggregates.account import Account
from tests.engine import Capability, DynamoEngine, needs
from tests.event_store.accounts import Balance


@pytest.fixture
def stream(ann):
    return StreamId(name=ann, category="account")


@pytest.fixture
def repository(store):
    return Repository(store, Account)


@pytest.fixture
def elsewhere(engine):
    return engine.fresh_process().event_store


def create_again(elsewhere, stream, *amounts):
    elsewhere.delete_stream(stream)
    for amount in amounts:
        with Repository(elsewhere, Account).aggregate(stream) as account:
            account.deposit(amount)


@pytest.mark.parametrize("looked", [False, True])
@pytest.mark.parametrize("made", ["loaded", "saved"])
def test_what_was_loaded_or_saved_before_is_not_saved_into_the_next(
    repository, elsewhere, store, stream, looked, made
):
    late = repository.load(stream)
    late.deposit(5)
    repository.save(stream, late)
    if made == "loaded":
        late = repository.load(stream)
    create_again(elsewhere, stream, 7)
    if looked:  # another thread of the same process
        store.load_stream(stream)
    late.deposit(1)

    with pytest.raises(ConcurrentStreamWriteError, match="earlier generation"):
        repository.save(stream, late)

    assert repository.load(stream).balance == 7


@needs(Capability.REQUESTS)
def test_a_process_that_remembers_no_heads_is_refused_too(engine, elsewhere, stream):
    assert isinstance(engine, DynamoEngine)
    config = replace(engine.config_with(), remembered_heads=0)
    repository = Repository(DynamoBackend(config, engine.client).event_store, Account, every=1)
    repository.transact(stream, lambda account: account.deposit(5))
    late = repository.load(stream)
    create_again(elsewhere, stream, 7)
    late.deposit(1)

    with pytest.raises(ConcurrentStreamWriteError):
        repository.save(stream, late)

    assert repository.load(stream).balance == 7


@pytest.mark.parametrize("created", [False, True])
def test_a_snapshot_of_the_generation_before_is_not_in_the_next(elsewhere, store, stream, created):
    def deleted_meanwhile(account, since):
        # Between the append and the snapshot, which is the worst moment.
        create_again(elsewhere, stream, 7, 7, 7)
        store.load_stream(stream)
        return True

    repository = Repository(store, Account)
    if not created:
        repository.transact(stream, lambda account: account.deposit(1))
    snapshots = Repository(store, Account, snapshot_when=deleted_meanwhile)
    snapshots.transact(stream, lambda account: account.deposit(5))

    loaded = store.load_stream(stream)
    assert not any(isinstance(one.event, Balance) for one in loaded)
    assert repository.load(stream).balance == 21


def test_a_decision_on_a_deleted_generation_is_made_again(repository, elsewhere, store, stream):
    repository.transact(stream, lambda account: account.deposit(5))
    seen = []

    def decide(account):
        seen.append(account.balance)
        if len(seen) == 1:
            create_again(elsewhere, stream, 7)
            store.load_stream(stream)
        account.deposit(1)

    repository.transact(stream, decide)

    assert seen == [5, 7]
    assert repository.load(stream).balance == 8


def test_loaded_events_tell_their_generation(repository, store, elsewhere, stream):
    repository.transact(stream, lambda account: account.deposit(5))
    (first,) = store.load_stream(stream)
    create_again(elsewhere, stream, 5)
    (second,) = store.load_stream(stream)

    assert first.generation is not None
    assert second.generation is not None
    assert second.generation > first.generation


def test_the_version_of_an_aggregate_knows_its_generation(repository, elsewhere, store, stream):
    create_again(elsewhere, stream, 5)
    loaded = repository.load(stream)
    before = loaded.stored_version
    loaded.deposit(1)
    repository.save(stream, loaded)
    create_again(elsewhere, stream, 5)

    after = repository.load(stream).stored_version
    assert (before, loaded.stored_version, after) == (1, 2, 1)
    assert before.generation == loaded.stored_version.generation < after.generation
    assert store.version(stream).generation == after.generation


def test_a_new_aggregate_has_no_generation(repository, stream):
    version = repository.load(stream).stored_version

    assert (version, version.generation) == (0, 0)


def test_a_repeated_command_that_created_the_stream_knows_the_generation(repository, stream):
    seen = []

    def deposit(account):
        account.deposit(5)
        seen.append(account)
        return True

    for _ in range(2):
        repository.transact(stream, deposit, command_id="k")

    first, second = seen
    assert second.stored_version == 0
    assert second.stored_version.generation == first.stored_version.generation


def test_a_snapshot_can_be_wrapped_with_the_version_of_the_aggregate(repository, store, stream):
    with repository.aggregate(stream) as account:
        account.deposit(5)

    store.save_snapshot(stream, WrappedEvent.wrap(Balance(balance=5), account.stored_version))

    assert repository.load(stream).balance == 5

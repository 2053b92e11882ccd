"""One worker at a time has the lease of a checkpoint, and an earlier holder cannot write."""

from uuid import uuid4

import pytest

from dynamo_es.contracts.consumers.claims import CheckpointState, Claim, Saved
from dynamo_es.contracts.consumers.failures import NewFailure
from dynamo_es.exceptions import InvalidConsumerError, InvalidPositionError, UnknownConsumerError

UNTIL, LENGTH = 90_000, 60_000


@pytest.fixture
def checkpoints(world):
    return world.backend().checkpoints


@pytest.fixture
def name():
    return f"leases {uuid4().hex}"


def taken(checkpoints, name, worker="one"):
    """Take a lease in its current state, and return the claim."""
    state = checkpoints.take(name, worker, checkpoints.look(name), UNTIL, LENGTH)
    return Claim(worker, state.token, LENGTH)


def listed(checkpoints, name):
    (found,) = [one for one in checkpoints.all() if one.name == name]
    return found


def test_a_checkpoint_that_was_never_used_has_no_lease(checkpoints, name):
    assert checkpoints.look(name) == CheckpointState(None, 0, None, None)


def test_a_lease_is_taken_and_seen(checkpoints, name):
    state = checkpoints.take(name, "one", checkpoints.look(name), UNTIL, LENGTH)

    assert state == checkpoints.look(name)
    assert (state.token, tuple(state.lease)) == (1, ("one", UNTIL, LENGTH))
    assert checkpoints.position(name) is None
    assert name not in {one.name for one in checkpoints.all()}


def test_a_lease_is_taken_only_as_it_was_seen(checkpoints, name):
    before = checkpoints.look(name)
    state = checkpoints.take(name, "one", before, UNTIL, LENGTH)

    assert checkpoints.take(name, "two", before, UNTIL, LENGTH) is None
    moved = state._replace(lease=state.lease._replace(until=UNTIL + 1))
    assert checkpoints.take(name, "two", moved, UNTIL, LENGTH) is None
    later = checkpoints.take(name, "two", state, UNTIL, LENGTH)
    assert (later.token, later.lease.holder) == (2, "two")


def test_a_save_moves_the_position_forward_and_renews_the_lease(checkpoints, name):
    claim = taken(checkpoints, name)

    assert checkpoints.save(name, claim, 5, UNTIL + 1) == Saved(held=True, position=5)
    assert checkpoints.save(name, claim, 3, UNTIL + 2).position == 5
    assert checkpoints.renew(name, claim, UNTIL + 3) == Saved(held=True, position=5)

    found = checkpoints.look(name)
    assert (found.position, found.lease.until) == (5, UNTIL + 3)
    assert listed(checkpoints, name).worker == "one"
    assert listed(checkpoints, name).beat_at.timestamp() == (UNTIL + 3 - LENGTH) / 1000


def test_a_save_forgets_the_failure(checkpoints, name):
    claim = taken(checkpoints, name)
    checkpoints.fail(name, 0, NewFailure(1, "ValueError", 1))
    assert listed(checkpoints, name).failure.place == 1

    checkpoints.save(name, claim, 1, UNTIL)

    assert listed(checkpoints, name).failure is None


def test_a_lease_that_was_given_back_is_free_and_its_holder_writes_nothing(checkpoints, name):
    claim = taken(checkpoints, name)
    checkpoints.save(name, claim, 5, UNTIL)

    checkpoints.release(name, claim)

    assert checkpoints.look(name) == CheckpointState(5, 1, None, None)
    assert not checkpoints.save(name, claim, 6, UNTIL).held
    assert not checkpoints.renew(name, claim, UNTIL).held
    assert checkpoints.position(name) == 5
    assert (listed(checkpoints, name).worker, listed(checkpoints, name).beat_at) == (None, None)


def test_an_earlier_holder_changes_nothing(checkpoints, name):
    earlier = taken(checkpoints, name)
    taken(checkpoints, name, "two")
    before = checkpoints.look(name)

    assert not checkpoints.save(name, earlier, 9, UNTIL + 9).held
    assert not checkpoints.renew(name, earlier, UNTIL + 9).held
    checkpoints.release(name, earlier)

    assert checkpoints.look(name) == before


def test_the_same_worker_with_an_older_token_changes_nothing(checkpoints, name):
    earlier = taken(checkpoints, name)
    taken(checkpoints, name)
    before = checkpoints.look(name)

    assert not checkpoints.save(name, earlier, 9, UNTIL + 9).held

    assert checkpoints.look(name) == before


def test_a_reset_ends_the_lease(checkpoints, name):
    claim = taken(checkpoints, name)
    checkpoints.save(name, claim, 5, UNTIL)

    checkpoints.reset(name, 2)

    assert checkpoints.look(name) == CheckpointState(2, 2, None, None)
    assert not checkpoints.save(name, claim, 6, UNTIL).held
    assert checkpoints.position(name) == 2


def test_a_checkpoint_with_a_lease_only_cannot_be_reset(checkpoints, name):
    taken(checkpoints, name)
    with pytest.raises(UnknownConsumerError):
        checkpoints.reset(name, 0)


def test_a_holder_sees_who_asks_for_the_lease_until_it_is_taken(checkpoints, name):
    claim = taken(checkpoints, name)

    assert checkpoints.ask(name, "two", checkpoints.look(name))

    assert checkpoints.look(name).wanted_by == "two"
    assert checkpoints.save(name, claim, 1, UNTIL).wanted_by == "two"
    assert checkpoints.renew(name, claim, UNTIL).wanted_by == "two"
    checkpoints.release(name, claim)
    assert not checkpoints.ask(name, "three", checkpoints.look(name)), "no worker holds it"
    taken(checkpoints, name, "two")
    assert checkpoints.look(name).wanted_by is None


def test_a_lease_of_another_tenant_or_name_is_another_one(world, checkpoints, name):
    taken(checkpoints, name)
    acme = world.backend().in_tenant("acme").checkpoints

    assert acme.look(name).lease is None
    assert checkpoints.look(f"{name} 2").lease is None


def test_wrong_names_and_positions_are_refused(checkpoints, name):
    claim = taken(checkpoints, name)
    with pytest.raises(InvalidPositionError):
        checkpoints.save(name, claim, -1, UNTIL)
    for wrong in ("", "a#b", "x" * 256):
        with pytest.raises(InvalidConsumerError):
            checkpoints.look(wrong)
        with pytest.raises(InvalidConsumerError):
            checkpoints.take(wrong, "one", CheckpointState(), UNTIL, LENGTH)

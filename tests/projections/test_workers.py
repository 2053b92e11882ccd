"""Several processes run one projection: one has the lease, and another takes over."""

from __future__ import annotations

from uuid import uuid4

import pytest

from dynamo_es import StreamId
from dynamo_es.exceptions import InvalidSubscriptionError, ProjectionBusyError
from tests.engine import Capability, needs
from tests.projections.workers import LEASE, Team, advance

pytestmark = pytest.mark.inline

DAY = 86_400.0


@pytest.fixture
def backend(world):
    return world.backend()


@pytest.fixture
def team(given, backend):
    given.stream(StreamId()).with_commits_of(1)
    return Team(backend, f"workers {uuid4().hex}", after=backend.log.last_position)


class Handled(list[int]):
    def __call__(self, recorded):
        self.append(recorded.wrapped_event.event.number)


def listed(team):
    (found,) = [one for one in team.backend.checkpoints.all() if one.name == team.name]
    return found


def test_one_worker_handles_the_events_and_the_other_waits(team):
    one, two = Handled(), Handled()
    team.add(4)
    first, second = team.worker(one), team.worker(two)

    advance(first)
    advance(second)
    team.add(1)
    advance(second)
    advance(first)

    assert (one, two) == ([0, 1, 2, 3, 0], [])


def test_a_worker_that_stops_hands_its_lease_to_the_next_at_once(team):
    one, two = Handled(), Handled()
    team.add(3)
    first, second = team.worker(one), team.worker(two)
    advance(first)
    advance(second)
    first.close()
    team.add(1)

    advance(second)

    assert (one, two) == ([0, 1, 2], [0])


@pytest.mark.parametrize("off_by", [0.0, DAY, -DAY], ids=["same clock", "ahead", "behind"])
def test_a_dead_worker_is_followed_after_one_lease_by_the_clock_of_the_next(team, off_by):
    two = Handled()
    team.add(3)
    dead, next_one = team.worker(Handled()), team.worker(two, team.clock.off_by(off_by))
    advance(dead)
    team.add(2)

    for _ in range(4):
        advance(next_one)
        assert two == [], "it has not watched for one lease yet"
        team.clock.now += LEASE / 4
    advance(next_one)

    assert two == [0, 1]


@pytest.mark.parametrize("off_by", [DAY, -DAY], ids=["ahead", "behind"])
def test_a_worker_with_a_beat_keeps_its_lease_whatever_the_clocks_say(team, off_by):
    one, two = Handled(), Handled()
    first, second = team.worker(one), team.worker(two, team.clock.off_by(off_by))
    for _ in range(12):
        advance(first)
        advance(second)
        team.clock.now += LEASE / 4
    team.add(1)
    advance(second)
    advance(first)

    assert (one, two) == ([0], [])


def test_a_paused_worker_that_wakes_up_changes_nothing_and_stops_before_the_next_event(team):
    two = Handled()
    sleeping = []

    def sleep_through_the_lease(recorded):
        sleeping.append(recorded.wrapped_event.event.number)
        if len(sleeping) == 2:
            advance(second)
            team.clock.now += LEASE
            advance(second)

    team.add(5)
    second = team.worker(two)
    first = team.worker(sleep_through_the_lease)
    first.advance()

    advance(first)

    assert sleeping == [0, 1], "it noticed before its third event"
    assert two == [0, 1, 2, 3, 4]
    assert listed(team).position == team.backend.log.last_position
    team.add(1)
    advance(first)
    advance(second)
    assert (len(sleeping), len(two)) == (2, 6)


def test_a_late_write_of_an_earlier_holder_changes_nothing(team):
    team.add(4)
    first, second = team.worker(Handled()), team.worker(Handled())
    first.advance()
    team.clock.now += 1
    second.advance()
    team.clock.now += LEASE
    second.advance()
    claim = first.holding._claim
    checkpoints = team.backend.checkpoints
    before = checkpoints.look(team.name)

    assert not checkpoints.save(team.name, claim, 10**6, 10**15).held
    assert not checkpoints.renew(team.name, claim, 10**15).held
    checkpoints.release(team.name, claim)

    assert checkpoints.look(team.name) == before


def test_a_running_projection_that_is_reset_goes_on_from_there(team):
    handled = Handled()
    team.add(4)
    worker = team.worker(handled)
    advance(worker)

    team.projection(print).reset(team.backend.log.last_position - 1)
    team.clock.now += LEASE / 2  # it is idle: it notices when it renews its lease
    advance(worker)
    advance(worker)

    assert handled == [0, 1, 2, 3, 3]


def test_a_job_says_that_another_worker_has_the_lease(team):
    team.add(2)
    job = team.projection(Handled())
    worker = team.worker(Handled())
    worker.advance()

    with pytest.raises(ProjectionBusyError, match="runs projection") as busy:
        job.run_once()
    assert busy.value.worker == listed_holder(team)
    advance(worker)
    assert job.run_once().handled == 0, "there is nothing to do"

    team.add(1)
    worker.close()
    assert job.run_once().handled == 1
    assert team.backend.checkpoints.look(team.name).lease is None


def listed_holder(team):
    return team.backend.checkpoints.look(team.name).lease.holder


def test_a_job_that_died_long_ago_does_not_stop_the_next_one(team):
    team.add(1)
    team.worker(Handled()).advance()
    team.clock.now += DAY

    assert team.projection(Handled()).run_once().handled == 1


def test_checkpoints_name_the_worker_and_its_last_beat(team):
    team.add(2)
    worker = team.worker(Handled())
    advance(worker)

    found = listed(team)
    assert found.worker == listed_holder(team)
    assert found.beat_at.timestamp() == team.clock.now
    worker.close()
    assert (listed(team).worker, listed(team).beat_at) == (None, None)


def test_a_worker_that_has_only_taken_the_lease_is_no_consumer_yet(team):
    team.worker(Handled()).advance()

    assert team.name not in {one.name for one in team.backend.checkpoints.all()}
    assert team.backend.checkpoints.position(team.name) is None


class Sent(list[str]):
    """The operations that a client sends within the context."""

    def __init__(self, client):
        super().__init__()
        self._events = client.meta.events

    def __enter__(self):
        self._events.register("before-call.dynamodb", self._note, unique_id="sent")
        return self

    def __exit__(self, *_):
        self._events.unregister("before-call.dynamodb", unique_id="sent")

    def _note(self, model, **_):
        self.append(model.name)

    @property
    def writes(self):
        return [name for name in self if name in {"UpdateItem", "PutItem", "TransactWriteItems"}]


@needs(Capability.REQUESTS)
def test_the_lease_costs_nothing_while_events_flow_and_little_otherwise(team, engine):
    worker = team.worker(Handled())
    worker.advance()
    team.add(6)
    with Sent(engine.client) as sent:
        advance(worker)
    assert sent.writes == ["UpdateItem"] * 3, "one for each batch of two"
    with Sent(engine.client) as sent:
        for _ in range(5):
            worker.advance()
            team.clock.now += LEASE / 10
    assert sent.writes == ["UpdateItem"], "one for each third of the lease"
    waiting = team.worker(Handled())
    with Sent(engine.client) as sent:
        waiting.advance()
    assert sent == ["GetItem"]


@needs(Capability.REQUESTS)
def test_a_job_without_events_takes_no_lease(team, engine):
    team.add(1)
    job = team.projection(Handled())
    with Sent(engine.client) as sent:
        job.run_once()
    assert sent.writes == ["PutItem", *["UpdateItem"] * 3], "listed; taken, saved, given back"
    with Sent(engine.client) as sent:
        job.run_once()
    assert sent.writes == []


@pytest.mark.parametrize("lease", [0, -1, float("nan"), "60"])
def test_a_lease_out_of_range_is_refused(backend, lease):
    with pytest.raises(InvalidSubscriptionError, match="lease must be"):
        backend.projection("balances", print, lease=lease)

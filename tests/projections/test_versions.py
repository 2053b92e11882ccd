"""A new version of a projection is built while the live one serves, and takes its place."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from dynamo_es import Event, StreamId
from dynamo_es.exceptions import (
    InvalidConsumerError,
    InvalidSubscriptionError,
    ProjectionDemotedError,
    VersionLagsError,
)
from dynamo_es.projections.failure_policy import FailurePolicy

pytestmark = pytest.mark.inline


class Billed(Event):
    __event_name__ = "versions.Billed"

    number: int


class Model(list[Any]):
    """What was handled, and the mail that was sent for it."""

    def __init__(self):
        super().__init__()
        self.mail = []

    def __call__(self, recorded):
        number = recorded.wrapped_event.event.number
        self.append(number)
        if not recorded.replayed:
            self.mail.append(number)


@pytest.fixture
def backend(world):
    return world.backend()


@pytest.fixture
def name(request):
    return f"versions of {request.node.name}"[:200]


@pytest.fixture
def bill(backend):
    def append(*numbers):
        for number in numbers:
            backend.event_store.append(Billed(number=number), stream_id=StreamId())

    return append


@pytest.fixture
def start(given, backend):
    given.stream(StreamId()).with_commits_of(1)
    return backend.log.last_position


@pytest.fixture
def version(backend, name, start):
    def make(number, model, **options):
        return backend.projection(name, model, version=number, after=start, **options)

    return make


def test_a_version_has_a_checkpoint_of_its_own(backend, name, start, version, bill):
    bill(1, 2)
    old, new = Model(), Model()
    version(None, old).run_once()
    bill(3)
    version(None, old).run_once()
    bill(4)

    version(2, new).run_once()

    assert new == [1, 2, 3]  # as far as the live one
    assert version(2, new).position == start + 3
    found = [(one.version, one.position) for one in backend.checkpoints.all() if one.name == name]
    assert found == [(None, start + 3), (2, start + 3)]


def test_the_list_tells_versions_from_names(backend, name, start, version, bill):
    bill(1)
    for number in (None, 1, 12):
        version(number, Model()).run_once()
    backend.projection(f"{name} 1", Model(), after=start).run_once()
    acme = backend.in_tenant(f"acme of {name}")
    acme.projection(name, Model(), version=7).run_once()
    acme.checkpoints.of_version(7).move(name, 1)
    found = [
        (one.name, one.version) for one in backend.checkpoints.all() if one.name.startswith(name)
    ]
    assert {(name, None), (name, 1), (name, 12), (f"{name} 1", None)} <= set(found)
    assert [(one.name, one.version) for one in acme.checkpoints.all() if one.name == name] == [
        (name, 7)
    ]


def test_mail_is_sent_once_whichever_version_is_live(backend, name, version, bill):
    one, two = Model(), Model()
    version(1, one).promote()
    bill(1, 2)
    version(1, one).run_once()
    bill(3)
    version(2, two).catch_up()
    version(1, one).run_once()
    version(2, two).catch_up()
    assert (one.mail, two, two.mail) == ([1, 2, 3], [1, 2, 3], [])
    assert backend.projections.live(name) == 1

    version(2, two).promote()

    assert backend.projections.live(name) == 2
    bill(4)
    version(2, two).run_once()
    assert (two, two.mail) == ([1, 2, 3, 4], [4])
    with pytest.raises(ProjectionDemotedError, match="version 2 is live"):
        version(1, one).run_once()
    assert one.mail == [1, 2, 3]


def test_what_the_old_version_handled_after_the_promotion_is_replayed(version, bill):
    one, two = Model(), Model()
    version(1, one).promote()
    bill(1, 2)
    version(1, one).run_once()
    version(2, two).promote(force=True)
    version(2, two).run_once()
    bill(3)
    version(2, two).run_once()
    assert (two, two.mail) == ([1, 2, 3], [3])


def test_a_version_that_lags_is_not_promoted_unless_told(backend, name, start, version, bill):
    bill(1, 2)
    version(None, Model()).run_once()
    with pytest.raises(VersionLagsError) as caught:
        version(2, Model()).promote()
    assert (caught.value.position, caught.value.live_position) == (0, start + 2)
    assert backend.projections.live(name) is None
    assert version(2, Model()).promote(force=True).version == 2
    assert version(2, Model()).promote().version == 2  # again: nothing happens
    assert backend.projections.live(name) == 2


def test_nobody_is_live_before_the_first_promotion(backend, name):
    assert backend.projections.live(name) is None


def test_without_a_live_version_it_catches_up_to_the_end_of_the_log(version, bill):
    bill(1, 2)
    model = Model()
    assert version(1, model).catch_up().lag == 0
    assert (model, model.mail) == ([1, 2], [])


def test_a_pointer_moves_only_from_where_it_was_seen(backend, name):
    checkpoints = backend.checkpoints
    assert checkpoints.promote(name, 1, None)
    assert not checkpoints.promote(name, 3, None)
    assert not checkpoints.promote(name, 3, 2)
    assert checkpoints.promote(name, 2, 1)
    live = checkpoints.live(name)
    assert (live.version, live.before) == (2, 1)


def test_an_older_version_is_made_live_again(backend, name, version, bill):
    one, two = Model(), Model()
    version(1, one).promote()
    version(2, two).promote()
    bill(1, 2)
    version(2, two).run_once()

    with pytest.raises(VersionLagsError):
        version(1, one).promote()
    version(1, one).catch_up()
    version(1, one).promote()
    bill(3)
    version(1, one).run_once()
    version(2, two).run_once()

    assert backend.projections.live(name) == 1
    assert (one, one.mail) == ([1, 2, 3], [3])
    assert (two, two.mail) == ([1, 2, 3], [1, 2])


def test_a_running_version_goes_on_when_it_is_promoted_and_the_old_one_ends(
    backend, name, version, bill, caplog
):
    one, two = Model(), Model()
    version(1, one).promote()
    bill(1)
    version(1, one).run_once()
    ended = threading.Event()

    def run_old():
        version(1, one).run_forever()
        ended.set()

    old = threading.Thread(target=run_old, daemon=True)
    with version(2, two).in_background():
        wait_for(lambda: version(2, two).position == version(1, one).position)
        old.start()
        version(2, two).promote()
        assert ended.wait(10)
        bill(2)
        wait_for(lambda: two == [1, 2])
    assert (one, two.mail) == ([1], [2])
    assert "has stopped, because version 2 is live" in caplog.text


def test_versions_park_streams_of_their_own(backend, name, version, bill):
    bill(1)
    policy = FailurePolicy(then="park", attempts=1)

    def fail(_):
        raise ZeroDivisionError

    version(None, fail, on_failure=policy).run_once()
    version(2, fail, on_failure=policy).run_once()
    assert [one.key.version for one in backend.parked.streams(name)] == [None, 2]
    model = Model()
    assert version(2, model, on_failure=policy).retry_parked().unparked == 1
    assert model == [1]
    assert [one.key.version for one in backend.parked.streams(name)] == [None]


@pytest.mark.parametrize("wrong", [0, -1, True, "2", 1.0, 10**9])
def test_a_version_is_a_number_of_1_or_more(backend, name, wrong):
    with pytest.raises(InvalidConsumerError):
        backend.projection(name, print, version=wrong)


def test_a_projection_without_versions_cannot_be_promoted(backend, name):
    with pytest.raises(InvalidSubscriptionError, match="has no version"):
        backend.projection(name, print).promote()
    with pytest.raises(InvalidSubscriptionError, match="has no version"):
        backend.projection(name, print).catch_up()


def wait_for(condition):
    pause = threading.Event()
    for _ in range(1000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it does not happen")

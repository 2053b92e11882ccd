"""Each tenant has a log of its own; consumers of all tenants have a position in each."""

from datetime import timedelta

import pytest

from dynamo_es import StreamId
from dynamo_es.contracts import Selection
from dynamo_es.exceptions import (
    InvalidPositionError,
    TenantRequiredError,
    UnknownConsumerError,
)
from tests.scope.logs import TENANTS, Counted, Other, backend, fill, seen, shared

__all__ = ["backend", "shared"]

SOON = timedelta(seconds=0.1)


def test_positions_are_each_tenants_own(backend):
    fill(backend, 1, 2, 3)
    fill(backend, 4, tenants=("acme",))

    assert [backend.in_tenant(t).log.last_position for t in TENANTS] == [3, 4, 3]
    assert [backend.in_tenant(t).storage.current_position for t in TENANTS] == [3, 4, 3]
    assert backend.in_tenant("nobody").log.last_position is None
    assert backend.storage.current_position == 3  # of the default tenant


def test_the_logs_of_all_tenants_have_no_last_position(backend):
    fill(backend, 1)

    with pytest.raises(TenantRequiredError, match=r"last position .* needs a tenant"):
        _ = backend.log.last_position


def test_a_tenants_log_gives_its_events_only(backend):
    fill(backend, 1, 2)
    log = backend.in_tenant("acme").log

    records = log.reader(0).read()

    assert [(one.tenant_id, one.position) for one in records] == [("acme", 1), ("acme", 2)]
    assert [one.position for one in log.reader(1).read()] == [2]
    with pytest.raises(InvalidPositionError, match="ends at 2"):
        log.reader(3)


def test_a_selected_tenant_chooses_the_log(backend):
    fill(backend, 1, 2)

    reader = backend.log.reader(1, Selection(tenant_id="acme"))

    assert [(one.tenant_id, one.position) for one in reader.read()] == [("acme", 2)]
    assert reader.positions is None
    assert reader.position == 2


def test_a_reader_of_all_has_a_position_in_each_log(backend):
    fill(backend, 1, 2)
    reader = backend.log.reader(0)

    records = [*reader.read(), *reader.read(), *reader.read()]

    assert {one.tenant_id for one in records} == set(TENANTS)
    assert [one.position for one in records] == [1, 2] * 3
    assert reader.positions == dict.fromkeys(TENANTS, 2)
    assert reader.read() == []
    with pytest.raises(TenantRequiredError):
        _ = reader.position


def test_a_reader_of_all_finds_logs_that_are_new(backend):
    fill(backend, 1, tenants=("acme",))
    reader = backend.log.reader(0)
    assert len(reader.read()) == 1
    fill(backend, 2, tenants=("umbrella",))

    assert [one.tenant_id for one in reader.read()] == ["umbrella"]
    assert reader.read() == []


def test_a_busy_log_does_not_keep_a_reader_from_the_others(backend):
    fill(backend, 1, tenants=("acme", "umbrella"))
    reader = backend.log.reader(0)
    first = reader.read()
    fill(backend, 2, tenants=tuple(one.tenant_id for one in first))

    assert reader.read()[0].tenant_id != first[0].tenant_id


def test_one_position_is_none_for_all_logs(backend):
    fill(backend, 1, 2)

    for begin in (
        lambda: backend.log.reader(1),
        lambda: backend.subscriptions.subscribe_to_all(1, 10, SOON),
        lambda: backend.subscriber.after(1).build_batch(10, 0.1),
        lambda: backend.projection("late", print, after=1),
    ):
        with pytest.raises(TenantRequiredError):
            begin()


def test_a_subscriber_of_all_goes_on_from_a_position_in_each(backend):
    fill(backend, 1, 2, 3)
    batches = backend.subscriber.build_batch(4, 9)
    first = next(batches)
    fill(backend, 4)

    rest = next(backend.subscriber.after(batches.positions).build_batch(8, 9))

    both = seen([*first, *rest])
    assert both == {tenant: [(n, n) for n in (1, 2, 3, 4)] for tenant in TENANTS}


def test_a_subscriber_is_started_from_a_position_of_its_tenant(backend):
    fill(backend, 1, 2, 3)

    one = backend.subscriber.in_tenant("acme").after(2).build_batch(1, 9)
    scoped = backend.in_tenant("acme").subscriber.after(2).build_batch(1, 9)

    assert seen(next(one)) == seen(next(scoped)) == {"acme": [(3, 3)]}
    assert (one.position, one.positions) == (3, None)


def test_category_and_events_are_selected_in_every_log(backend):
    fill(backend, 1, category="a")
    fill(backend, 2, category="b")
    for tenant in TENANTS:
        backend.in_tenant(tenant).event_store.append(Other(), stream_id=StreamId(category="b"))

    batches = backend.subscriber.to_category("b").to_events([Counted]).build_batch(3, 9)

    assert seen(next(batches)) == {tenant: [(2, 2)] for tenant in TENANTS}


def test_positions_that_make_no_sense_are_refused(backend):
    fill(backend, 1)

    with pytest.raises(InvalidPositionError):
        backend.subscriber.after({"acme": -1})
    with pytest.raises(InvalidPositionError, match="ends at 1"):
        backend.subscriber.after({"acme": 2}).build_batch(3, 9)
    with pytest.raises(InvalidPositionError):
        backend.in_tenant("acme").subscriber.after({"acme": 1}).build_batch(3, 9)


def test_a_projection_of_all_has_a_checkpoint_in_each_log(backend):
    fill(backend, 1, 2)
    applied = []
    projection = backend.projection("all", applied.append)

    report = projection.run_once()

    assert (report.handled, report.position, report.lag) == (6, 6, 0)
    assert seen(applied) == {tenant: [(1, 1), (2, 2)] for tenant in TENANTS}
    assert projection.positions == dict.fromkeys(TENANTS, 2)
    listed = {(one.tenant_id, one.position) for one in backend.checkpoints.all()}
    assert listed == {(tenant, 2) for tenant in TENANTS}
    fill(backend, 3, tenants=("acme",))
    assert projection.run_once().handled == 1
    assert backend.in_tenant("acme").projection("all", applied.append).position == 3


def test_a_tenants_worker_and_one_of_all_share_the_checkpoint_in_its_log(backend):
    fill(backend, 1, 2)
    alone, together = [], []
    backend.in_tenant("acme").projection("shared", alone.append).run_once()

    backend.projection("shared", together.append).run_once()

    assert seen(alone).keys() == {"acme"}
    assert seen(together).keys() == set(TENANTS) - {"acme"}


def test_a_failing_event_holds_up_its_own_log_only(backend):
    fill(backend, 1, 2)
    applied = []

    def apply(recorded):
        if recorded.tenant_id == "acme" and recorded.position == 2:
            raise RuntimeError("down")
        applied.append(recorded)

    projection = backend.projection("some", apply)
    with pytest.raises(RuntimeError, match="down"):
        projection.run_once()

    assert seen(applied) == {"": [(1, 1), (2, 2)], "acme": [(1, 1)], "a#b%c": [(1, 1), (2, 2)]}
    (failed,) = [one for one in backend.checkpoints.all() if one.failure is not None]
    assert (failed.tenant_id, failed.failure.place) == ("acme", 2)


def test_a_projection_runs_in_the_logs_of_some_tenants(backend):
    fill(backend, 1)
    applied = []

    backend.projection("few", applied.append).run_once(tenants=["acme"])

    assert seen(applied) == {"acme": [(1, 1)]}


def test_a_running_projection_of_all_gets_new_events_and_new_logs(backend):
    fill(backend, 1, tenants=("acme",))
    applied = []
    projection = backend.projection("running", applied.append)

    class Stop:
        rounds = 0

        def is_set(self):
            return self.rounds > 2

        def wait(self, _):
            self.rounds += 1
            if self.rounds == 1:
                fill(backend, 2, tenants=("acme", "umbrella"))

        def set(self):
            self.rounds = 9

    projection.run_forever(Stop())

    assert seen(applied) == {"acme": [(1, 1), (2, 2)], "umbrella": [(1, 2)]}


def test_a_projection_of_all_is_set_back_in_each_log(backend):
    fill(backend, 1, 2)
    applied = []
    projection = backend.projection("again", applied.append)
    with pytest.raises(UnknownConsumerError):
        projection.reset()
    projection.run_once()

    projection.reset()

    assert projection.positions == dict.fromkeys(TENANTS, 0)
    assert projection.run_once().handled == 6
    with pytest.raises(TenantRequiredError):
        projection.reset(1)
    with pytest.raises(TenantRequiredError):
        _ = projection.position


def test_checkpoints_of_all_logs_are_about_no_single_one(backend):
    fill(backend, 1)
    backend.in_tenant("acme").checkpoints.move("one", 1)

    assert backend.in_tenant("acme").checkpoints.position("one") == 1
    assert backend.in_tenant("").checkpoints.position("one") is None
    for refused in (
        lambda: backend.checkpoints.position("one"),
        lambda: backend.checkpoints.move("one", 1),
        lambda: backend.checkpoints.reset("one", 0),
    ):
        with pytest.raises(TenantRequiredError, match="checkpoint of one"):
            refused()


def test_tenants_categories_and_streams_are_listed(backend):
    fill(backend, 1, category="a")
    fill(backend, 2, category="b", tenants=("acme",))

    assert set(backend.log.tenants()) == set(TENANTS)
    assert list(backend.in_tenant("acme").log.tenants()) == ["acme"]
    assert set(backend.log.categories("acme")) == {"a", "b"}
    assert list(backend.log.categories("")) == ["a"]
    (found,) = backend.log.streams("b", "acme")
    assert (found.stream_id.category, found.version) == ("b", 1)
    assert not list(backend.log.streams("b", ""))

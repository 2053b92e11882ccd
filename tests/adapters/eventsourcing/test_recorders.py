"""Cases that the library's own tests leave out, and the number of requests that we promise."""

from __future__ import annotations

from typing import Any

import pytest
from eventsourcing.persistence import IntegrityError, Tracking

from dynamo_es.adapters.eventsourcing.versions import DataError, InterfaceError, ProgrammingError
from dynamo_es.dynamodb.log.pointers import find_pointer
from tests.adapters.eventsourcing.engine import events, new_id, sent

# They wait for subscriptions.
pytestmark = pytest.mark.ci


def test_several_originators_are_stored_in_one_transaction(recorder):
    a, b, c = new_id(), new_id(), "c"
    names = sent(recorder)

    ids = recorder.insert_events([*events(a, 1, 2), *events(b, 1), *events(c, 0, 1)])

    assert ids == [1, 2, 3, 4, 5]
    assert [n for n in names if n in {"PutItem", "TransactWriteItems"}] == [
        "TransactWriteItems",
        "PutItem",  # the page
    ]
    found = recorder.select_notifications(1, 10)
    assert [(n.originator_id, n.originator_version) for n in found] == [
        (a, 1), (a, 2), (b, 1), (c, 0), (c, 1),
    ]  # fmt: skip


def test_ids_are_returned_in_the_order_of_the_events(recorder):
    a, b = new_id(), new_id()
    first, second = events(a, 1, 2)

    assert recorder.insert_events([first, *events(b, 1), second]) == [1, 3, 2]


@pytest.mark.parametrize("known", [True, False])
def test_one_conflict_refuses_all_and_takes_no_id(tables, recorder, known):
    a, b = new_id(), new_id()
    recorder.insert_events(events(a, 1, 2))
    other = recorder if known else tables.application_recorder()

    with pytest.raises(IntegrityError):
        other.insert_events([*events(b, 1), *events(a, 2)])

    assert recorder.select_events(b) == []
    assert other.insert_events([*events(b, 1), *events(a, 3)]) == [3, 4]
    assert recorder.max_notification_id() == 4


@pytest.mark.parametrize("versions", [(1, 1), (1, 3), (2, 1)])
def test_versions_that_do_not_follow_each_other_are_refused_before_any_request(recorder, versions):
    names = sent(recorder)

    with pytest.raises(IntegrityError):
        recorder.insert_events(events(new_id(), *versions))

    assert names == []


def test_a_gap_after_what_is_stored_is_refused(recorder):
    a = new_id()
    recorder.insert_events(events(a, 1))

    with pytest.raises(IntegrityError):
        recorder.insert_events(events(a, 3))

    assert [e.originator_version for e in recorder.select_events(a)] == [1]


def test_one_originator_has_as_many_events_in_a_call_as_fit_in_an_item(recorder):
    names = sent(recorder)

    assert recorder.insert_events(events(new_id(), *range(1, 1001))) == list(range(1, 1001))
    assert names.count("TransactWriteItems") == 0


def test_more_than_a_hundred_originators_are_refused_with_the_reason(recorder):
    names = sent(recorder)

    with pytest.raises(DataError, match=r"101 streams.*at most 100 items"):
        recorder.insert_events([event for _ in range(101) for event in events(new_id(), 1)])

    assert names == []
    hundred = [event for _ in range(100) for event in events(new_id(), 1)]
    assert recorder.insert_events(hundred) == list(range(1, 101))


@pytest.mark.parametrize("initial", [-3, 0, 1, 2, 7])
@pytest.mark.parametrize("fresh", [True, False])
def test_an_originator_begins_with_any_version(recorder, initial, fresh):
    a = new_id()

    def process() -> Any:
        if fresh:  # as one that has just begun
            recorder.runtime.initials._known.clear()
            recorder.runtime.heads._heads.clear()
        return recorder

    recorder.insert_events(events(a, *range(initial, initial + 3)))
    process().insert_events(events(a, initial + 3))
    with pytest.raises(IntegrityError):
        process().insert_events(events(a, initial + 3))
    with pytest.raises(IntegrityError):
        process().insert_events([*events(a, initial + 1), *events(new_id(), 1)])
    with pytest.raises(IntegrityError, match=f"first version is {initial}"):
        process().insert_events(events(a, initial - 1))
    process().insert_events([*events(a, initial + 4), *events(new_id(), 1)])

    def versions(**bounds: Any) -> list[int]:
        return [e.originator_version - initial for e in process().select_events(a, **bounds)]

    assert versions() == [0, 1, 2, 3, 4]
    assert versions(gt=initial) == [1, 2, 3, 4]
    assert versions(gt=initial - 5, lte=initial + 1) == [0, 1]
    assert versions(gt=initial, lte=initial + 3, limit=2) == [1, 2]
    assert versions(gt=initial, lte=initial + 3, limit=2, desc=True) == [3, 2]
    assert versions(desc=True, limit=2) == [4, 3]
    assert versions(desc=True) == [4, 3, 2, 1, 0]
    assert versions(limit=2) == [0, 1]
    assert versions(lte=initial + 99, desc=True, limit=1) == [4]
    assert versions(gt=initial + 4) == []
    assert versions(lte=initial - 1) == []
    assert versions(limit=0) == []


def test_the_version_after_a_single_zero_is_not_taken_for_a_first_one(tables, recorder):
    a = new_id()
    recorder.insert_events(events(a, 0))

    tables.application_recorder().insert_events(events(a, 1))

    assert [e.originator_version for e in recorder.select_events(a)] == [0, 1]


def test_the_limit_of_notifications_holds_across_pages_and_in_the_middle_of_a_commit(recorder):
    a = new_id()
    for first in range(1, 40, 4):
        recorder.insert_events(events(a, *range(first, first + 4)))

    def ids(*args: Any, **kwargs: Any) -> list[int]:
        return [n.id for n in recorder.select_notifications(*args, **kwargs)]

    assert ids(None, 100) == list(range(1, 41))
    assert ids(3, 8) == list(range(3, 11))
    assert ids(7, 100, 22) == list(range(7, 23))
    assert ids(38, 100, inclusive_of_start=False) == [39, 40]
    assert ids(40, 5, inclusive_of_start=False) == []
    assert ids(99, 5) == []
    assert ids(1, 3, topics=["topic6", "topic31", "topic2", "topic40"]) == [2, 6, 31]
    assert ids(1, 10, 30, topics=["topic6", "topic31"]) == [6]


def test_a_few_notifications_are_read_without_reading_the_rest(recorder):
    for _ in range(30):
        recorder.insert_events(events(new_id(), 1))
    read: list[int] = []
    recorder.runtime.client().meta.events.register(
        "before-parameter-build.dynamodb.BatchGetItem",
        lambda params, **_: read.extend(len(t["Keys"]) for t in params["RequestItems"].values()),
    )

    assert len(recorder.select_notifications(11, 5)) == 5
    assert read == [1, 4]  # that of the page with position 11, and of the next pages
    recorder.insert_events([event for _ in range(10) for event in events(new_id(), 1)])
    read.clear()
    assert len(recorder.select_notifications(31, 3)) == 3
    assert read == [3]  # of a page with ten


def test_applications_share_tables_and_read_their_own(tables):
    one = tables.factory("One").application_recorder()
    two = tables.factory("Two").application_recorder()
    a = new_id()

    assert one.insert_events(events(a, 1)) == [1]
    assert two.insert_events(events(a, 1)) == [2]
    assert [n.id for n in one.select_notifications(1, 10)] == [1]
    assert one.max_notification_id() == 1
    assert two.max_notification_id() == 2
    assert tables.factory("Three").application_recorder().max_notification_id() is None


def test_tenants_share_tables_and_see_their_own(tables):
    acme = tables.factory(DYNAMO_ES_TENANT="acme").application_recorder()
    other = tables.factory(DYNAMO_ES_TENANT="other").application_recorder()
    a = new_id()
    acme.insert_events(events(a, 1))

    assert other.select_events(a) == []
    assert other.select_notifications(1, 10) == []


def test_snapshots_are_apart_from_events_and_take_no_ids(tables, recorder):
    snapshots = tables.aggregate_recorder("snapshots")
    a = new_id()
    recorder.insert_events(events(a, 1, 2))
    snapshots.insert_events(events(a, 2, 9, 5))

    assert [e.originator_version for e in snapshots.select_events(a)] == [2, 5, 9]
    assert [e.originator_version for e in snapshots.select_events(a, gt=2, lte=8)] == [5]
    assert [e.originator_version for e in snapshots.select_events(a, desc=True, limit=2)] == [9, 5]
    assert snapshots.select_events(a, gt=5, lte=5) == []
    assert recorder.insert_events(events(a, 3)) == [3]
    with pytest.raises(IntegrityError):
        snapshots.insert_events(events(a, 12, 9))
    with pytest.raises(IntegrityError):
        snapshots.insert_events(events(a, 13, 13))
    assert len(snapshots.select_events(a)) == 3


def test_no_sequencer_takes_a_snapshot_for_a_commit(tables):
    snapshots = tables.factory().aggregate_recorder("snapshots")
    snapshots.insert_events(events("a", 3))

    client = tables.factory().runtime.client()
    (item,) = client.scan(TableName=tables.env["DYNAMO_ES_EVENTS_TABLE"])["Items"]
    assert find_pointer(item) is None


def test_a_limit_of_snapshots_holds_across_pages_of_the_table(tables):
    snapshots = tables.aggregate_recorder("snapshots")
    a = new_id()
    for version in range(1, 5):
        snapshots.insert_events(events(a, version, state=bytes(390_000)))

    assert [e.originator_version for e in snapshots.select_events(a)] == [1, 2, 3, 4]
    assert [e.originator_version for e in snapshots.select_events(a, limit=3)] == [1, 2, 3]
    with pytest.raises(DataError):
        snapshots.insert_events(events(a, 9, state=bytes(420_000)))


def test_tracking_is_atomic_with_the_events_of_several_originators(tables):
    recorder = tables.process_recorder()
    a, b = new_id(), new_id()
    recorder.insert_events([*events(a, 1), *events(b, 1)], tracking=Tracking("up", 5))
    assert recorder.max_tracking_id("up") == 5

    with pytest.raises(IntegrityError):
        recorder.insert_events([*events(a, 2), *events(b, 2)], tracking=Tracking("up", 5))
    with pytest.raises(IntegrityError):
        recorder.insert_events([*events(a, 2), *events(b, 1)], tracking=Tracking("up", 6))

    assert recorder.max_tracking_id("up") == 5
    assert len(recorder.select_events(a)) == 1
    assert recorder.insert_events(events(a, 2), tracking=Tracking("up", 6)) == [3]
    assert recorder.max_tracking_id("up") == 6
    with pytest.raises(IntegrityError):
        recorder.insert_events(events(a, 3), tracking=Tracking("up", 6))
    assert len(recorder.select_events(a)) == 2


def test_without_a_sequencer_in_the_process_no_ids_are_returned(tables):
    recorder = tables.factory(DYNAMO_ES_SEQUENCING="stream").application_recorder()

    assert recorder.insert_events(events(new_id(), 1)) is None
    assert recorder.max_notification_id() is None


def test_a_missing_table_says_so(tables):
    recorder = tables.factory(CREATE_TABLE="n").application_recorder()

    with pytest.raises(ProgrammingError):
        recorder.select_events(new_id())
    tables.application_recorder()


@pytest.mark.parametrize("missing", ["DYNAMO_ES_EVENTS_TABLE", "DYNAMO_ES_LOG_TABLE"])
def test_a_missing_setting_is_named(tables, missing):
    with pytest.raises(InterfaceError, match=missing):
        tables.factory(**{missing: ""})
    tables.application_recorder()


@pytest.mark.parametrize("interval", ["0", "-1", "soon", "nan"])
def test_a_wrong_poll_interval_is_named(tables, interval):
    with pytest.raises(InterfaceError, match="DYNAMO_ES_POLL_INTERVAL"):
        tables.factory(DYNAMO_ES_POLL_INTERVAL=interval)


def test_a_subscription_sees_what_another_process_stores(tables, recorder):
    other = tables.application_recorder()
    with recorder.subscribe() as subscription:
        other.insert_events(events("a", 1, 2))
        assert [next(subscription).id, next(subscription).id] == [1, 2]

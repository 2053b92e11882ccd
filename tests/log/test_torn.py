"""A log of a later moment than its events is cut where they end; stored commits stay."""

from __future__ import annotations

import pytest

from dynamo_es import StreamId
from dynamo_es.dynamodb.maintenance import torn as module
from dynamo_es.dynamodb.maintenance.put_back import Ends, Head, put_back
from dynamo_es.dynamodb.maintenance.repair import repair
from dynamo_es.dynamodb.maintenance.torn import plan_truncation, truncate
from dynamo_es.dynamodb.maintenance.verify import verify
from dynamo_es.exceptions import ServiceError
from tests.log.stores import engines_at_hand

pytest_generate_tests = engines_at_hand


def planned(store):
    return plan_truncation(store.config, lambda: store.client)


def verified(store):
    return verify(store.config, lambda: store.client)


def restore_events_before(store, *commits):
    """Take commits out of the events table, as a restore to an earlier moment does."""
    for commit in commits:
        store.client.delete_item(
            TableName=store.config.events_table,
            Key={"stream_key": {"S": commit.stream_key}, "version": {"N": str(commit[3])}},
        )


def put(store, log_key, place, **attributes):
    item = {"log_key": {"S": log_key}, "place": {"S": place}, **attributes}
    store.client.put_item(TableName=store.config.log_table, Item=item)


def get(store, log_key, place):
    return store.client.get_item(
        TableName=store.config.log_table,
        Key={"log_key": {"S": log_key}, "place": {"S": place}},
        ConsistentRead=True,
    ).get("Item")


def n(number):
    return {"N": str(number)}


@pytest.fixture
def one():
    return StreamId(category="order")


@pytest.fixture
def torn(store, one):
    """Positions 1 to 3 are stored, 4 and 5 are lost, 6 is stored; one stream lost its end."""
    other, third = StreamId(category="order"), StreamId(category="order")
    store.append(one, 1, 1)
    store.append(other, 1)
    first, second = (c for c in store.commits if c.stream_key.endswith(str(one)))
    (of_other,) = (c for c in store.commits if c.stream_key.endswith(str(other)))
    store.sequence(first)
    store.sequence(second, of_other)
    store.append(one, 2)
    lost = next(c for c in store.commits if c.first_version == 3)
    store.append(third, 1)
    kept = next(c for c in store.commits if c.stream_key.endswith(str(third)))
    store.sequence(lost)
    store.sequence(kept)
    restore_events_before(store, lost)
    return store, lost, kept


def test_a_log_that_is_not_torn_stays(store, one):
    store.append(one, 1, 2)
    store.sequence(*store.commits)
    plan = planned(store)
    assert (plan.is_needed, plan.torn, plan.requests) == (False, 0, ())


def test_verification_tells_a_torn_log(torn):
    store, *_ = torn
    report = verified(store)
    assert (report.torn, report.torn_from) == (1, {"": 4})
    assert not report.sound


def test_a_plan_changes_nothing(torn):
    store, *_ = torn
    before = store.pages
    plan = planned(store)
    (cut,) = plan.cuts
    assert (cut.log, cut.end, cut.last, cut.commits) == ("log", 3, 6, 2)
    assert store.pages == before


def test_a_torn_log_is_cut_and_its_stored_commits_get_positions_again(torn, one):
    store, lost, kept = torn
    truncate(store.config, lambda: store.client, planned(store))
    assert verified(store).sound
    assert lost not in store.pointers
    repair(store.config, lambda: store.client)
    assert store.pointers[-1] == kept
    # A commit at a lost version gets a position, which it would not if a marker were left.
    store.append(one, 1)
    repair(store.config, lambda: store.client)
    report = verified(store)
    assert (report.sound, report.positions, report.not_sequenced) == (True, 5, 0)
    assert not planned(store).is_needed


def test_markers_that_stay_lose_positions(torn, one, monkeypatch):
    """The variant without the markers is caught by what the test above asks for."""
    store, *_ = torn
    plan = planned(store)
    without = [other for other in plan.put_back if other.kind != "marker"]
    assert len(without) < len(plan.put_back)
    broken = module.Truncation(plan.torn, plan.cuts, tuple(without), plan.newest, plan.requests)
    truncate(store.config, lambda: store.client, broken)
    store.append(one, 1)
    repair(store.config, lambda: store.client)
    assert not verified(store).sound


def test_consumers_after_the_cut_are_put_back(torn, one):
    store, *_ = torn
    put(store, "checkpoint#a", "checkpoint", checkpoint=n(6), failed_place=n(7))
    put(store, "checkpoint#b", "checkpoint#2", checkpoint=n(3))
    put(store, "outbox#mail", "cursor", checkpoint=n(5))
    put(store, "outbox#mail", "dead#" + "5".zfill(20), attempts=n(1))
    put(store, "outbox#mail", "2".zfill(20), attempts=n(1))
    key = f"#cursor#balances#order#{one}"
    generation = store.commits[0].generation
    put(store, key, "cursor", generation=n(generation), version=n(4))

    truncate(store.config, lambda: store.client, planned(store))

    assert get(store, "checkpoint#a", "checkpoint")["checkpoint"] == n(3)
    assert "failed_place" not in get(store, "checkpoint#a", "checkpoint")
    assert get(store, "checkpoint#b", "checkpoint#2")["checkpoint"] == n(3)
    assert get(store, "outbox#mail", "cursor")["checkpoint"] == n(3)
    assert get(store, "outbox#mail", "dead#" + "5".zfill(20)) is None
    assert get(store, "outbox#mail", "2".zfill(20)) is not None
    cursor = get(store, key, "cursor")
    assert (cursor["generation"], cursor["version"]) == (n(of_stream(store, one)), n(2))


def of_stream(store, one):
    return next(c.generation for c in store.commits if c.stream_key.endswith(str(one)))


def test_an_interrupted_truncation_is_finished_by_the_next(torn):
    store, *_ = torn
    plan = planned(store)
    sent = [*plan.put_back, *plan.requests]
    for most in range(len(sent)):
        part = planned(store)
        some = module.Truncation(
            part.torn, part.cuts, part.put_back[:1], part.newest, part.requests[: most // 2]
        )
        truncate(store.config, lambda: store.client, some)
    truncate(store.config, lambda: store.client, planned(store))
    assert verified(store).sound


def test_a_log_that_grew_meanwhile_is_refused(torn, one):
    store, *_ = torn
    plan = planned(store)
    store.append(StreamId(category="order"), 1)
    store.sequence(*store.commits)
    before = store.pages
    with pytest.raises(ServiceError, match="changed in the meantime"):
        truncate(store.config, lambda: store.client, plan)
    assert store.pages == before


ENDS = Ends({"": 3, "acme#": 1}, {}, {"acme#order#u": Head(7, 2)}, {"ff": "acme#order#u"})


def item(log_key, place, **attributes):
    return {"log_key": {"S": log_key}, "place": {"S": place}, **attributes}


LOG, STREAM = (
    {"order": {"S": "log"}},
    {"order": {"S": "stream"}, "stream_key": {"S": "acme#order#u"}},
)


@pytest.mark.parametrize(
    ("found", "kind", "after"),
    [
        (item("checkpoint#a", "checkpoint", checkpoint=n(4)), "checkpoint", 3),
        (item("acme#checkpoint#a", "checkpoint", checkpoint=n(3)), "checkpoint", 1),
        (item("acme#cursor", "b#ff", generation=n(7), version=n(3)), "cursor", 2),
        (item("acme#cursor#b#order#u", "cursor", generation=n(9), version=n(1)), "cursor", 2),
        (item("acme#cursor#b#order#u", "cursor", generation=n(0), version=n(3)), "cursor", 2),
        (item("parked#a", "log#x", first=n(2), seen=n(5), **LOG), "parked", 3),
        (item("parked#a", "log#x", first=n(4), seen=n(5), **LOG), "parked", None),
        (
            item("parked#a", "s", first=n(1), seen=n(3), first_generation=n(7), **STREAM),
            "parked",
            2,
        ),
        (item("skipped#a", "log#x", number=n(4), **LOG), "skipped", None),
        (item("acme#streams#order#0", "u#7", last_version=n(1)), "marker", None),
    ],
)
def test_what_is_after_an_end_is_put_back(found, kind, after):
    one = put_back("log", found, ENDS)
    assert one is not None
    assert (one.kind, one.after) == (kind, after)


@pytest.mark.parametrize(
    "found",
    [
        item("checkpoint#a", "checkpoint", checkpoint=n(3)),
        item("checkpoint#a", "live", live_version=n(9)),
        item("acme#cursor#b#order#u", "cursor", generation=n(7), version=n(2)),
        item("acme#cursor#b#order#v", "cursor", generation=n(7), version=n(9)),
        item("acme#cursor#b#order#u", "cursor", generation=n(5), version=n(9)),
        item("acme#tracking#a#b", "tracking", checkpoint=n(9)),
        item("minutes", "2026-01-01T12:00Z", last_position=n(9)),
        item("logs", "acme#"),
    ],
)
def test_what_is_not_after_an_end_stays(found):
    assert put_back("log", found, ENDS) is None

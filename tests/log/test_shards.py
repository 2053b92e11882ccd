"""Shards: parents before children, expiry, trimming, failures, and where a poller continues."""

from __future__ import annotations

import pytest

from dynamo_es.dynamodb.table_stream import rounds as module
from dynamo_es.dynamodb.table_stream.requests import (
    PLACES_KEY,
    Place,
    get_records,
    remove_place,
    save_place,
    saved_places,
    shard_iterator,
)
from dynamo_es.dynamodb.table_stream.rounds import Polled
from dynamo_es.dynamodb.table_stream.shards import Lineage, Shard, read_shard
from dynamo_es.dynamodb.wire.steps import Request
from dynamo_es.exceptions import ServiceError, UnavailableError
from tests.dynamodb.aws_errors import reply
from tests.dynamodb.machine import play
from tests.log.stores import emulated, hints_of, new_commits
from tests.log.streams import Shards
from tests.recording import recording

ARN = "arn:of:a:stream"


class Clock:
    """Seconds, that go by when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store():
    with emulated() as store:
        yield store


@pytest.fixture
def shards():
    return Shards()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def poller(store, shards, clock):
    return store.poller(shards, monotonic=clock)


def places(store):
    return {item["place"]["S"]: Place.read(item) for item in store.log_items(PLACES_KEY)}


def test_a_child_is_read_after_its_parent(store, shards, clock, poller):
    items = new_commits(3)
    shards.open("root")
    shards.open("child", "root")
    shards.open("grandchild", "child")  # on the second page of the list
    for shard, item in zip(("root", "child", "grandchild"), items, strict=True):
        shards.write(shard, item)
    assert poller.poll().positions == 1
    assert poller.poll().idle
    assert set(shards.read) == {"root"}
    shards.close("root")
    assert poller.poll() == Polled(ended=1)
    shards.close("child")
    assert poller.poll() == Polled(records=1, commits=1, pages=1, positions=1, ended=1)
    assert poller.poll().positions == 1
    assert store.pointers == hints_of(items)
    assert shards.operations["describe_stream"] == 2  # pages of one list


def test_children_that_are_not_listed_yet_are_asked_for_every_second(shards, clock, poller):
    shards.open("root")
    shards.close("root")
    shards.open("other")
    assert poller.poll().ended == 1
    shards.open("child", "root")
    shards.write("child", *new_commits(1))
    assert poller.poll().idle
    clock.now += 1
    assert poller.poll().positions == 1


def test_and_all_are_listed_again_every_minute(shards, clock, poller):
    shards.open("a")
    poller.poll()
    shards.open("b")
    shards.write("b", *new_commits(1))
    clock.now += 59
    assert poller.poll().idle
    clock.now += 1
    assert poller.poll().positions == 1


def test_a_parent_that_is_gone_is_done(shards, poller, caplog):
    shards.open("child", "a parent of long ago")
    shards.write("child", *new_commits(1))
    assert poller.poll() == Polled(records=1, commits=1, pages=1, positions=1)
    assert not caplog.records


def test_hints_of_all_shards_fill_pages_together(store, shards, poller):
    for shard in ("a", "b", "c"):
        shards.open(shard)
        shards.write(shard, *new_commits(40))
    assert poller.poll() == Polled(records=120, commits=120, pages=2, positions=120)
    assert [len(page.pointers) for page in store.pages] == [100, 20]


def test_an_iterator_that_expired_is_made_again_after_the_last_record(shards, poller, caplog):
    shards.open("a")
    shards.write("a", *new_commits(2))
    poller.poll()
    shards.write("a", *new_commits(1))
    shards.expire_iterators()
    assert poller.poll() == Polled(records=1, commits=1, pages=1, positions=1)
    *_, (operation, params), _ = shards.sent
    assert (operation, params["SequenceNumber"]) == ("get_shard_iterator", "2")
    assert params["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER"
    assert not caplog.records


def test_where_records_are_gone_it_begins_at_the_horizon_and_says_so(
    store, shards, clock, poller, caplog
):
    items = new_commits(6)
    shards.open("a")
    shards.write("a", *items[:2])
    poller.poll()
    poller.save()
    shards.write("a", *items[2:])
    shards.trim("a", left=1)
    late = store.poller(shards, monotonic=clock)
    assert late.poll() == Polled(records=1, commits=1, pages=1, positions=1, trimmed=1)
    assert "run `dynamo-es log repair`" in caplog.text
    assert late.poll() == Polled()
    assert store.pointers == hints_of([*items[:2], items[-1]])


def test_a_shard_that_is_gone_before_its_end_is_reported_once(shards, clock, poller, caplog):
    shards.open("a")
    shards.write("a", *new_commits(1))
    shards.open("b")
    poller.poll()
    shards.forget("a")
    assert poller.poll().trimmed == 0  # it is asked for, and not there
    assert poller.poll().trimmed == 0
    clock.now += 1
    assert poller.poll().trimmed == 1
    clock.now += 60
    assert poller.poll().trimmed == 0
    assert caplog.text.count("Records of shard a expired") == 1


def test_a_shard_that_was_read_to_its_end_may_go(store, shards, clock, poller, caplog):
    shards.open("a")
    shards.write("a", *new_commits(1))
    shards.close("a")
    shards.open("b", "a")
    poller.poll()
    poller.save()
    assert places(store)["a"].finished
    shards.forget("a")
    clock.now += 60
    with recording(store.client) as record:
        assert poller.poll() == Polled()
        poller.save()
    assert record.operations == ["DeleteItem"]
    assert "a" not in places(store)
    assert not caplog.records


def test_a_failed_sequencing_loses_no_hints(store, shards, poller, monkeypatch):
    items = new_commits(3)
    shards.open("a")
    shards.write("a", *items)
    run = poller._rounds._run

    def fail(gateway, operation, steps, *tenant):
        if operation == "sequence":
            raise UnavailableError("PutItem", "ReadTimeout", "no reply.")
        return run(gateway, operation, steps, *tenant)

    monkeypatch.setattr(poller._rounds, "_run", fail)
    for _ in range(2):
        with pytest.raises(UnavailableError):
            poller.poll()
    poller.save()
    assert places(store) == {}
    monkeypatch.undo()
    assert poller.poll() == Polled(records=3, commits=3, pages=1, positions=3)
    assert store.pointers == hints_of(items)


def test_a_shard_that_fails_does_not_keep_the_others(store, shards, poller):
    items = new_commits(2)
    for shard, item in zip(("a", "b"), items, strict=True):
        shards.open(shard)
        shards.write(shard, item)
    shards.failures["get_records"] = [reply("InternalServerError", status=500)]
    with pytest.raises(UnavailableError):
        poller.poll()
    assert store.pointers == hints_of(items[1:])
    # What the round had done is counted by the next one.
    assert poller.poll() == Polled(records=2, commits=2, pages=2, positions=2)


def test_places_are_saved_every_few_seconds_and_only_where_they_changed(
    store, shards, clock, poller
):
    shards.open("a")
    shards.open("b")
    shards.write("a", *new_commits(1))
    poller.poll()
    (saved,) = places(store).values()
    assert saved == Place(saved.stream_arn, "a", "1", finished=False)
    assert ":table/events/stream/" in saved.stream_arn
    shards.write("b", *new_commits(1))
    clock.now += module.SAVE_EVERY - 1
    poller.poll()
    assert set(places(store)) == {"a"}
    store.client.delete_item(**remove_place("log", "a").params)
    clock.now += 1
    poller.poll()
    assert set(places(store)) == {"b"}


def test_the_place_in_another_stream_says_nothing_of_this_one(store, shards, poller, caplog):
    shards.open("a")
    shards.write("a", *new_commits(1))
    for shard, finished in (("a", True), ("b", True), ("c", False)):
        place = Place("arn:before", shard, "99", finished)
        store.client.put_item(**save_place("log", place).params)
    assert poller.poll() == Polled(records=1, commits=1, pages=1, positions=1, trimmed=1)
    assert "shard c" in caplog.text
    assert {shard: place.sequence_number for shard, place in places(store).items()} == {"a": "1"}


def test_a_stream_turned_on_again_is_found(store, shards, clock, poller, caplog):
    shards.open("a")
    shards.write("a", *new_commits(1))
    poller.poll()
    shards.close("a")
    assert poller.poll().ended == 1
    store.make_again()
    arn = store.client.describe_table(TableName="events")["Table"]["LatestStreamArn"]
    clock.now += 1
    assert poller.poll().trimmed == 0  # that of before was read to its end
    assert not caplog.records
    *_, last = [params for operation, params in shards.sent if operation == "describe_stream"]
    assert last == {"StreamArn": arn}
    assert shards.sent[0][1]["StreamArn"] != arn


def test_a_stream_that_is_gone_is_looked_for_again(shards, clock, poller):
    shards.open("a")
    poller.poll()
    shards.write("a", *new_commits(1))
    shards.failures["describe_stream"] = [reply("ResourceNotFoundException")]
    clock.now += 60
    assert poller.poll().positions == 1


def failure(code):
    return ServiceError("GetRecords", code, "so.")


def test_the_requests_of_a_reading_to_the_letter():
    shard = Shard("a", None, after="7")
    at_7, at_0 = shard_iterator(ARN, "a", "7"), shard_iterator(ARN, "a", None)
    reading = play(
        read_shard(ARN, shard),
        (at_7, {"ShardIterator": "i"}),
        (get_records("i"), failure("ExpiredIteratorException")),
        (at_7, failure("TrimmedDataAccessException")),
        (at_0, {"ShardIterator": "j"}),
        (get_records("j"), {"Records": [], "NextShardIterator": "k"}),
    )
    assert reading == (shard, ([], [], []), 0, None, None, "k", True)
    assert (shard.after, shard.iterator) == ("7", None)
    reading.advance()
    assert (shard.after, shard.iterator, shard.finished) == (None, "k", False)
    assert at_7 == Request(
        "get_shard_iterator",
        {
            "StreamArn": ARN,
            "ShardId": "a",
            "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
            "SequenceNumber": "7",
        },
    )
    assert at_0.params == {"StreamArn": ARN, "ShardId": "a", "ShardIteratorType": "TRIM_HORIZON"}
    assert save_place("log", Place(ARN, "a", "7")) == Request(
        "put_item",
        {
            "TableName": "log",
            "Item": {
                "log_key": {"S": "poller"},
                "place": {"S": "a"},
                "stream_arn": {"S": ARN},
                "sequence_number": {"S": "7"},
            },
        },
    )
    assert saved_places("log", {"k": {"S": "v"}}).params["ExclusiveStartKey"] == {"k": {"S": "v"}}


def test_iterators_that_expire_for_ever_are_a_failure():
    shard = Shard("a", None)
    again = [
        (shard_iterator(ARN, "a", None), {"ShardIterator": "i"}),
        (get_records("i"), failure("ExpiredIteratorException")),
    ]
    with pytest.raises(ServiceError, match="Expired"):
        play(read_shard(ARN, shard), *again * 3)


def test_other_failures_are_not_tried_again_at_once():
    with pytest.raises(ServiceError, match="Validation"):
        play(
            read_shard(ARN, Shard("a", None, iterator="i")),
            (get_records("i"), failure("ValidationException")),
        )


def test_a_shard_read_to_its_end_stays_so_after_a_restart():
    lineage = Lineage(ARN, {"a": Place(ARN, "a", "7", finished=True)})
    assert lineage.update([{"ShardId": "a"}, {"ShardId": "b", "ParentShardId": "a"}]) == []
    assert [shard.id for shard in lineage.readable()] == ["b"]
    assert lineage.unsaved() == []

"""Insertions whose replies are lost, or that DynamoDB refuses for no visible reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from eventsourcing.persistence import IntegrityError, Tracking

from dynamo_es.adapters.eventsourcing.versions import DataError, OperationalError
from tests.adapters.eventsourcing.engine import events, new_id, sent

if TYPE_CHECKING:
    from collections.abc import Callable


def lose_replies(recorder: Any, operation: str, *, carried_out: bool) -> None:
    """Let every reply to an operation be lost, after it was carried out or before."""
    runtime = recorder.runtime
    method: Callable[..., Any] = getattr(runtime.client(), operation)
    runtime.gateway._methods.clear()
    calls: list[int] = []

    def lost(**params: Any) -> Any:
        from dynamo_es.dynamodb.wire.attempts.watching import attempts

        calls.append(1)
        if carried_out and len(calls) == 1:
            method(**params)
        attempts.maybe_landed = True
        raise ReadTimeoutError(endpoint_url="http://x")

    setattr(runtime.client(), operation, lost)


@pytest.mark.parametrize("several", [True, False])
def test_a_lost_reply_is_no_conflict(recorder, several):
    a, b = new_id(), new_id()
    operation = "transact_write_items" if several else "put_item"
    batch = [*events(a, 1), *(events(b, 1) if several else [])]
    original = getattr(recorder.runtime.client(), operation)
    lose_replies(recorder, operation, carried_out=True)
    assert not several or recorder.insert_events(batch) == [1, 2]
    if not several:
        recorder.insert_events(batch)  # the page's reply is lost, too
    setattr(recorder.runtime.client(), operation, original)

    assert len(recorder.select_events(a)) == 1


@pytest.mark.parametrize("several", [True, False])
def test_an_insertion_that_may_still_arrive_is_no_success(recorder, several):
    operation = "transact_write_items" if several else "put_item"
    lose_replies(recorder, operation, carried_out=False)

    with pytest.raises(OperationalError):
        recorder.insert_events([*events(new_id(), 1), *(events(new_id(), 1) if several else [])])


def test_an_insertion_that_cannot_be_looked_up_is_no_success(recorder):
    lose_replies(recorder, "transact_write_items", carried_out=False)
    lose_replies(recorder, "query", carried_out=False)

    with pytest.raises(OperationalError, match="reading the stream to find out failed"):
        recorder.insert_events([*events(new_id(), 1), *events(new_id(), 1)])


def test_an_insertion_that_is_refused_again_and_again_is_a_conflict(recorder):
    calls: list[Any] = []

    def refuse(**params: Any) -> Any:
        calls.append(params)
        reasons = [{"Code": "ConditionalCheckFailed"} for _ in params["TransactItems"]]
        error: Any = {
            "Error": {"Code": "TransactionCanceledException", "Message": "refused"},
            "CancellationReasons": reasons,
        }
        raise ClientError(error, "TransactWriteItems")

    recorder.runtime.gateway._methods.clear()
    recorder.runtime.client().transact_write_items = refuse

    with pytest.raises(IntegrityError):
        recorder.insert_events([*events(new_id(), 1), *events(new_id(), 1)])

    assert len(calls) == 8


def test_a_lost_reply_after_another_process_is_a_conflict(tables, recorder):
    a = new_id()
    tables.application_recorder().insert_events(events(a, 1))
    lose_replies(recorder, "transact_write_items", carried_out=False)

    with pytest.raises(IntegrityError):
        recorder.insert_events([*events(a, 1), *events(new_id(), 1)])


def test_what_another_process_stored_is_a_conflict_at_the_first_refusal(tables, recorder):
    a = new_id()
    recorder.insert_events(events(a, 1))
    tables.application_recorder().insert_events(events(a, 2))
    requests = sent(recorder)

    with pytest.raises(IntegrityError):
        recorder.insert_events([*events(a, 2), *events(new_id(), 1)])

    # What is there, and what of the originator whose first version was a guess.
    assert requests == ["TransactWriteItems", "Query"]


@pytest.mark.parametrize("several", [True, False])
def test_a_lost_reply_to_snapshots_is_looked_up(tables, several):
    factory = tables.factory()
    snapshots = factory.aggregate_recorder("snapshots")
    operation = "transact_write_items" if several else "put_item"
    a = new_id()
    some = events(a, 3, 7) if several else events(a, 3)
    snapshots.insert_events(events(a, 1))  # the tables are there

    lose_replies(factory, operation, carried_out=True)
    snapshots.insert_events(some)
    lose_replies(factory, operation, carried_out=False)
    with pytest.raises(OperationalError):
        snapshots.insert_events(events(new_id(), 3, 7) if several else events(new_id(), 3))

    assert snapshots.select_events(a, gt=1) == some


def test_more_than_a_hundred_snapshots_are_refused_with_the_reason(tables):
    snapshots = tables.aggregate_recorder("snapshots")
    with pytest.raises(DataError, match="101 snapshots cannot"):
        snapshots.insert_events([event for _ in range(101) for event in events(new_id(), 1)])


def test_a_recorder_of_another_kind_is_named(tables):
    with pytest.raises(
        TypeError, match=r"APPLICATION_RECORDER_TOPIC must name a .*, not builtins:dict"
    ):
        tables.factory(APPLICATION_RECORDER_TOPIC="builtins:dict").application_recorder()


def test_what_was_processed_already_is_named(tables):
    recorder = tables.tracking_recorder()
    recorder.insert_tracking(Tracking("up", 5))
    with pytest.raises(IntegrityError, match="Notification 4 is processed already: 5 is recorded"):
        recorder.insert_tracking(Tracking("up", 4))


def test_a_write_that_goes_with_tracking_is_named_when_it_is_refused(tables):
    recorder = tables.tracking_recorder()
    client, table = recorder.runtime.client(), f"own-{uuid4().hex}"
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    put: dict[str, Any] = {"TableName": table, "Item": {"id": {"S": "1"}}}
    only_if_there = {**put, "ConditionExpression": "attribute_exists(id)"}
    try:
        with pytest.raises(IntegrityError, match="condition of write 0 was not met"):
            recorder.insert_tracking_with(Tracking("up", 5), [{"Put": only_if_there}])
        assert recorder.max_tracking_id("up") is None

        recorder.insert_tracking_with(Tracking("up", 5), [{"Put": put}])
        assert recorder.max_tracking_id("up") == 5
        assert client.scan(TableName=table)["Items"] == [{"id": {"S": "1"}}]
    finally:
        client.delete_table(TableName=table)

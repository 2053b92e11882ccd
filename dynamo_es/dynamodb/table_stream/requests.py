"""Requests of the poller, as pure functions: DynamoDB Streams, and the places in the log table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dynamo_es.dynamodb.wire.steps import Request

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.steps import Item

PLACES_KEY: Final = "poller"
"""Partition key of the places."""


class Place(NamedTuple):
    """The place up to which a shard is read, whichever poller saved it. The log has all before it.

    Attributes:
        stream_arn: ARN of the shard's stream. A stream that is turned off and on again gets a new
            one.
        shard_id: id of the shard.
        sequence_number: sequence number of the last record read; None: none was read yet.
        finished: whether the shard is closed and read to its end.
    """

    stream_arn: str
    shard_id: str
    sequence_number: str | None = None
    finished: bool = False

    @classmethod
    def read(cls, item: Item) -> Place:
        """Return the place that an item holds."""
        return cls(
            item["stream_arn"]["S"],
            item["place"]["S"],
            item["sequence_number"]["S"] if "sequence_number" in item else None,
            "finished" in item,
        )

    @property
    def item(self) -> Item:
        """The place's item in the log table."""
        item: Item = {**_key(self.shard_id), "stream_arn": {"S": self.stream_arn}}
        if self.sequence_number is not None:
            item["sequence_number"] = {"S": self.sequence_number}
        if self.finished:
            item["finished"] = {"BOOL": True}
        return item


def describe_table(table: str) -> Request:
    """Describe a table: its stream, and its approximate number of items."""
    return Request("describe_table", {"TableName": table})


def describe_stream(stream_arn: str, after: str | None = None) -> Request:
    """List up to 100 shards of a stream.

    Args:
        stream_arn: ARN of the stream.
        after: ``LastEvaluatedShardId`` of the previous reply.
    """
    params: dict[str, Any] = {"StreamArn": stream_arn}
    if after is not None:
        params["ExclusiveStartShardId"] = after
    return Request("describe_stream", params)


def shard_iterator(stream_arn: str, shard_id: str, after: str | None) -> Request:
    """Get an iterator over a shard, after a sequence number or from the shard's beginning."""
    params = {"StreamArn": stream_arn, "ShardId": shard_id, "ShardIteratorType": "TRIM_HORIZON"}
    if after is not None:
        params |= {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": after}
    return Request("get_shard_iterator", params)


def shard_iterator_at(stream_arn: str, shard_id: str, number: str) -> Request:
    """Get an iterator over a shard, from the record with a sequence number on."""
    return Request(
        "get_shard_iterator",
        {
            "StreamArn": stream_arn,
            "ShardId": shard_id,
            "ShardIteratorType": "AT_SEQUENCE_NUMBER",
            "SequenceNumber": number,
        },
    )


def get_records(iterator: str) -> Request:
    """Read up to 1,000 records, or 1 MB of them."""
    return Request("get_records", {"ShardIterator": iterator})


def saved_places(log_table: str, after: Item | None = None) -> Request:
    """Query the saved places, consistently."""
    params: dict[str, Any] = {
        "TableName": log_table,
        "KeyConditionExpression": "log_key = :poller",
        "ExpressionAttributeValues": {":poller": {"S": PLACES_KEY}},
        "ConsistentRead": True,
    }
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params)


def save_place(log_table: str, place: Place) -> Request:
    """Save how far a shard is read, without a condition.

    The slower of two pollers may set the place back. Then some hints are passed a second time,
    which changes nothing. No poller can set the place further than the log is.
    """
    return Request("put_item", {"TableName": log_table, "Item": place.item})


def remove_place(log_table: str, shard_id: str) -> Request:
    """Remove the place of a shard that no longer exists."""
    return Request("delete_item", {"TableName": log_table, "Key": _key(shard_id)})


def _key(shard_id: str) -> Item:
    return {"log_key": {"S": PLACES_KEY}, "place": {"S": shard_id}}

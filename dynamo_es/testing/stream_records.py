"""The records of a table's stream, in the form in which Lambda passes them to a function."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from zlib import crc32

from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.exceptions import ConfigurationError, InputError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Record: TypeAlias = dict[str, Any]
"""One record of a stream, as JSON."""


class ShardRecord(NamedTuple):
    """A record and the shard that it comes from.

    Attributes:
        record: the record, as Lambda delivers it.
        shard_id: id of its shard.
    """

    record: Record
    shard_id: str

    @property
    def number(self) -> str:
        """The sequence number of the record."""
        return str(self.record["dynamodb"]["SequenceNumber"])


def lambda_events(
    backend: DynamoBackend, *, batch_size: int = 100, shards: int = 1, table: str | None = None
) -> list[dict[str, Any]]:
    """Return the events with which Lambda would call a function for everything written so far.

    ::

        for event in lambda_events(backend, batch_size=10):
            handler(event, LambdaContext(remaining_ms=3000))

    `EventSourceMapping` also delivers them by Lambda's rules.

    Args:
        backend: a backend whose table has a stream, such as that of `DynamoBackend.local`.
        batch_size: the most records of an event.
        shards: number of shards. The partition keys decide on the shard of a record, as in a table
            with several partitions. A batch has records of only one shard. The shards take turns.
        table: name of the table; None: the events table. The log table is ``config.log_table``.

    Raises:
        InputError: a number below 1, or not a `DynamoBackend`.
        ConfigurationError: the table has no stream.
    """
    check_count("batch_size", batch_size)
    check_count("shards", shards)
    divided: list[list[Record]] = [[] for _ in range(shards)]
    for one in stream_records(backend, table):
        divided[shard_of(one.record, shards)].append(one.record)
    batches = [
        [records[at : at + batch_size] for at in range(0, len(records), batch_size)]
        for records in divided
    ]
    longest = max(map(len, batches))
    return [
        {"Records": of_shard[turn]}
        for turn in range(longest)
        for of_shard in batches
        if turn < len(of_shard)
    ]


def stream_records(backend: DynamoBackend, table: str | None = None) -> list[ShardRecord]:
    """Return all records of a table's stream, oldest first.

    Args:
        backend: reads the stream.
        table: name of the table; None: the events table.

    Raises:
        InputError: ``backend`` is not a `DynamoBackend`.
        ConfigurationError: the table has no stream.
    """
    check_kind("backend", backend, DynamoBackend)
    name = backend.config.events_table if table is None else table
    streams = backend.streams_client
    listed = streams.list_streams(TableName=name)["Streams"]
    if not listed:
        raise ConfigurationError(f"The table {name} has no stream.")
    return [
        ShardRecord(as_lambda_has_it(record, stream["StreamArn"]), shard["ShardId"])
        for stream in listed
        for shard in streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"][
            "Shards"
        ]
        for record in _read(streams, stream["StreamArn"], shard["ShardId"])
    ]


def as_lambda_has_it(record: Mapping[str, Any], stream_arn: str) -> Record:
    """Return a record of DynamoDB Streams as Lambda's JSON: bytes in base64, times as seconds."""
    whole = {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": record.get("awsRegion", "us-east-1"),
        "dynamodb": record["dynamodb"],
        "eventSourceARN": stream_arn,
    }
    copy: Record = json.loads(json.dumps(whole, default=_plain))
    return copy


def shard_of(record: Record, shards: int) -> int:
    """Return the shard of a record, by its partition key."""
    keys = record["dynamodb"]["Keys"]
    # In the store's tables with a stream, the partition key comes first in the alphabet.
    return _hash(min(keys.items())) % shards


def slot_of(record: Record, slots: int) -> int:
    """Return the slot of a record by its whole key, for a shard that Lambda reads in parallel."""
    return _hash(sorted(record["dynamodb"]["Keys"].items())) % slots


def check_count(label: str, value: object, least: int = 1) -> None:
    """Raise `InputError` unless a value is an integer of ``least`` or more."""
    if type(value) is not int or value < least:
        raise InputError(f"{label} must be an integer of {least} or more, not {shown(value)}.")


def wrapped(records: Iterable[Record]) -> list[ShardRecord]:
    """Return records of an unknown shard."""
    return [ShardRecord(record, "shardId-0") for record in records]


def _read(streams: Any, stream_arn: str, shard_id: str) -> Iterator[Mapping[str, Any]]:
    iterator: str | None = streams.get_shard_iterator(
        StreamArn=stream_arn, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    while iterator:
        reply = streams.get_records(ShardIterator=iterator)
        yield from reply["Records"]
        # An open shard always has a next page.
        iterator = reply.get("NextShardIterator") if reply["Records"] else None


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    raise InputError(f"A record of a stream has a value of the class {type(value).__name__}.")


def _hash(value: object) -> int:
    return crc32(json.dumps(value, sort_keys=True).encode())

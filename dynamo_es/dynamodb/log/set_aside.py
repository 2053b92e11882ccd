"""Commits that are set aside: this release cannot read them, so they get no position.

Each has an item in the log table, under the partition key ``set-aside`` (in the log of a tenant,
``{tenant}#set-aside``). The sort key is
``{first 32 hex digits of the SHA-256 of the stream's key}#{version}``, because a stream's key may
be twice as long as a sort key. The item holds the stream's key, the commit's version, the reason
(without any value of the commit) and the time when a sequencer first found the commit.

Later commits of the same generation wait, and get their positions when the commit can be read.
Other streams go on. ``dynamo-es log set-aside`` lists these items. A complete
``dynamo-es log repair`` removes the items of commits that can be read again or no longer exist.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.streams.keys import describe_key
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.dynamodb.log.keys import LogKeys
    from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.exceptions import StoredItemError

_MOST_NOTED: Final = 10_000
"""The most commits of which a process remembers that it has set them aside."""

_log = logging.getLogger("dynamo_es")


@dataclass(frozen=True, slots=True)
class SetAside:
    """A commit that is set aside.

    Attributes:
        stream_key: partition key of its stream in the events table.
        version: its sort key there, as text, because a damaged item's may not be a version.
        reason: why the commit cannot be read.
        since: when a sequencer first found it.
    """

    stream_key: str
    version: str
    reason: str
    since: datetime

    @classmethod
    def of(cls, error: StoredItemError, now: float) -> SetAside:
        """Return the entry for a commit that cannot be read.

        Args:
            error: the error, which names the commit and the reason.
            now: seconds since the epoch.
        """
        since = datetime.fromtimestamp(now, UTC)
        return cls(error.stream_key, str(error.version), error.reason, since)

    @classmethod
    def read(cls, item: Item) -> SetAside:
        """Return the entry that an item of the log table holds."""
        return cls(
            item["stream_key"]["S"],
            item["commit_version"]["S"],
            item["reason"]["S"],
            datetime.fromisoformat(item["since"]["S"]),
        )

    @property
    def place(self) -> str:
        """The entry's sort key in the log table."""
        return f"{sha256(self.stream_key.encode()).hexdigest()[:32]}#{self.version}"

    def item(self, log: LogKeys) -> Item:
        """Return the entry's item in the log table."""
        return {
            **_key(log, self.place),
            "stream_key": {"S": self.stream_key},
            "commit_version": {"S": self.version},
            "reason": {"S": self.reason},
            "since": {"S": self.since.isoformat()},
        }


def set_aside(
    log: LogKeys, errors: Iterable[StoredItemError], memory: SequencerMemory
) -> Steps[None]:
    """Set aside commits that cannot be read: put an item for each, and log it once in a process.

    Raises:
        ServiceError: AWS refused or did not answer. Call again.

    Cost: 1 request for each commit that this process has not set aside before.
    """
    for error in errors:
        entry = SetAside.of(error, memory.clock())
        if entry.place in memory.set_aside:
            continue
        with suppress(ConditionRefused):  # another process has put the item
            yield put_entry(log, entry)
        _log.warning(
            "Set aside the commit at version %s of stream %s: %s It has no position in the log, "
            "and later commits of its stream wait. To list such commits, run "
            "`dynamo-es log set-aside`.",
            entry.version,
            describe_key(entry.stream_key),
            entry.reason,
        )
        if len(memory.set_aside) >= _MOST_NOTED:
            memory.set_aside.clear()
        memory.set_aside.add(entry.place)


def list_set_aside(log: LogKeys) -> Steps[list[SetAside]]:
    """Return the commits that are set aside, grouped by stream.

    Cost: 1 request for each MB of items, which is some thousands of them.
    """
    found: list[SetAside] = []
    after: Item | None = None
    while True:
        response = yield query_entries(log, after)
        found += map(SetAside.read, response["Items"])
        after = response.get("LastEvaluatedKey")
        if after is None:
            return found


def forget(log: LogKeys, entries: Iterable[SetAside]) -> Steps[None]:
    """Remove the items of commits that are no longer set aside."""
    for entry in entries:
        yield Request("delete_item", {"TableName": log.table, "Key": _key(log, entry.place)})


def put_entry(log: LogKeys, entry: SetAside) -> Request:
    """Put the item of a commit that is set aside, unless there is one, which has the first time."""
    return Request(
        "put_item",
        {
            "TableName": log.table,
            "Item": entry.item(log),
            "ConditionExpression": "attribute_not_exists(place)",
        },
    )


def query_entries(log: LogKeys, after: Item | None = None) -> Request:
    """Query the commits that are set aside, consistently."""
    params = {
        "TableName": log.table,
        "KeyConditionExpression": "log_key = :aside",
        "ExpressionAttributeValues": {":aside": {"S": log.set_aside}},
        "ConsistentRead": True,
    }
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params)


def _key(log: LogKeys, place: str) -> Item:
    return {"log_key": {"S": log.set_aside}, "place": {"S": place}}

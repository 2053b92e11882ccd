"""Plans the items of an append: one commit, or several in one transaction if one is too large."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.contracts.stream_keys import MAX_NAMES_BYTES, check_names
from dynamo_es.dynamodb.streams.items import (
    MAX_COMMIT_EVENTS,
    Commit,
    commit_item,
    encode_events,
    names_size,
    snapshot_item,
)
from dynamo_es.dynamodb.streams.requests import put_commit, put_commits
from dynamo_es.dynamodb.wire.sizes import (
    MAX_TRANSACTION_BYTES,
    MAX_TRANSACTION_ITEMS,
    SAFE_ITEM_BYTES,
)
from dynamo_es.exceptions import CommitTooLargeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.config import Compression
    from dynamo_es.dynamodb.streams.items import Head
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Item, Request
    from dynamo_es.values import RawEvent, StreamId


class Plan(NamedTuple):
    """The items that one append sends.

    Attributes:
        commits: the commits, in the order of their versions; usually one.
        sizes: number of bytes of each commit's item.
        enlisted: the other writes of the transaction, in the wire format.
    """

    commits: list[Commit]
    sizes: list[int]
    enlisted: Sequence[EnlistedWrite] = ()

    @property
    def head(self) -> Head:
        """The stream's head after the commits are stored."""
        return self.commits[-1].head


def plan_commits(
    stream: Stream,
    head: Head,
    events: Sequence[RawEvent],
    enlisted: Sequence[EnlistedWrite] = (),
) -> Plan:
    """Return the commits that append events after a head: one, or halved until each one fits.

    Args:
        stream: the stream.
        head: head of the stream; version 0 for the first commit of a generation.
        events: the events, one or more.
        enlisted: writes to other tables in the same transaction.

    Raises:
        CommitTooLargeError: an event does not fit into an item, or all together do not fit into one
            write.
    """
    text = encode_events(events)
    if len(text) > stream.most_bytes:
        raise CommitTooLargeError(
            stream.id,
            len(text),
            stream.most_bytes,
            f"{len(events)} events take {len(text):,} bytes before compression, but one append "
            f"carries at most {stream.most_bytes:,} (DynamoConfig.max_uncompressed_bytes): append "
            "them in several calls, or keep large data elsewhere (S3) and its address in the "
            "event.",
        )
    plan = _split(stream, head, events, text)
    if len(plan.commits) > 1:
        size = sum(plan.sizes)
        most = MAX_TRANSACTION_ITEMS - len(enlisted)
        if size > MAX_TRANSACTION_BYTES or len(plan.commits) > most:
            raise CommitTooLargeError(
                stream.id,
                size,
                MAX_TRANSACTION_BYTES,
                f"{len(events)} events take {size:,} bytes in {len(plan.commits)} items after "
                f"compression, but one append carries at most {MAX_TRANSACTION_BYTES:,} bytes in "
                f"{MAX_TRANSACTION_ITEMS} items"
                + (f", {len(enlisted)} of which are other writes" if enlisted else "")
                + ": append them in several calls.",
            )
    return plan._replace(enlisted=enlisted) if enlisted else plan


def check_transaction(
    stream_id: StreamId, *, streams: int, checks: int, items: int, size: int
) -> None:
    """Raise `CommitTooLargeError` if the appends to several streams do not fit into one write.

    Args:
        stream_id: the first stream.
        streams: number of streams with events.
        checks: number of streams that are only checked.
        items: number of items, checks and enlisted writes included.
        size: number of bytes of the commits.
    """
    if items > MAX_TRANSACTION_ITEMS or size > MAX_TRANSACTION_BYTES:
        raise CommitTooLargeError(
            stream_id,
            size,
            MAX_TRANSACTION_BYTES,
            f"the call has events of {streams} streams and {checks} checks, in {items} items of "
            f"{size:,} bytes, enlisted writes included, but a DynamoDB transaction takes at most "
            f"{MAX_TRANSACTION_ITEMS} items of {MAX_TRANSACTION_BYTES:,} bytes together. The "
            "events of a stream are one item, however many there are: append to fewer streams in "
            "one call.",
        )


def plan_snapshot(key: str, snapshot: RawEvent, generation: int, compression: Compression) -> Item:
    """Return the item that saves a snapshot.

    Raises:
        CommitTooLargeError: the snapshot is too large for an item.
    """
    item, size = snapshot_item(key, snapshot, generation=generation, compression=compression)
    if size > SAFE_ITEM_BYTES:
        raise CommitTooLargeError(
            snapshot.stream_id,
            size,
            SAFE_ITEM_BYTES,
            f"the snapshot takes {size:,} bytes after compression, but an item carries at most "
            f"{SAFE_ITEM_BYTES:,}: keep less in it, or keep the state elsewhere and its address in "
            "the snapshot.",
        )
    return item


def put_request(table: str, plan: Plan) -> Request:
    """Return the one request that puts the planned commits and enlisted writes, all or none."""
    if len(plan.commits) == 1 and not plan.enlisted:
        return put_commit(table, plan.commits[0].item)
    return put_commits(table, [commit.item for commit in plan.commits], plan.enlisted)


def _split(
    stream: Stream, head: Head, events: Sequence[RawEvent], text: bytes | None = None
) -> Plan:
    item, size = commit_item(
        stream.key,
        stream.id.name,
        events,
        version=head.version + 1,
        generation=head.generation,
        versionless=head.versionless,
        outbox=stream.outbox,
        text=text,
        compression=stream.compression,
    )
    names = names_size(item)
    if size <= SAFE_ITEM_BYTES and names <= MAX_NAMES_BYTES and len(events) <= MAX_COMMIT_EVENTS:
        last = head.version + len(events)
        commit = Commit(head.version + 1, last, head.generation, head.versionless, item)
        return Plan([commit], [size])
    if len(events) == 1:
        check_names(stream.id, events)
        raise CommitTooLargeError(
            stream.id,
            size,
            SAFE_ITEM_BYTES,
            f"the event {events[0].uuid} ({events[0].name!r}) takes {size:,} bytes after "
            f"compression, but an item carries at most {SAFE_ITEM_BYTES:,}: keep large data "
            "elsewhere (S3) and its address in the event.",
        )
    middle = len(events) // 2
    lower = _split(stream, head, events[:middle])
    upper = _split(stream, lower.head, events[middle:])
    return Plan(lower.commits + upper.commits, lower.sizes + upper.sizes)

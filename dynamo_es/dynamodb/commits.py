"""What an append sends: one commit, or several in one transaction where one is too large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.dynamodb.items import SAFE_ITEM_BYTES, Commit, commit_item, read_commit
from dynamo_es.dynamodb.requests import put_commit, put_commits
from dynamo_es.dynamodb.sizes import (
    MAX_TRANSACTION_BYTES,
    MAX_TRANSACTION_ITEMS,
    item_size,
)
from dynamo_es.exceptions import CommitTooLargeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.dynamodb.items import Head
    from dynamo_es.dynamodb.requests import Request
    from dynamo_es.dynamodb.stream import Stream
    from dynamo_es.values import RawEvent


def plan_commits(stream: Stream, head: Head, events: Sequence[RawEvent]) -> list[Commit]:
    """Return the commits that append events behind a head: one, or as few halves as fit.

    Args:
        stream: the stream.
        head: what they go behind; version 0 for the first commit of a generation.
        events: one or more.

    Raises:
        CommitTooLargeError: an event, or all of them, do not fit in one write.
    """
    commits = _split(stream, head, events)
    if len(commits) > 1:
        size = sum(item_size(commit.item) for commit in commits)
        if size > MAX_TRANSACTION_BYTES or len(commits) > MAX_TRANSACTION_ITEMS:
            raise CommitTooLargeError(
                stream.id,
                size,
                MAX_TRANSACTION_BYTES,
                f"{len(events)} events take {size:,} bytes in {len(commits)} items, compressed; "
                f"one append carries {MAX_TRANSACTION_BYTES:,} bytes in {MAX_TRANSACTION_ITEMS} "
                "items: append them in several calls.",
            )
    return commits


def put_request(table: str, commits: Sequence[Commit]) -> Request:
    """Return the one request that puts planned commits, all or none."""
    if len(commits) == 1:
        return put_commit(table, commits[0].item)
    return put_commits(table, [commit.item for commit in commits])


def _split(stream: Stream, head: Head, events: Sequence[RawEvent]) -> list[Commit]:
    item = commit_item(
        stream.key,
        stream.id.name,
        events,
        version=head.version + 1,
        generation=head.generation,
        versionless=head.versionless,
    )
    # Text shorter than this cannot make an item too large: most appends are not priced at all.
    size = item_size(item)
    if size <= SAFE_ITEM_BYTES:
        return [read_commit(item)]
    if len(events) == 1:
        raise CommitTooLargeError(
            stream.id,
            size,
            SAFE_ITEM_BYTES,
            f"the event {events[0].uuid} ({events[0].name!r}) takes {size:,} bytes, compressed; "
            f"an item carries {SAFE_ITEM_BYTES:,}: keep large data elsewhere (S3) "
            "and its address in the event.",
        )
    middle = len(events) // 2
    lower = _split(stream, head, events[:middle])
    return lower + _split(stream, lower[-1].head, events[middle:])

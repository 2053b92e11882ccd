"""Appending to several streams: one transaction, all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.dynamodb.streams.commits import plan_commits
from dynamo_es.dynamodb.streams.delete import finish_deletion
from dynamo_es.dynamodb.streams.items import Head, event_uuids, generation_of, is_fence
from dynamo_es.dynamodb.streams.load import newest_commit
from dynamo_es.dynamodb.streams.requests import get_item, put_commits
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.sizes import MAX_TRANSACTION_BYTES, MAX_TRANSACTION_ITEMS
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    CommitTooLargeError,
    ConcurrentStreamWriteError,
    EnlistedWriteRefusedError,
    ServiceError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.streams.commits import Plan
    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import RawEvent

_MOST_TRIES: Final = 8


class Part(NamedTuple):
    """What goes to one stream.

    Attributes:
        stream: where to.
        expected: version that it must have; 0: it must not exist.
        events: one or more.
    """

    stream: Stream
    expected: int
    events: Sequence[RawEvent]


def append_to_several(
    parts: Sequence[Part], enlisted: Sequence[EnlistedWrite] = ()
) -> Steps[list[list[Commit]]]:
    """Append to all streams or to none; return the commits of each part.

    Raises:
        ConcurrentStreamWriteError: a stream's version is not the expected one.
        EnlistedWriteRefusedError: the condition of a write that goes along is not met.
        CommitTooLargeError: more than one transaction carries.
        AppendOutcomeUnknownError: stored, all of it, or not at all.

    Cost: 1 request, and 1 for each stream that this process does not remember.
    """
    least: dict[str, int] = {}
    for attempt in range(1, _MOST_TRIES + 1):
        plans: list[Plan] = []
        for part in parts:
            head = yield from _head(part, least.get(part.stream.key, 0))
            plans.append(plan_commits(part.stream, head, part.events))
        commits = [plan.commits for plan in plans]
        _check_size(parts, plans, enlisted)
        items = [commit.item for some in commits for commit in some]
        try:
            yield put_commits(parts[0].stream.table, items, enlisted)
        except ConditionRefused as refused:
            if _is_ours(items, refused.items):
                return commits
            first = min(refused.refused)
            if first >= len(items):
                raise EnlistedWriteRefusedError(
                    parts[0].stream.id, first - len(items), refused.items[first]
                ) from refused
            part = _part_of(parts, commits, first)
            yield from _look_again(part, refused.items[first], least)
            yield Pause(attempt)
        except OutcomeUnknown as unknown:
            yield from _look_up(parts[0], items[0], str(unknown.error))
            return commits
        else:
            for part, plan in zip(parts, plans, strict=True):
                part.stream.heads.remember(part.stream.key, plan.head)
            return commits
    raise ConcurrentStreamWriteError(parts[0].stream.id, parts[0].expected, None)


def _head(part: Part, least: int) -> Steps[Head]:
    stream = part.stream
    if part.expected == 0:
        return Head(max(stream.now_in_microseconds(), least), 0, versionless=False)
    head = stream.heads.get(stream.key)
    if head is None or head.version != part.expected:
        newest = yield from newest_commit(stream)
        actual = 0 if newest is None else newest.last
        if newest is None or actual != part.expected:
            raise ConcurrentStreamWriteError(stream.id, part.expected, actual)
        head = newest.head
    return head


def _look_again(part: Part, in_the_way: Item | None, least: dict[str, int]) -> Steps[None]:
    """Read why a stream refused: a conflict, or an earlier life that is no reason to refuse.

    Raises:
        ConcurrentStreamWriteError: it has another version.
    """
    stream = part.stream
    stream.heads.forget(stream.key)
    newest = yield from newest_commit(stream)
    actual = 0 if newest is None else newest.last
    if actual != part.expected:
        raise ConcurrentStreamWriteError(stream.id, part.expected, actual)
    if newest is None and in_the_way is not None:
        if not is_fence(in_the_way):
            yield from finish_deletion(stream)
        least[stream.key] = generation_of(in_the_way) + 1


def _look_up(part: Part, item: Item, reason: str) -> Steps[None]:
    """Return if the transaction was carried out; one of its commits tells of all.

    Raises:
        ConcurrentStreamWriteError: another commit is in its place, and stays there.
        AppendOutcomeUnknownError: nothing is there so far.
    """
    stream = part.stream
    stream.heads.forget(stream.key)
    try:
        response = yield get_item(stream.table, stream.key, int(item["version"]["N"]))
    except ServiceError as error:
        raise AppendOutcomeUnknownError(
            stream.id, part.expected, f"the append got no reply ({reason}), nor did looking it up."
        ) from error
    found = response.get("Item")
    if found is None or is_fence(found):
        raise AppendOutcomeUnknownError(
            stream.id, part.expected, f"the append got no reply ({reason}), and is not stored yet."
        )
    if event_uuids(found) != event_uuids(item):
        raise ConcurrentStreamWriteError(
            stream.id, part.expected, part.expected + len(event_uuids(found))
        )


def _is_ours(items: Sequence[Item], in_the_way: Sequence[Item | None]) -> bool:
    """Whether what refused a transaction is its own earlier attempt; its events' UUIDs tell."""
    return any(
        found is not None and not is_fence(found) and event_uuids(found) == event_uuids(item)
        for item, found in zip(items, in_the_way, strict=False)
    )


def _part_of(parts: Sequence[Part], commits: Sequence[Sequence[Commit]], index: int) -> Part:
    for part, some in zip(parts, commits, strict=True):
        if index < len(some):
            return part
        index -= len(some)
    raise IndexError(index)


def _check_size(
    parts: Sequence[Part], plans: Sequence[Plan], enlisted: Sequence[EnlistedWrite]
) -> None:
    count = sum(len(plan.commits) for plan in plans) + len(enlisted)
    size = sum(sum(plan.sizes) for plan in plans)
    if count > MAX_TRANSACTION_ITEMS or size > MAX_TRANSACTION_BYTES:
        raise CommitTooLargeError(
            parts[0].stream.id,
            size,
            MAX_TRANSACTION_BYTES,
            f"the call has events of {len(parts)} originators, in {count} items of {size:,} bytes, "
            f"the writes that go along among them; a transaction of DynamoDB takes "
            f"{MAX_TRANSACTION_ITEMS} items of {MAX_TRANSACTION_BYTES:,} bytes together. The "
            "events of one originator are one item, however many they are: save fewer aggregates "
            "in one call.",
        )

"""Appending to several streams in one transaction: to all of them, or to none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, cast

from dynamo_es.contracts import STORED_IN_ONE_STREAM
from dynamo_es.dynamodb.streams.append import Append
from dynamo_es.dynamodb.streams.commits import Plan, plan_commits, put_request
from dynamo_es.dynamodb.streams.delete import finish_deletion
from dynamo_es.dynamodb.streams.items import Head, generation_of, is_fence
from dynamo_es.dynamodb.streams.load import newest_commit
from dynamo_es.dynamodb.streams.outcomes import NO_REPLY, UNREAD, StreamChanged, unconfirmed
from dynamo_es.dynamodb.streams.outcomes import conflict as conflict_of
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.sizes import MAX_TRANSACTION_BYTES, MAX_TRANSACTION_ITEMS
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    CommitTooLargeError,
    ConcurrentStreamWriteError,
    EnlistedWriteRefusedError,
    ServiceError,
    StoredItemError,
    VersioningMismatch,
)
from dynamo_es.values import StoredVersion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.wire.steps import Item, Steps

_MOST_TRIES: Final = 8


class Found(NamedTuple):
    """Where a stream stands, seen from an append to it.

    Attributes:
        stored: whether the events are stored at their versions.
        conflict: why they cannot be stored; None: they are, or the stream is at the expected
            version.
        generation: the live one; 0: the stream does not exist.
    """

    stored: bool
    conflict: ConcurrentStreamWriteError | None
    generation: int


class PartAppend(Append):
    """An append to one stream, alone or as a part of one append to several.

    As a part its expected version is explicit; alone it runs as every `Append`.
    """

    __slots__ = ()

    def head(self, least: int) -> Steps[Head | None]:
        """Return the head that the events follow; None: they are stored already.

        Args:
            least: the lowest generation that a new stream can have.

        Raises:
            ConcurrentStreamWriteError: the stream is at another version, or of another generation.
        """
        expected = cast("int", self.expected)
        if expected == 0:
            return Head(max(self.stream.now_in_microseconds(), least), 0, versionless=False)
        head, generation = self.stream.heads.known_at(self.stream.key, expected, self.generation)
        if head is not None:
            return head
        newest, stored = yield from self._newest_above(expected)
        if newest is None:
            raise (
                conflict_of(self.stream, expected)
                if generation is None
                else self._other_generation(0)
            )
        self._check_mixing(newest.head)
        if generation not in (None, newest.generation):
            raise self._other_generation(newest.last)
        if newest.last == expected:
            return newest.head
        if stored is None:
            stored = yield from self._is_stored_after(expected, newest)
        if stored:
            return None
        raise conflict_of(self.stream, expected, newest.head, newest)

    def look(self) -> Steps[Found]:
        """Read where the stream stands.

        Raises:
            StreamChanged: it was deleted meanwhile.
        """
        expected = cast("int", self.expected)
        newest = yield from newest_commit(self.stream)
        if newest is None:
            conflict = None if expected == 0 else self._other_generation(0)
            return Found(stored=False, conflict=conflict, generation=0)
        self._check_mixing(newest.head)
        if self.generation not in (None, newest.generation):
            moved_on = self._other_generation(newest.last)
            return Found(stored=False, conflict=moved_on, generation=newest.generation)
        if (yield from self._is_stored_after(expected, newest)):
            return Found(stored=True, conflict=None, generation=newest.generation)
        conflict = None
        if newest.last != expected:
            conflict = conflict_of(self.stream, expected, newest.head, newest)
        return Found(stored=False, conflict=conflict, generation=newest.generation)

    def stored(self) -> StoredVersion:
        """Return the version that the stream is at, once the events are stored."""
        self.last = cast("int", self.expected) + len(self.events)
        return StoredVersion(self.last, self.stored_in, repeated=not self.commits)

    def conflict(self) -> ConcurrentStreamWriteError:
        """Return the refusal of events that are stored, while those of another stream are not."""
        return ConcurrentStreamWriteError(
            self.stream.id,
            self.expected,
            cast("int", self.expected) + len(self.events),
            STORED_IN_ONE_STREAM,
        )

    def unknown(self, reason: str) -> AppendOutcomeUnknownError:
        """Return the error of an append that may have been carried out."""
        return self._unknown(reason)


def append_to_several(
    parts: Sequence[PartAppend], enlisted: Sequence[EnlistedWrite] = ()
) -> Steps[list[StoredVersion]]:
    """Append to all streams or to none, as `StorageStrategy.insert_events_of_several` says."""
    least: dict[str, int] = {}
    for attempt in range(1, _MOST_TRIES + 1):
        try:
            if (yield from _append(parts, enlisted, least)):
                return [part.stored() for part in parts]
        except StreamChanged:
            pass
        yield Pause(attempt)
    raise ConcurrentStreamWriteError(parts[0].stream.id, parts[0].expected, None)


def _append(
    parts: Sequence[PartAppend], enlisted: Sequence[EnlistedWrite], least: dict[str, int]
) -> Steps[bool]:
    """Append once. Return whether all events are stored; if not, try again."""
    heads: list[Head] = []
    for part in parts:
        head = yield from part.head(least.get(part.stream.key, 0))
        if head is None:
            return (yield from _are_stored(parts, {}, certain=True))
        heads.append(head)
    plans = [plan_commits(p.stream, head, p.events) for p, head in zip(parts, heads, strict=True)]
    whole = _whole(parts, plans, enlisted)
    generations = {p.stream.key: head.generation for p, head in zip(parts, heads, strict=True)}
    try:
        yield put_request(parts[0].stream.table, whole)
    except ConditionRefused as refused:
        first = min(refused.refused)
        if first >= len(whole.commits):
            index = first - len(whole.commits)
            item = refused.items[first]
            raise EnlistedWriteRefusedError(parts[0].stream.id, index, item) from refused
        part = _part_at(parts, plans, first)
        # The refused one first: it usually shows the conflict, and the others need no read.
        ordered = [part, *(other for other in parts if other is not part)]
        certain = not refused.maybe_landed
        if (yield from _are_stored(ordered, generations, certain=certain)):
            return True
        yield from _clear_the_way(part, refused.items[first], least)
        return False
    except OutcomeUnknown as unknown:
        reason = unconfirmed(parts[0].stream.table, unknown)
        return (yield from _are_stored(parts, generations, certain=False, reason=reason))
    for part, plan in zip(parts, plans, strict=True):
        part.stream.heads.remember(part.stream.key, plan.head, plan.commits[-1].version)
        part.commits = plan.commits
        part.stored_in = plan.head.generation
    return True


def _are_stored(
    parts: Sequence[PartAppend],
    generations: dict[str, int],
    *,
    certain: bool,
    reason: str = NO_REPLY,
) -> Steps[bool]:
    """Whether the events of all streams are stored; False: none are, and all may be appended.

    Args:
        parts: the appends.
        generations: generation that the put was made for, by stream key.
        certain: whether no attempt of the put can have been carried out, or still be.
        reason: why that is not certain.

    Raises:
        ConcurrentStreamWriteError: a stream is at another version.
        AppendOutcomeUnknownError: they may have been stored, or may still be.
    """
    stored: list[PartAppend] = []
    for part in parts:
        part.stream.heads.forget(part.stream.key)
        try:
            found = yield from part.look()
        except (ServiceError, StoredItemError, StreamChanged, VersioningMismatch) as error:
            if certain:
                raise
            raise part.unknown(f"{reason}, and {UNREAD}") from error
        if found.stored:
            stored.append(part)
        elif found.conflict is not None:
            # Each version is written once in a generation, and an older generation that is live
            # keeps a newer one out: our events are not there.
            if certain or 0 < found.generation <= generations[part.stream.key]:
                raise found.conflict
            raise part.unknown(f"{reason}, and this stream is at another version now")
    if len(stored) == len(parts):
        return True
    if not certain:
        raise parts[0].unknown(f"{reason}, and the events of the call are not all stored so far")
    if stored:
        raise stored[0].conflict()
    return False


def _clear_the_way(part: PartAppend, in_the_way: Item | None, least: dict[str, int]) -> Steps[None]:
    """Finish a deletion whose remains refused the first commit of a new generation."""
    if part.expected == 0 and in_the_way is not None:
        if not is_fence(in_the_way):
            yield from finish_deletion(part.stream)
        least[part.stream.key] = generation_of(in_the_way) + 1


def _part_at(parts: Sequence[PartAppend], plans: Sequence[Plan], index: int) -> PartAppend:
    """Return the append that a commit of the transaction, 0-based, is of."""
    for part, plan in zip(parts, plans, strict=True):
        if index < len(plan.commits):
            return part
        index -= len(plan.commits)
    raise IndexError(index)


def _whole(
    parts: Sequence[PartAppend], plans: Sequence[Plan], enlisted: Sequence[EnlistedWrite]
) -> Plan:
    """Return the plan of all appends together.

    Raises:
        CommitTooLargeError: it is more than one transaction takes.
    """
    whole = Plan(
        [commit for plan in plans for commit in plan.commits],
        [size for plan in plans for size in plan.sizes],
        enlisted,
    )
    count, size = len(whole.commits) + len(enlisted), sum(whole.sizes)
    if count > MAX_TRANSACTION_ITEMS or size > MAX_TRANSACTION_BYTES:
        raise CommitTooLargeError(
            parts[0].stream.id,
            size,
            MAX_TRANSACTION_BYTES,
            f"the call has events of {len(parts)} streams, in {count} items of {size:,} bytes, "
            "enlisted writes included; a transaction of DynamoDB takes "
            f"{MAX_TRANSACTION_ITEMS} items of {MAX_TRANSACTION_BYTES:,} bytes together. The "
            "events of one stream are one item, however many they are: append to fewer streams "
            "in one call.",
        )
    return whole

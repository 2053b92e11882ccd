"""Appends to several streams in one transaction: to all of them, or to none.

The transaction puts the commits. It also checks that the streams that must stay unchanged have no
item at their next version. If DynamoDB refuses it, the returned items usually show which streams
have changed. If they do not, the append reads the streams.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.streams.appending.commits import (
    Plan,
    check_transaction,
    plan_commits,
    put_request,
)
from dynamo_es.dynamodb.streams.appending.outcomes import (
    NO_REPLY,
    UNREAD,
    StreamChanged,
    unconfirmed,
)
from dynamo_es.dynamodb.streams.items import generation_of, is_fence
from dynamo_es.dynamodb.streams.requests import check_unchanged
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import (
    AppendAllConflictError,
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    EnlistedWriteRefusedError,
    ServiceError,
    StoredItemError,
    VersioningMismatch,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.streams.appending.append_part import Check, Found, PartAppend
    from dynamo_es.dynamodb.streams.items import Head
    from dynamo_es.dynamodb.wire.steps import Item, Request, Steps
    from dynamo_es.values import StoredVersion, StreamId

_MOST_TRIES: Final = 8


def append_to_all(
    parts: Sequence[PartAppend],
    checks: Sequence[Check] = (),
    enlisted: Sequence[EnlistedWrite] = (),
) -> Steps[list[StoredVersion]]:
    """Append to all streams or to none; see `StorageStrategy.insert_all`."""
    call = _AppendAll(parts, checks, enlisted)
    for attempt in range(1, _MOST_TRIES + 1):
        try:
            if (yield from call.try_once()):
                return [part.stored() for part in parts]
        except StreamChanged:
            pass
        yield Pause(attempt)
    first = parts[0]
    moved = ConcurrentStreamWriteError(first.stream.id, first.expected, None)
    raise call.refusal({first.stream.id: moved})


@dataclass(slots=True)
class _AppendAll:
    """One append to several streams.

    Attributes:
        parts: the append to each stream.
        checks: the streams that must stay unchanged.
        enlisted: writes to other tables in the same transaction.
        closed: the ended generations, by stream key, whose leftovers refused a commit.
    """

    parts: Sequence[PartAppend]
    checks: Sequence[Check]
    enlisted: Sequence[EnlistedWrite]
    closed: dict[str, int] = field(default_factory=dict)

    def try_once(self) -> Steps[bool]:
        """Try once to append. Return whether all events are stored; if not, try again."""
        heads: dict[str, Head] = {}
        conflicts: dict[StreamId, ConcurrentStreamWriteError] = {}
        for part in (*self.parts, *self.checks):
            try:
                head = yield from part.head(self.closed.get(part.key, 0))
            except ConcurrentStreamWriteError as conflict:
                conflicts[part.stream.id] = conflict
                continue
            if head is None:
                return (yield from self._outcome({}, {}))
            heads[part.key] = head
        if conflicts:
            return (yield from self._refuse_unless_stored(conflicts))
        plans = [plan_commits(part.stream, heads[part.key], part.events) for part in self.parts]
        return (yield from self._send(plans, heads))

    def _refuse_unless_stored(
        self, conflicts: dict[StreamId, ConcurrentStreamWriteError]
    ) -> Steps[bool]:
        """Raise for the streams that have changed, unless an earlier call stored the events."""
        if not any(part.stream.id in conflicts for part in self.parts):
            # After an earlier call has stored the events, the streams may have changed.
            found = yield from self.parts[0].look()
            if found.stored:
                return (yield from self._outcome({}, {}))
            if found.conflict is not None:
                conflicts[self.parts[0].stream.id] = found.conflict
        raise self.refusal(conflicts)

    def _send(self, plans: Sequence[Plan], heads: Mapping[str, Head]) -> Steps[bool]:
        try:
            yield self._request(plans, heads)
        except ConditionRefused as refused:
            in_the_way = self._in_the_way(refused, plans)
            doubt = NO_REPLY if refused.maybe_landed else None
            if (yield from self._outcome(in_the_way, heads, doubt)):
                return True
            yield from self._make_way(in_the_way)
            return False
        except OutcomeUnknown as unknown:
            doubt = unconfirmed(self.parts[0].stream.table, unknown)
            return (yield from self._outcome({}, heads, doubt))
        for part, plan in zip(self.parts, plans, strict=True):
            part.stream.heads.remember(part.key, plan.head, plan.commits[-1].version)
            part.commits = plan.commits
            part.stored_in = plan.head.generation
        return True

    def _request(self, plans: Sequence[Plan], heads: Mapping[str, Head]) -> Request:
        """Return the one request of the call.

        Raises:
            CommitTooLargeError: the request is too large for one transaction.
        """
        checks = [
            check_unchanged(check.stream.table, check.key, heads[check.key])
            for check in self.checks
        ]
        whole = Plan(
            [commit for plan in plans for commit in plan.commits],
            [size for plan in plans for size in plan.sizes],
            [*checks, *self.enlisted],
        )
        check_transaction(
            self.parts[0].stream.id,
            streams=len(self.parts),
            checks=len(checks),
            items=len(whole.commits) + len(whole.enlisted),
            size=sum(whole.sizes),
        )
        return put_request(self.parts[0].stream.table, whole)

    def _in_the_way(
        self, refused: ConditionRefused, plans: Sequence[Plan]
    ) -> dict[str, Item | None]:
        """Return the items that refused the transaction, by stream key.

        Raises:
            EnlistedWriteRefusedError: only conditions of the caller's own writes were not met.
        """
        keys = [p.key for p, plan in zip(self.parts, plans, strict=True) for _ in plan.commits]
        keys += [check.key for check in self.checks]
        found: dict[str, Item | None] = {}
        for place in sorted(refused.refused):
            if place < len(keys):
                found.setdefault(keys[place], refused.items[place])
            elif not found:
                raise EnlistedWriteRefusedError(
                    self.parts[0].stream.id, place - len(keys), refused.items[place]
                ) from refused
        return found

    def _outcome(
        self,
        in_the_way: Mapping[str, Item | None],
        heads: Mapping[str, Head],
        doubt: str | None = None,
    ) -> Steps[bool]:
        """Return whether the events of all streams are stored; False: none are, so try again.

        Args:
            in_the_way: the items that refused the transaction, by stream key.
            heads: the heads after which the transaction was to write, by stream key.
            doubt: why an attempt may have been carried out, or may be later; None: that is
                impossible.

        Raises:
            AppendAllConflictError: a stream is at another version.
            AppendOutcomeUnknownError: the events may have been stored, or may be later.
        """
        seen = _Seen(doubt)
        # Begin with the refused streams. They show the conflicts, and the others need no read.
        for part in sorted(self.parts, key=lambda part: part.key not in in_the_way):
            if part.key not in in_the_way and seen.shows_that_nothing_is_stored:
                break
            head = heads.get(part.key)
            seen.take(part, (yield from _find_part(part, in_the_way, head, doubt)), head)
        if len(seen.stored) == len(self.parts):
            return True
        if doubt is not None and not seen.conflicts:
            raise seen.unknown or self.parts[0].unknown(
                f"{doubt}, and the events of the call are not all stored so far"
            )
        conflicts = seen.conflicts | {part.stream.id: part.conflict() for part in seen.stored}
        for check in self.checks:
            if check.key in in_the_way:
                found = yield from _find(check, in_the_way[check.key], heads.get(check.key))
                if found.conflict is not None:
                    conflicts[check.stream.id] = found.conflict
        if conflicts:
            raise self.refusal(conflicts)
        return False

    def _make_way(self, in_the_way: Mapping[str, Item | None]) -> Steps[None]:
        """Finish deletions whose leftovers refused the first commit of a new generation."""
        for part in self.parts:
            item = in_the_way.get(part.key)
            if part.expected == 0 and item is not None:
                if not is_fence(item):
                    # Imported here, because few processes need it.
                    from dynamo_es.dynamodb.streams.delete import finish_deletion

                    yield from finish_deletion(part.stream)
                self.closed[part.key] = generation_of(item)
        for check in self.checks:
            item = in_the_way.get(check.key)
            if check.expected == 0 and item is not None:
                # The stream does not exist, so the item is a leftover of a deletion.
                self.closed[check.key] = generation_of(item)

    def refusal(
        self, conflicts: Mapping[StreamId, ConcurrentStreamWriteError]
    ) -> AppendAllConflictError:
        """Return the error with the conflicts in the order of the call."""
        streams = [part.stream.id for part in (*self.parts, *self.checks)]
        return AppendAllConflictError({id_: conflicts[id_] for id_ in streams if id_ in conflicts})


@dataclass(slots=True)
class _Seen:
    """The state of the appends after a refusal, or without a reply.

    Attributes:
        doubt: why the transaction may have been carried out; None: it was not.
        stored: the appends whose events are stored.
        conflicts: why others cannot be stored, by stream.
        free: whether an append's events are not stored but can be.
        unknown: the error of an append that may have been stored in a generation that has ended.
    """

    doubt: str | None
    stored: list[PartAppend] = field(default_factory=list)
    conflicts: dict[StreamId, ConcurrentStreamWriteError] = field(default_factory=dict)
    free: bool = False
    unknown: AppendOutcomeUnknownError | None = None

    @property
    def shows_that_nothing_is_stored(self) -> bool:
        """Whether nothing is stored, so that the other appends need no read."""
        return bool(self.conflicts) or (self.free and self.doubt is None)

    def take(self, part: PartAppend, found: Found, head: Head | None) -> None:
        """Add the state of an append that the transaction was to make after a head."""
        if found.stored:
            self.stored.append(part)
        elif found.conflict is None:
            self.free = True
        elif self.doubt is None or (head is not None and 0 < found.generation <= head.generation):
            # Our events are not stored: each version is written once in a generation, and while an
            # older generation exists, no newer one can begin.
            self.conflicts[part.stream.id] = found.conflict
        else:
            self.unknown = part.unknown(f"{self.doubt}, and this stream is at another version now")


def _find_part(
    part: PartAppend, in_the_way: Mapping[str, Item | None], head: Head | None, doubt: str | None
) -> Steps[Found]:
    """Return the state of a stream. If it cannot be read, a doubt makes the outcome unknown."""
    try:
        return (yield from _find(part, in_the_way.get(part.key), head))
    except (ServiceError, StoredItemError, StreamChanged, VersioningMismatch) as error:
        if doubt is None:
            raise
        raise part.unknown(f"{doubt}, and {UNREAD}") from error


def _find(part: PartAppend, in_the_way: Item | None, head: Head | None) -> Steps[Found]:
    """Return the state of a stream, from the item that refused the transaction if it shows it."""
    found = part.shown_by(in_the_way, head)
    if found is None:
        part.stream.heads.forget(part.key)
        found = yield from part.look(head)
    return found

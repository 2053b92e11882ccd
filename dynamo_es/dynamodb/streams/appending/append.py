"""Appends events with one conditional put after the stream's head.

DynamoDB refuses the put if a commit, or a fence that closes the generation, is stored there, and
returns that item. Usually the item shows whether the events are stored. If it does not, the append
reads the stream. If the outcome is still unknown, it raises `AppendOutcomeUnknownError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from dynamo_es.contracts import ANOTHER_GENERATION
from dynamo_es.dynamodb.streams.appending import outcomes
from dynamo_es.dynamodb.streams.appending.commits import plan_commits, put_request
from dynamo_es.dynamodb.streams.appending.outcomes import Collision, Overtaken, Stored
from dynamo_es.dynamodb.streams.items import Commit, Head, event_uuids, generation_of, is_fence
from dynamo_es.dynamodb.streams.loading.load import load_with_newest, newest_commit
from dynamo_es.dynamodb.streams.requests import get_item
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    EnlistedWriteRefusedError,
    ExpectedVersionUsedOnVersionlessStream,
    NoExpectedVersionGivenOnVersionedStream,
    ServiceError,
    StoredItemError,
    StreamGapError,
)
from dynamo_es.values import NO_VERSIONING, ExplicitVersioning, StoredVersion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps, T
    from dynamo_es.values import RawEvent, Versioning


@dataclass(slots=True)
class Append:
    """One append to a stream. Run it once, then read the attributes.

    Attributes:
        stream: the stream.
        events: the events, one or more, already checked.
        expected: version that the stream must have; None: any.
        generation: generation in which the stream must have that version; None: any.
        versionless: whether the stream is versionless.
        enlisted: writes to other tables in the same transaction, already checked.
        commits: the commits that it put; empty if the events were stored before.
        stored_in: generation in which the events are stored; 0 until they are stored.
        last: version (in a versionless stream, number) of the last event, 1-based; 0 until stored.
    """

    stream: Stream
    events: Sequence[RawEvent]
    expected: int | None
    versionless: bool
    generation: int | None = None
    enlisted: Sequence[EnlistedWrite] = ()
    commits: list[Commit] = field(default_factory=list, init=False)
    stored_in: int = field(default=0, init=False)
    last: int = field(default=0, init=False)

    @classmethod
    def of(
        cls,
        stream: Stream,
        versioning: Versioning,
        events: Sequence[RawEvent],
        enlisted: Sequence[EnlistedWrite] = (),
    ) -> Self:
        """Return the append for the arguments of `StorageStrategy.insert_events`."""
        expected = generation = None
        if isinstance(versioning, ExplicitVersioning):
            expected, generation = versioning.expected_version, versioning.generation
        return cls(stream, events, expected, versioning is NO_VERSIONING, generation, enlisted)

    def run(self) -> Steps[StoredVersion | None]:
        """Append and return the new version, as `StorageStrategy.insert_events` does."""
        changed = 0
        while True:
            try:
                stored = yield from self._store()
            except outcomes.StreamChanged:
                changed += 1
            else:
                self.last = stored.after + len(self.events)
                if self.versionless:
                    return None
                return StoredVersion(self.last, self.stored_in, repeated=not self.commits)
            yield Pause(changed)

    def _store(self) -> Steps[Stored]:
        if self.expected is None:
            return (yield from self._at_head())
        if self.expected > 0:
            return (yield from self._at_version(self.expected))
        outcome = yield from self._create()
        if isinstance(outcome, Stored):
            return outcome
        raise outcomes.conflict(self.stream, 0, outcome.head, outcome)

    def _at_version(self, expected: int) -> Steps[Stored]:
        head, generation = self.stream.heads.known_at(self.stream.key, expected, self.generation)
        if head is None:
            newest, stored = yield from self._newest_above(expected)
            if newest is None:
                raise (
                    outcomes.conflict(self.stream, expected)
                    if generation is None
                    else self._other_generation(0)
                )
            head = newest.head
            self._check_mixing(head)
            if generation not in (None, head.generation):
                raise self._other_generation(head.version)
            if head.version != expected:
                if stored is None:
                    stored = yield from self._is_stored_after(expected, newest)
                if stored:
                    return Stored(expected)
                raise outcomes.conflict(self.stream, expected, head, newest)
        outcome = yield from self._put_after(head)
        if isinstance(outcome, Stored):
            return outcome
        found = outcome.head
        if found is not None:
            self._check_mixing(found)
        if found is None or found.generation != head.generation:
            raise self._other_generation(0 if found is None else found.version)
        raise outcomes.conflict(self.stream, expected, found, outcome.commit)

    def _other_generation(self, actual: int) -> ConcurrentStreamWriteError:
        return ConcurrentStreamWriteError(self.stream.id, self.expected, actual, ANOTHER_GENERATION)

    def _at_head(self) -> Steps[Stored]:
        head = self._remembered()
        lost = 0
        while True:
            if head is None:
                newest = yield from newest_commit(self.stream)
                if newest is None:
                    created = yield from self._create()
                    if isinstance(created, Stored):
                        return created
                    newest = created
                head = newest.head
            self._check_mixing(head)
            outcome = yield from self._put_after(head)
            if isinstance(outcome, Stored):
                return outcome
            lost += 1
            # Retrying after the returned commit saves a read, but a writer that is several commits
            # late would never catch up. So it reads again every second time.
            head = outcome.head if lost % 2 else None
            if lost > 2:  # noqa: PLR2004 - two losses do not mean many writers
                yield Pause(lost)

    def _create(self) -> Steps[Stored | Commit]:
        """Begin a generation. If the stream exists, return its newest commit instead."""
        stream = self.stream
        generation = stream.now_in_microseconds()
        lost = 0
        while True:
            outcome = yield from self._put(Head(generation, 0, self.versionless))
            if isinstance(outcome, Stored):
                return outcome
            collision = outcome
            if (own := collision.commit_of(generation)) and self._agrees(own, 0):
                # Ours, or another creation in the same microsecond; the stream must still exist.
                collision = collision._replace(maybe_ours=True)
            leftover = not is_fence(collision.item)
            if leftover:
                newest = yield from self._look(newest_commit(stream), collision)
                if newest is not None:
                    self._check_mixing(newest.head, maybe_ours=collision.maybe_ours)
                    there = collision.commit_of(newest.generation)
                    stored = (there is None or self._agrees(there, 0)) and (
                        yield from self._look(self._is_stored_after(0, newest), collision)
                    )
                    if not stored and collision.maybe_ours:
                        raise self._unknown(outcomes.MAY_ARRIVE)
                    return Stored(0) if stored else newest
            if collision.maybe_ours:
                # The events were stored and then deleted, or the put is still on its way. Another
                # put could store them twice.
                raise self._unknown(outcomes.DELETED)
            if leftover:  # a deletion crashed, or is still running
                # Imported here, because few processes need it.
                from dynamo_es.dynamodb.streams.delete import finish_deletion

                yield from finish_deletion(stream)
            generation = max(stream.now_in_microseconds(), generation_of(collision.item) + 1)
            lost += 1
            if lost > 1:
                yield Pause(lost)

    def _put_after(self, head: Head) -> Steps[Stored | Overtaken]:
        outcome = yield from self._put(head)
        if isinstance(outcome, Collision):
            return (yield from self._after_collision(head, outcome))
        return outcome

    def _put(self, head: Head) -> Steps[Stored | Collision]:
        stream = self.stream
        plan = plan_commits(stream, head, self.events, self.enlisted)
        own = len(plan.commits)
        try:
            yield put_request(stream.table, plan)
        except ConditionRefused as refused:
            in_the_way = next((item for item in refused.items[:own] if item), None)
            if in_the_way is not None:
                return Collision(in_the_way, refused.maybe_landed)
            if (other := min(refused.refused)) >= own:
                raise EnlistedWriteRefusedError(
                    stream.id, other - own, refused.items[other]
                ) from refused
            maybe_ours = refused.maybe_landed
        except OutcomeUnknown as unknown:
            return (yield from self._look_up(head, outcomes.unconfirmed(stream.table, unknown)))
        else:
            stream.heads.remember(stream.key, plan.head, plan.commits[-1].version)
            self.commits = plan.commits
            self.stored_in = plan.head.generation
            return Stored(head.version)
        return (
            yield from self._look_up(
                head, "the item that refused the append is gone", maybe_ours=maybe_ours
            )
        )

    def _look_up(self, head: Head, reason: str, *, maybe_ours: bool = True) -> Steps[Collision]:
        """Read the item at the events' version. If there is none, the put may still arrive."""
        stream = self.stream
        try:
            response = yield get_item(stream.table, stream.key, head.version + 1)
        except ServiceError as error:
            raise self._unknown(f"{reason}, and {outcomes.UNREAD}") from error
        item = response.get("Item")
        if not item or (is_fence(item) and generation_of(item) < head.generation):
            raise self._unknown(f"{reason}, and {outcomes.ABSENT}")
        return Collision(item, maybe_ours)

    def _after_collision(self, head: Head, collision: Collision) -> Steps[Stored | Overtaken]:
        """Find out whether the events are stored after a head.

        Raises:
            AppendOutcomeUnknownError: they may have been stored in a generation that has ended.
        """
        stream = self.stream
        commit = collision.commit_of(head.generation)
        if commit is not None and not self._agrees(commit, head.version):
            # A version is written once in a generation, so our events can never get there.
            seen = stream.heads.remember(stream.key, commit.head, commit.version)
            return Overtaken(seen, commit)
        stream.heads.forget(stream.key)
        if commit is not None:
            # The item has the same events. If the next read fails, they may still be stored.
            collision = collision._replace(maybe_ours=True)
        newest = yield from self._look(newest_commit(stream), collision)
        if newest is not None and newest.generation == head.generation:
            stored = yield from self._look(self._is_stored_after(head.version, newest), collision)
            return Stored(head.version) if stored else Overtaken(newest.head, commit)
        if collision.maybe_ours:
            raise self._unknown(outcomes.DELETED)
        return Overtaken(None if newest is None else newest.head, commit)

    def _look(self, steps: Steps[T], collision: Collision) -> Steps[T]:
        """Read the stream after a collision.

        If the put may have been carried out and the read fails, the outcome is unknown.
        """
        try:
            return (yield from steps)
        except (ServiceError, StoredItemError) as error:
            if collision.maybe_ours:
                raise self._unknown(outcomes.UNREAD) from error
            raise
        except outcomes.StreamChanged as error:
            if collision.maybe_ours:
                raise self._unknown(outcomes.DELETED) from error
            raise

    def _is_stored_after(self, version: int, newest: Commit) -> Steps[bool]:
        """Return whether the events are stored directly after ``version``.

        Raises:
            StreamChanged: the stream was deleted in the meantime.
        """
        self.stored_in = newest.generation
        if version + len(self.events) > newest.last:
            return False
        if version + 1 == newest.version:
            return self._agrees(newest, version)
        try:
            again, stored = yield from self._stored_after(version)
        except StreamGapError as error:
            raise outcomes.StreamChanged from error
        if stored or (again is not None and again.generation == newest.generation):
            return stored
        raise outcomes.StreamChanged

    def _newest_above(self, expected: int) -> Steps[tuple[Commit | None, bool | None]]:
        """Return the newest commit, and whether the events are stored; None: not checked.

        A process that saw the stream above the expected version expects a conflict, unless its
        events are already stored. One load shows both.
        """
        seen = self.stream.heads.recall(self.stream.key)
        if seen is None or seen.head.version <= expected:
            return (yield from newest_commit(self.stream)), None
        try:
            return (yield from self._stored_after(expected))
        except StreamGapError as error:
            raise outcomes.StreamChanged from error

    def _stored_after(self, version: int) -> Steps[tuple[Commit | None, bool]]:
        """Return the newest commit, and whether the events are stored right after ``version``."""
        stop = version + 1 + len(self.events)
        newest, found = yield from load_with_newest(self.stream, version + 1, stop)
        if newest is not None:
            self.stored_in = newest.generation
        return newest, [event.uuid for event in found] == [event.uuid for event in self.events]

    def _agrees(self, commit: Commit, version: int) -> bool:
        """Return whether a commit has this append's events where both overlap after ``version``."""
        put = self.events[commit.version - version - 1 :]
        pairs = zip(event_uuids(commit.item, self.stream.most_bytes), put, strict=False)
        return bool(put) and all(uuid == event.uuid for uuid, event in pairs)

    def _remembered(self) -> Head | None:
        """Return the remembered head if it fits. A stale one does not prove mixed versioning."""
        head = self.stream.heads.get(self.stream.key)
        return head if head is not None and head.versionless is self.versionless else None

    def _check_mixing(self, head: Head, *, maybe_ours: bool = False) -> None:
        if maybe_ours:
            return  # the events may be stored in another generation, which has its own versioning
        if head.versionless and not self.versionless:
            raise ExpectedVersionUsedOnVersionlessStream(self.stream.id)
        if self.versionless and not head.versionless:
            raise NoExpectedVersionGivenOnVersionedStream(self.stream.id)

    def _unknown(self, reason: str) -> AppendOutcomeUnknownError:
        return AppendOutcomeUnknownError(self.stream.id, self.expected, f"{reason}.")

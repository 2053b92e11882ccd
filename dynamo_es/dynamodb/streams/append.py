"""Appending: one conditional put behind the head, whatever it takes to know the outcome.

The condition refuses where a commit is, or where a fence keeps the generation out, and
hands back what stands there. From that item alone most outcomes are certain; the rest is
looked up, and what stays unknown is reported as unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from dynamo_es.contracts import ANOTHER_GENERATION
from dynamo_es.dynamodb.streams.collisions import Collision, StreamChanged
from dynamo_es.dynamodb.streams.commits import plan_commits, put_request
from dynamo_es.dynamodb.streams.delete import finish_deletion
from dynamo_es.dynamodb.streams.items import (
    Commit,
    Head,
    decode_events,
    event_uuids,
    generation_of,
    is_fence,
)
from dynamo_es.dynamodb.streams.load import load, newest_commit
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
    """One append and its ways to an outcome.

    Attributes:
        stream: where to.
        events: what; one or more, checked already.
        expected: version the stream must have; None: any.
        generation: the one in which it must have that version; None: the caller knows none.
        versionless: whether the stream is to be one without versions.
        enlisted: writes to other tables that go along, checked already.
        commits: what it has put; empty if the events were stored already.
        stored_in: generation that the events are stored in; 0 before they are.
        last: version of its last event, 1-based, as the stream counts it; 0 before it is done.
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
        """Return the append that `StorageStrategy.insert_events` asks for."""
        expected = generation = None
        if isinstance(versioning, ExplicitVersioning):
            expected, generation = versioning.expected_version, versioning.generation
        return cls(stream, events, expected, versioning is NO_VERSIONING, generation, enlisted)

    def run(self) -> Steps[StoredVersion | None]:
        """Append and return the new version, or raise what `StorageStrategy.insert_events` says."""
        changed = 0
        while True:
            try:
                version = yield from self._run()
            except StreamChanged:
                changed += 1
            else:
                self.last = version + len(self.events)
                if self.versionless:
                    return None
                return StoredVersion(self.last, self.stored_in, repeated=not self.commits)
            yield Pause(changed)

    def _run(self) -> Steps[int]:
        """Append and return the version that the events are stored behind."""
        if self.expected is None:
            return (yield from self._at_head())
        if self.expected > 0:
            yield from self._behind(self.expected)
        else:
            newest = yield from self._create()
            if newest is not None:
                raise self._conflict(0, newest.head, newest)
        return self.expected

    def _behind(self, expected: int) -> Steps[None]:
        head, generation = self._known_at(expected)
        if head is None:
            newest = yield from newest_commit(self.stream)
            if newest is None:
                raise self._conflict(expected) if generation is None else self._moved_on(0)
            head = newest.head
            self._check_mixing(head)
            if generation not in (None, head.generation):
                raise self._moved_on(head.version)
            if head.version != expected:
                if (yield from self._stored_behind(expected, newest)):
                    return
                raise self._conflict(expected, head, newest)
        collision = yield from self._put(head)
        if collision is None:
            return
        found = yield from self._after_collision(head, collision)
        if found is head:
            return
        if found is not None:
            self._check_mixing(found)
        if found is None or found.generation != head.generation:
            raise self._moved_on(0 if found is None else found.version)
        raise self._conflict(expected, found, collision.commit_of(head.generation))

    def _known_at(self, expected: int) -> tuple[Head | None, int | None]:
        """Return the head if it is known to be there, and the generation that it has to be of.

        A head that is not to be used unread still tells the generation: that of a caller
        who says none is the one in which this process saw the expected version last.
        """
        generation = self.generation
        seen = self.stream.heads.recall(self.stream.key)
        if seen is None or seen.head.versionless or seen.head.version != expected:
            return None, generation
        if generation is None:
            generation = seen.head.generation
        known = seen.trusted and seen.head.generation == generation
        return (seen.head if known else None), generation

    def _moved_on(self, actual: int) -> ConcurrentStreamWriteError:
        return ConcurrentStreamWriteError(self.stream.id, self.expected, actual, ANOTHER_GENERATION)

    def _conflict(
        self, expected: int, found: Head | None = None, commit: Commit | None = None
    ) -> ConcurrentStreamWriteError:
        """Return the refusal, with the events after ``expected`` if that commit is all of them."""
        winning: list[RawEvent] = []
        if commit is not None and commit.version == expected + 1 and commit.head == found:
            most = self.stream.most_bytes
            winning = decode_events(commit.item, self.stream.id, commit.version, most)
        actual = 0 if found is None else found.version
        return ConcurrentStreamWriteError(self.stream.id, expected, actual, winning=tuple(winning))

    def _at_head(self) -> Steps[int]:
        head = self._remembered()
        lost = 0
        while True:
            if head is None:
                newest = yield from newest_commit(self.stream)
                newest = newest or (yield from self._create())
                if newest is None:
                    return 0
                head = newest.head
            self._check_mixing(head)
            collision = yield from self._put(head)
            if collision is None:
                return head.version
            found = yield from self._after_collision(head, collision)
            if found is head:
                return head.version
            lost += 1
            # Right behind what came back costs no read; but whoever is several commits late
            # would stay one step behind the others for ever, so every second time it reads.
            head = found if lost % 2 else None
            if lost > 2:  # noqa: PLR2004 - two losses are no sign of a crowd
                yield Pause(lost)

    def _create(self) -> Steps[Commit | None]:
        """Begin a new life; None on success, else the newest commit of the stream that is there."""
        stream = self.stream
        generation = stream.now_in_microseconds()
        lost = 0
        while True:
            collision = yield from self._put(Head(generation, 0, self.versionless))
            if collision is None:
                return None
            if (own := collision.commit_of(generation)) and self._agrees(own, 0):
                # Its own, or of a namesake of the same microsecond; alive it has to be.
                collision = collision._replace(maybe_ours=True)
            leavings = not is_fence(collision.item)
            if leavings:
                newest = yield from self._look(newest_commit(stream), collision)
                if newest is not None:
                    self._check_mixing(newest.head)
                    there = collision.commit_of(newest.generation)
                    stored = (there is None or self._agrees(there, 0)) and (
                        yield from self._look(self._stored_behind(0, newest), collision)
                    )
                    if not stored and collision.maybe_ours:
                        raise self._unknown("its reply was lost, and it may land in a later life")
                    return None if stored else newest
            if collision.maybe_ours:
                # Stored and deleted since, or still on its way: another put would store it twice.
                raise self._unknown("its reply was lost, and the stream was deleted since")
            if leavings:  # of a deletion that died half done, or is under way
                yield from finish_deletion(stream)
            generation = max(stream.now_in_microseconds(), generation_of(collision.item) + 1)
            lost += 1
            if lost > 1:
                yield Pause(lost)

    def _put(self, head: Head) -> Steps[Collision | None]:
        """Put the events behind a head; None on success, else what stands there."""
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
            reason = f"the append got no reply ({unknown.error})"
            return (yield from self._look_up(head, reason))
        else:
            stream.heads.remember(stream.key, plan.head)
            self.commits = plan.commits
            self.stored_in = plan.head.generation
            return None
        return (yield from self._look_up(head, "what refused it is gone", maybe_ours=maybe_ours))

    def _look_up(self, head: Head, reason: str, *, maybe_ours: bool = True) -> Steps[Collision]:
        """Look where the events may be. Nothing there is no proof: they may be on their way."""
        stream = self.stream
        try:
            response = yield get_item(stream.table, stream.key, head.version + 1)
        except ServiceError as error:
            raise self._unknown(f"{reason}, and looking it up failed") from error
        item = response.get("Item")
        if not item or (is_fence(item) and generation_of(item) < head.generation):
            raise self._unknown(f"{reason}, and it is not stored so far")
        return Collision(item, maybe_ours)

    def _after_collision(self, head: Head, collision: Collision) -> Steps[Head | None]:
        """Return ``head`` itself if the events are stored behind it, else where the stream stands.

        Raises:
            AppendOutcomeUnknownError: they may have been stored in a life that is over.
        """
        stream = self.stream
        commit = collision.commit_of(head.generation)
        if commit is not None and not self._agrees(commit, head.version):
            # A version is written once in a generation: ours is not there, and never will be.
            return stream.heads.remember(stream.key, commit.head)
        stream.heads.forget(stream.key)
        if commit is not None:
            # The same events: whoever put them there, a failure to look is no failure to store.
            collision = collision._replace(maybe_ours=True)
        newest = yield from self._look(newest_commit(stream), collision)
        if newest is not None and newest.generation == head.generation:
            stored = yield from self._look(self._stored_behind(head.version, newest), collision)
            return head if stored else newest.head
        if collision.maybe_ours:
            raise self._unknown("its reply was lost, and the stream was deleted since")
        return None if newest is None else newest.head

    def _look(self, steps: Steps[T], collision: Collision) -> Steps[T]:
        """Read on behalf of a collision: where the put may have landed, a failure hides it."""
        try:
            return (yield from steps)
        except ServiceError as error:
            if collision.maybe_ours:
                raise self._unknown("its reply was lost, and looking it up failed") from error
            raise
        except StreamChanged as error:
            if collision.maybe_ours:
                raise self._unknown(
                    "the stream was deleted while the append looked for its events"
                ) from error
            raise

    def _stored_behind(self, version: int, newest: Commit) -> Steps[bool]:
        """Whether these very events are stored behind ``version`` in a stream that ends so.

        Raises:
            StreamChanged: it was deleted meanwhile.
        """
        self.stored_in = newest.generation
        if version + len(self.events) > newest.last:
            return False
        if version + 1 == newest.version:
            return self._agrees(newest, version)
        try:
            stored = yield from load(self.stream, version + 1, version + 1 + len(self.events))
        except StreamGapError as error:
            raise StreamChanged from error
        if [event.uuid for event in stored] == [event.uuid for event in self.events]:
            return True
        again = yield from newest_commit(self.stream)
        if again is None or again.generation != newest.generation:
            raise StreamChanged
        return False

    def _agrees(self, commit: Commit, version: int) -> bool:
        """Whether a commit has the events put behind ``version``, as far as both go."""
        put = self.events[commit.version - version - 1 :]
        pairs = zip(event_uuids(commit.item, self.stream.most_bytes), put, strict=False)
        return bool(put) and all(uuid == event.uuid for uuid, event in pairs)

    def _remembered(self) -> Head | None:
        """Return the remembered head, unless it is of a life with versions where this has none.

        It may be stale: that alone is no proof of mixing.
        """
        head = self.stream.heads.get(self.stream.key)
        return head if head is not None and head.versionless is self.versionless else None

    def _check_mixing(self, head: Head) -> None:
        if head.versionless and not self.versionless:
            raise ExpectedVersionUsedOnVersionlessStream(self.stream.id)
        if self.versionless and not head.versionless:
            raise NoExpectedVersionGivenOnVersionedStream(self.stream.id)

    def _unknown(self, reason: str) -> AppendOutcomeUnknownError:
        return AppendOutcomeUnknownError(self.stream.id, self.expected, f"{reason}.")

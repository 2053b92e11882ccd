"""`PartAppend` and `Check`: the part of one stream in an append to several streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self, cast

from dynamo_es.contracts import STORED_IN_ONE_STREAM
from dynamo_es.dynamodb.streams.appending.append import Append
from dynamo_es.dynamodb.streams.appending.outcomes import conflict as conflict_of
from dynamo_es.dynamodb.streams.items import Head, is_fence, read_commit
from dynamo_es.dynamodb.streams.loading.load import newest_commit
from dynamo_es.exceptions import AppendOutcomeUnknownError, ConcurrentStreamWriteError
from dynamo_es.values import StoredVersion

if TYPE_CHECKING:
    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import ExplicitVersioning


class Found(NamedTuple):
    """The state of a stream, as far as its part in the call needs it.

    Attributes:
        stored: whether the events are stored at their versions.
        conflict: why they cannot be stored; None: they are stored, or the stream is at the expected
            version.
        generation: the current generation; 0: the stream does not exist.
    """

    stored: bool
    conflict: ConcurrentStreamWriteError | None
    generation: int


class PartAppend(Append):
    """An append to one stream, alone or as a part of one append to several.

    As a part it has an explicit expected version. Alone it runs like any `Append`.
    """

    __slots__ = ()

    @property
    def key(self) -> str:
        """Partition key of the stream."""
        return self.stream.key

    def head(self, closed: int) -> Steps[Head | None]:
        """Return the head after which to append the events; None: they are already stored.

        Args:
            closed: a generation of the stream that has ended; 0: none is known.

        Raises:
            ConcurrentStreamWriteError: the stream is at another version, or in another generation.
        """
        expected = cast("int", self.expected)
        if expected == 0:
            return self._first_head(closed)
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

    def _first_head(self, closed: int) -> Head:
        return Head(max(self.stream.now_in_microseconds(), closed + 1), 0, versionless=False)

    def look(self, written_for: Head | None = None) -> Steps[Found]:
        """Read the state of the stream.

        Args:
            written_for: the head after which the transaction was to write; None: none was sent.

        Raises:
            StreamChanged: the stream was deleted in the meantime.
        """
        expected = cast("int", self.expected)
        newest = yield from newest_commit(self.stream)
        if newest is None:
            conflict = None if expected == 0 else self._other_generation(0)
            return Found(stored=False, conflict=conflict, generation=0)
        self._check_mixing(newest.head)
        generation = self.generation
        if generation is None and expected > 0 and written_for is not None:
            generation = written_for.generation
        if generation not in (None, newest.generation):
            moved_on = self._other_generation(newest.last)
            return Found(stored=False, conflict=moved_on, generation=newest.generation)
        if (yield from self._is_stored_after(expected, newest)):
            return Found(stored=True, conflict=None, generation=newest.generation)
        conflict = None
        if newest.last != expected:
            conflict = conflict_of(self.stream, expected, newest.head, newest)
        return Found(stored=False, conflict=conflict, generation=newest.generation)

    def shown_by(self, item: Item | None, head: Head | None) -> Found | None:
        """Return the state that the refusing item shows; None: read the stream.

        A version is written once in a generation. So if another writer's commit of the generation
        is there, the events never get there. At version 1 the item may be a leftover of a deletion.
        """
        if item is None or head is None or head.version == 0 or is_fence(item):
            return None
        commit = read_commit(item)
        if commit.generation != head.generation or self._agrees(commit, head.version):
            return None
        seen = self.stream.heads.remember(self.stream.key, commit.head, commit.version)
        conflict = conflict_of(self.stream, head.version, seen, commit)
        return Found(stored=False, conflict=conflict, generation=commit.generation)

    def stored(self) -> StoredVersion:
        """Return the version that the stream has after the events are stored."""
        self.last = cast("int", self.expected) + len(self.events)
        return StoredVersion(self.last, self.stored_in, repeated=not self.commits)

    def conflict(self) -> ConcurrentStreamWriteError:
        """Return the conflict for events that are stored while those of another stream are not."""
        return ConcurrentStreamWriteError(
            self.stream.id,
            self.expected,
            cast("int", self.expected) + len(self.events),
            STORED_IN_ONE_STREAM,
        )

    def unknown(self, reason: str) -> AppendOutcomeUnknownError:
        """Return the error for an append that may have been carried out."""
        return self._unknown(reason)


class Check(PartAppend):
    """A stream of the call that must stay unchanged: an append without events."""

    __slots__ = ()

    @classmethod
    def that(cls, stream: Stream, versioning: ExplicitVersioning) -> Self:
        """Return the check that a stream is at a version."""
        return cls(
            stream,
            (),
            versioning.expected_version,
            versionless=False,
            generation=versioning.generation,
        )

    def _first_head(self, closed: int) -> Head:
        return Head(closed, 0, versionless=False)

    def _newest_above(
        self,
        expected: int,  # noqa: ARG002 - there are no events to find after it
    ) -> Steps[tuple[Commit | None, bool | None]]:
        return (yield from newest_commit(self.stream)), False

    def _is_stored_after(
        self,
        version: int,  # noqa: ARG002
        newest: Commit,  # noqa: ARG002
    ) -> Steps[bool]:
        return False
        yield  # makes this a generator, like that of an append

"""The outcomes of an append and its puts: stored, overtaken, or in doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.dynamodb.streams.items import decode_events, is_fence, read_commit
from dynamo_es.exceptions import ConcurrentStreamWriteError, ServiceError

if TYPE_CHECKING:
    from dynamo_es.dynamodb.streams.items import Commit, Head
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.errors import OutcomeUnknown
    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import RawEvent

NO_REPLY: Final = "an attempt of the append got no reply"
MAY_ARRIVE: Final = "an attempt of the append may still arrive"
DELETED: Final = "the stream was deleted during the append, maybe after the events were stored"
UNREAD: Final = "reading the stream to find out failed"
ABSENT: Final = "the events are not in the stream so far"


def unconfirmed(table: str, unknown: OutcomeUnknown) -> str:
    """Return the reason for an unknown outcome: the request, its table and the error code."""
    error = unknown.error
    operation, code = (
        (error.operation, error.code)
        if isinstance(error, ServiceError)
        else ("the append", type(error).__name__)
    )
    return f"{operation} on table {table!r} got no usable reply ({code})"


@dataclass(frozen=True, slots=True)
class Stored:
    """The events are stored.

    Attributes:
        after: version of the event before the first one; 0 if the events begin the stream.
    """

    after: int


@dataclass(frozen=True, slots=True)
class Overtaken:
    """The events are not stored, and this put can never store them: the stream has moved on.

    Attributes:
        head: the current head of the stream; None: the stream does not exist.
        commit: the commit that has the version of the events; None if there is none.
    """

    head: Head | None
    commit: Commit | None


class Collision(NamedTuple):
    """A put was refused, or got no reply, and there is an item at its key.

    Attributes:
        item: the commit or fence at the key.
        maybe_ours: whether an attempt of this put may have been carried out.
    """

    item: Item
    maybe_ours: bool

    def commit_of(self, generation: int) -> Commit | None:
        """Return the item if it is a commit of a generation; otherwise None."""
        if is_fence(self.item):
            return None
        commit = read_commit(self.item)
        return commit if commit.generation == generation else None


def conflict(
    stream: Stream, expected: int, found: Head | None = None, commit: Commit | None = None
) -> ConcurrentStreamWriteError:
    """Return the error; it has the events after ``expected`` if the commit has all of them."""
    winning: list[RawEvent] = []
    if commit is not None and commit.version == expected + 1 and commit.head == found:
        winning = decode_events(commit.item, stream.id, commit.version, stream.most_bytes)
    actual = 0 if found is None else found.version
    return ConcurrentStreamWriteError(stream.id, expected, actual, winning=tuple(winning))


class StreamChanged(Exception):  # noqa: N818 - nothing is wrong
    """The stream was deleted while an append searched for its events. The append starts again."""

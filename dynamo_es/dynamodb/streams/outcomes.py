"""What an append and its puts can come to: stored, overtaken, or in doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.dynamodb.streams.items import is_fence, read_commit

if TYPE_CHECKING:
    from dynamo_es.dynamodb.streams.items import Commit, Head
    from dynamo_es.dynamodb.wire.steps import Item


@dataclass(frozen=True, slots=True)
class Stored:
    """The events are stored.

    Attributes:
        after: version of the event before the first of them; 0 if they begin the stream.
    """

    after: int


@dataclass(frozen=True, slots=True)
class Overtaken:
    """The events are not stored, and never will be by this put: the stream is elsewhere by now.

    Attributes:
        head: where the stream stands; None: it does not exist.
        commit: the commit that took the place of the events; None if it is not there.
    """

    head: Head | None
    commit: Commit | None


class Collision(NamedTuple):
    """A put was refused, or got no reply, and an item stands where it wanted to write.

    Attributes:
        item: the commit or fence that stands there.
        maybe_ours: whether an attempt of this very put may have been carried out.
    """

    item: Item
    maybe_ours: bool

    def commit_of(self, generation: int) -> Commit | None:
        """Return the item as a commit of that generation; None if it is anything else."""
        if is_fence(self.item):
            return None
        commit = read_commit(self.item)
        return commit if commit.generation == generation else None


class StreamChanged(Exception):  # noqa: N818 - nothing is wrong
    """The stream was deleted while an append looked for its events: the append starts again."""

"""What an append meets: an item where it wanted to write, or a stream that ended meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.dynamodb.streams.items import is_fence, read_commit

if TYPE_CHECKING:
    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.wire.steps import Item


class Collision(NamedTuple):
    """What a put met where it wanted to write.

    Attributes:
        item: the commit or fence that stands there.
        maybe_ours: whether an attempt of this very put may have been carried out.
    """

    item: Item
    maybe_ours: bool

    def commit_of(self, generation: int) -> Commit | None:
        """Return the commit in the way if it is of that generation."""
        if is_fence(self.item):
            return None
        commit = read_commit(self.item)
        return commit if commit.generation == generation else None


class StreamChanged(Exception):  # noqa: N818 - nothing is wrong
    """The generation that an append looked for its events in ended: nothing was learnt."""

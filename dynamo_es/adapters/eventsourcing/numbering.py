"""Notification ids: positions of the log, given right after events are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.adapters.eventsourcing.writing import Stored
from dynamo_es.dynamodb.log.inline_sequencer import CommitKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.dynamodb.log.inline_sequencer import InlineSequencer
    from dynamo_es.dynamodb.streams.append import Append
    from dynamo_es.values import TenantId


def number_stored(
    sequencer: InlineSequencer, tenant_id: TenantId, stored: Sequence[Append | Stored]
) -> list[list[int]] | None:
    """Give what a call stored its positions; return those of each stream's events.

    Returns:
        None if nobody can tell: it is logged why.
    """
    # All of a call at once, so that they come one after the other.
    whole = stored[0]
    if len(stored) > 1:
        commits = [commit for some in stored for commit in some.commits]
        whole = Stored(whole.stream, commits, whole.last)
    stream_id = whole.stream.id
    key = sequencer.sequence(tenant_id, stream_id, whole)  # type: ignore[arg-type]
    if key is None:
        return None
    if not whole.commits:  # stored by an attempt whose reply was lost, and found again
        first = sequencer.position_of(tenant_id, stream_id, key)
        return None if first is None else [list(range(first, first + whole.last - key[2] + 1))]
    found: list[list[int]] = []
    for some in stored:
        positions: list[int] = []
        for commit in some.commits:
            place = CommitKey(some.stream.key, commit.generation, commit.version)
            first = sequencer.position_of(tenant_id, some.stream.id, place)
            if first is None:
                return None
            positions += range(first, first + commit.last - commit.version + 1)
        found.append(positions)
    return found

"""Saves snapshots: one item for each stream, which only a newer snapshot replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.dynamodb.streams.appending.commits import plan_snapshot
from dynamo_es.dynamodb.streams.loading.load import newest_commit
from dynamo_es.dynamodb.streams.requests import put_snapshot
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.exceptions import (
    ExpectedVersionUsedOnVersionlessStream,
    SnapshotAheadOfStreamError,
)

if TYPE_CHECKING:
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps
    from dynamo_es.values import RawEvent


def save_snapshot(stream: Stream, snapshot: RawEvent, version: int) -> Steps[None]:
    """Save a snapshot of ``version``; see `StorageStrategy.save_snapshot`."""
    generation = snapshot.generation
    head = stream.heads.get(stream.key)
    if (
        head is None
        or head.version < version
        or head.versionless
        or generation not in (None, head.generation)
    ):
        newest = yield from newest_commit(stream)
        head = None if newest is None else newest.head
    if head is None:
        raise SnapshotAheadOfStreamError(stream.id, version, 0)
    if head.versionless:
        raise ExpectedVersionUsedOnVersionlessStream(stream.id)
    if generation not in (None, head.generation):
        return  # The snapshot is of an earlier generation, so older than the stored events.
    if head.version < version:
        raise SnapshotAheadOfStreamError(stream.id, version, head.version)
    item = plan_snapshot(stream.key, snapshot, head.generation, stream.compression)
    try:
        yield put_snapshot(stream.table, item)
    except ConditionRefused:
        # A snapshot that is as new, or of a later generation, is already stored. That is no error.
        # The head used here may be of an earlier generation, so forget it.
        stream.heads.forget(stream.key)
    else:
        stream.heads.remember_saved(stream.key, version)

"""Finds the version that a stream had at a time. A past version is always the end of a commit.

The time of a commit is the latest ``created_at`` of its events, by the clock of the process that
made them. The times of a stream's commits ascend, unless clocks differ. A commit that seems to be
earlier than the one before it may then be included or left out together with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.contracts.checks.arguments import microseconds_of
from dynamo_es.exceptions import InputError, StreamGapError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from datetime import datetime

    from dynamo_es.contracts import StorageStrategy, StreamCommit
    from dynamo_es.values import StreamId


class PastVersion(NamedTuple):
    """A version that a stream has, or had.

    Attributes:
        version: the version; in a stream without versions, the number of events. 0: no events.
        generation: generation of the stream; 0: the stream does not exist.
    """

    version: int
    generation: int


def version_as_of(storage: StorageStrategy, stream_id: StreamId, moment: datetime) -> PastVersion:
    """Return the version that a stream had at a moment, after all commits up to then, inclusive.

    Args:
        storage: storage of the stream.
        stream_id: the stream.
        moment: a datetime with a time zone.

    Raises:
        InputError: the moment is not a datetime, or has no time zone.
        StreamGapError: the stream was deleted in the meantime.

    Cost: 2 requests, and 1 for each step of a binary search: 12 in all for a thousand commits.
    """
    microseconds_of("as_of", moment)
    head = storage.head(stream_id)
    if head is None:
        return PastVersion(0, 0)
    low, high, probe = 0, head.length, head.length
    while low < high:
        commit = _commit(storage, stream_id, probe, head.generation)
        if commit.appended_at <= moment:
            low = commit.last
        else:
            high = commit.first - 1
        probe = (low + high + 1) // 2
    return PastVersion(low, head.generation)


def version_at(storage: StorageStrategy, stream_id: StreamId, version: int) -> PastVersion:
    """Check that a stream had a version at the end of a commit, or 0, and return it.

    Raises:
        InputError: the version is not an integer of 0 or more, is after the end of the stream, or
            is inside a commit.
        StreamGapError: the stream was deleted in the meantime.

    Cost: 2 requests.
    """
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise InputError(f"at_version must be an integer of 0 or more, not {shown(version)}.")
    head = storage.head(stream_id)
    length = 0 if head is None else head.length
    if version > length:
        raise InputError(f"at_version must not be after the stream's version {length}: {version}.")
    if head is None:
        return PastVersion(0, 0)
    if version:
        commit = _commit(storage, stream_id, version, head.generation)
        if commit.last != version:
            raise InputError(
                f"at_version {int(version)} is inside the commit of the versions {commit.first} to "
                f"{commit.last}, which were appended together: give {commit.first - 1} or "
                f"{commit.last}."
            )
    return PastVersion(int(version), head.generation)


def _commit(
    storage: StorageStrategy, stream_id: StreamId, version: int, generation: int
) -> StreamCommit:
    commit = storage.commit_at(stream_id, version, generation)
    if commit is None:
        raise StreamGapError(stream_id, version)
    return commit

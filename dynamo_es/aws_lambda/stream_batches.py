"""Groups the records of a batch by stream, in order, and counts what happened to them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dynamo_es.aws_lambda.records import CommitRecord


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Takes the place of an event that cannot be read.

    Attributes:
        error: the error to raise when the event is to be applied.
    """

    error: Exception


@dataclass(slots=True)
class Totals:
    """Counts of what a handler has done since its process began.

    Attributes:
        records: records of all batches.
        skipped: records of snapshots, fences and removals, and commits not selected.
        foreign: records of items that this library did not write.
        damaged: records of items of this library that no release can read.
        applied: events that the function applied.
        failed: calls of the function that raised, streams that could not be leased or read, and
            records that wait for a newer release.
        parked: records that were passed over because their stream is parked.
    """

    records: int = 0
    skipped: int = 0
    foreign: int = 0
    damaged: int = 0
    applied: int = 0
    failed: int = 0
    parked: int = 0


def done_by(run: Sequence[CommitRecord], reached: int) -> int:
    """Return how many commits end at or before a version."""
    return sum(record.hint.last_version <= reached for record in run)


def by_stream(commits: Iterable[CommitRecord]) -> Iterator[list[CommitRecord]]:
    """Yield the commits of each stream, ordered by generation and version, without repetitions."""
    streams: dict[str, dict[tuple[int, int], CommitRecord]] = {}
    for commit in commits:
        place = commit.hint.generation, commit.hint.first_version
        streams.setdefault(commit.hint.stream_key, {}).setdefault(place, commit)
    for stream in streams.values():
        yield [commit for _, commit in sorted(stream.items())]


def runs(commits: Sequence[CommitRecord]) -> Iterator[Sequence[CommitRecord]]:
    """Yield the commits that follow each other without a gap, within one generation."""
    ends = [
        index
        for index, (before, after) in enumerate(pairwise(commits), 1)
        if (after.hint.generation, after.hint.first_version)
        != (before.hint.generation, before.hint.last_version + 1)
    ]
    for start, end in pairwise([0, *ends, len(commits)]):
        yield commits[start:end]

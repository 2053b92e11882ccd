"""Drives a run of an outbox: publishes the records that it yields, and sends it the outcomes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from dynamo_es.values import RecordedRaw

T = TypeVar("T")

Outcomes: TypeAlias = "list[Exception | None]"
"""For each record, the exception that publishing raised, or None."""

Rounds: TypeAlias = "Generator[Sequence[RecordedRaw], Outcomes, T]"
"""A run that yields the records for one publisher call at a time. Send it the outcomes."""

Tries: TypeAlias = "Generator[RecordedRaw, Exception | None, T]"
"""A run that yields one record at a time. Send it the exception of publishing, or None."""


def go(started: Rounds[T], publish: Callable[[Sequence[RecordedRaw]], Outcomes]) -> T:
    """Publish the records that a run yields, and return its report.

    Args:
        started: the run.
        publish: publishes records; returns the outcome of each.
    """
    with closing(started) as rounds:
        try:
            records = next(rounds)
            while True:
                records = rounds.send(publish(records))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def one_by_one(started: Rounds[T]) -> Tries[T]:
    """Turn a run whose rounds have one record each into a run of single records."""
    with closing(started) as rounds:
        try:
            (record,) = next(rounds)
            while True:
                error = yield record
                (record,) = rounds.send([error])
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

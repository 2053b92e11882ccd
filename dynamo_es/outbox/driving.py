"""Drives a run of an outbox: publishes what it yields, and sends it the outcomes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from dynamo_es.values import RecordedRaw

T = TypeVar("T")

Outcomes: TypeAlias = "list[Exception | None]"
"""The exception that publishing raised for each record, or None."""

Rounds: TypeAlias = "Generator[Sequence[RecordedRaw], Outcomes, T]"
"""A run, one call of the publisher at a time: yields records to publish; send it the outcomes."""

Tries: TypeAlias = "Generator[RecordedRaw, Exception | None, T]"
"""A run, one try at a time: yields a record to publish; send it the exception, or None."""


def go(started: Rounds[T], publish: Callable[[Sequence[RecordedRaw]], Outcomes]) -> T:
    """Publish what a run yields, and return its report.

    Args:
        started: the run, one call of the publisher at a time.
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
    """Return a run whose rounds have one record each as one of single tries."""
    with closing(started) as rounds:
        try:
            (record,) = next(rounds)
            while True:
                error = yield record
                (record,) = rounds.send([error])
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

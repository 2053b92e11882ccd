"""Sizes of a run: enough to be sure, or enough to notice a regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of a run.

    Attributes:
        rounds: number of rounds of functions that are timed in turn.
        calls: number of calls of each function in a round.
        loaded_events: number of events in the stream whose loading is timed.
        history_events: number of events in the history that each store writes and reads.
        log_events: number of events that get positions and are read from the log; None for all.
        log_pages: number of pages of each sequencer whose rate is measured.
        log_rounds: number of rounds for each number of parallel requests.
        lengths: numbers of events in a stream.
        length_rounds: number of timed rounds at each length.
        priced_appends: number of appends from which the price of a million events is derived.
        commit_sizes: numbers of events in a commit.
        threads: numbers of threads that share a client.
        thread_rounds: number of rounds for each number of threads.
        thread_seconds: time of one round.
        contention_seconds: time of one round of writers of one boundary.
        contention_rounds: most rounds for each number of writers.
        offered_appends: number of appends by independent processes at each rate.
        cold_starts: number of starts of each kind of process.
        installs: whether to build and install a wheel and other packages.
    """

    rounds: int
    calls: int
    loaded_events: int
    history_events: int
    log_events: int | None
    log_pages: int
    log_rounds: int
    lengths: tuple[int, ...]
    length_rounds: int
    priced_appends: int
    commit_sizes: tuple[int, ...]
    threads: tuple[int, ...]
    thread_rounds: int
    thread_seconds: float
    contention_seconds: float
    contention_rounds: int
    offered_appends: int
    cold_starts: int
    installs: bool


FULL: Final = Scale(
    rounds=61,
    calls=40,
    loaded_events=1_000,
    history_events=2200,
    log_events=None,
    log_pages=20,
    log_rounds=5,
    lengths=(10, 100, 1_000, 10_000, 100_000),
    length_rounds=15,
    priced_appends=300,
    commit_sizes=(1, 2, 3, 5, 10, 25, 50, 100, 250),
    threads=(1, 2, 4, 8, 16),
    thread_rounds=5,
    thread_seconds=1.0,
    contention_seconds=3.0,
    contention_rounds=5,
    offered_appends=2_000,
    cold_starts=21,
    installs=True,
)

QUICK: Final = Scale(
    rounds=11,
    calls=10,
    loaded_events=1_000,
    history_events=200,
    log_events=2200,
    log_pages=10,
    log_rounds=2,
    lengths=(10, 100, 1_000),
    length_rounds=5,
    priced_appends=60,
    commit_sizes=(1, 3, 10, 50),
    threads=(1, 4),
    thread_rounds=2,
    thread_seconds=0.2,
    contention_seconds=1.0,
    contention_rounds=3,
    offered_appends=400,
    cold_starts=3,
    installs=False,
)

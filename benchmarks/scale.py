"""How much is run: enough to be sure, or enough to notice a regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of a run.

    Attributes:
        rounds: of what is timed in turns.
        calls: of each subject in a round.
        loaded_events: of the stream whose loading is timed.
        history_events: of the history to write and read; all stores do.
        log_events: of the history to give positions and read by the log; None: all of them.
        log_pages: of each sequencer whose rate is measured.
        log_rounds: of each number of requests at once.
        lengths: of streams, in events.
        length_rounds: of what is timed at each length.
        priced_appends: appends from which the price of a million events is derived.
        commit_sizes: events of one commit.
        threads: numbers of threads on one client.
        thread_rounds: of each number of threads.
        thread_seconds: of one round.
        contention_seconds: of one round of writers of one boundary.
        contention_rounds: of each number of writers, at most.
        offered_appends: appends by independent processes, at each rate.
        cold_starts: fresh processes of each kind.
        installs: whether other packages and a wheel are built and installed.
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

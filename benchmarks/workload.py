"""The same work for every store: the operations with a budget, and a whole history.

It uses only the standard library, so that drivers of other stores can run it without dynamo_es.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from benchmarks.sample import Sample, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.metering import Cost
    from benchmarks.sample import SampleEvent

COMMIT_SIZES: Final = (1, 3, 10)
HISTORY_COMMIT_SIZES: Final = (3, 10)
LOADED_COMMITS: Final = 32
EVENTS_PER_COMMIT: Final = 3
COMMITS_AFTER_SNAPSHOT: Final = 10


class Refused(Exception):  # noqa: N818 - a conflict is no error here
    """An append was refused, because the stream is not at the expected version."""


class Meter(Protocol):
    """Measures the cost of requests."""

    def take(self) -> Cost:
        """Return the cost since the last call."""


class Store(Protocol):
    """A store of streams in DynamoDB."""

    @property
    def meter(self) -> Meter:
        """Measures the cost of the store's requests."""

    @property
    def has_snapshots(self) -> bool:
        """Whether the store supports snapshots."""

    def append(self, stream: str, expected: int, events: Sequence[SampleEvent]) -> None:
        """Append in a process that knows the stream's version; raise `Refused` on a conflict."""

    def append_cold(self, stream: str, expected: int, events: Sequence[SampleEvent]) -> None:
        """Append in a process that must read the stream's version first."""

    def load(self, stream: str) -> int:
        """Read all events of a stream, consistently if possible; return their number."""

    def save_snapshot(self, stream: str, version: int, state: dict[str, Any]) -> None:
        """Store a snapshot of a stream."""

    def load_from_snapshot(self, stream: str) -> int:
        """Read the snapshot and the events after it; return the number of both together."""


def run_operations(store: Store) -> dict[str, Cost]:
    """Return the cost of each operation on a store, by name of the operation."""
    sample = Sample()
    costs: dict[str, Cost] = {}
    for size in COMMIT_SIZES:
        stream = f"appends-of-{size}"
        sample.rewind()
        for operation, version in (("create", 0), ("append", size)):
            append = partial(store.append, stream, version, sample.take(size))
            costs[f"{operation}, {_events(size)}"] = _spend(store, append)
    size = EVENTS_PER_COMMIT
    accepted = costs[f"append, {_events(size)}"]
    stream = f"appends-of-{size}"
    costs[f"append, cold, {_events(size)}"] = _spend(
        store, lambda: store.append_cold(stream, 2 * size, sample.take(size))
    )
    costs.update(_conflicts(store, sample, accepted))
    costs.update(_loads(store, sample))
    return costs


def _conflicts(store: Store, sample: Sample, accepted: Cost) -> dict[str, Cost]:
    size = EVENTS_PER_COMMIT
    sample.rewind()
    store.append("conflicts", 0, sample.take(size))
    # Another writer was faster, so the stream is not at the version that this one expects.
    store.append_cold("conflicts", size, sample.take(size))
    sample.rewind()
    sample.take(size)
    late = sample.take(size)
    refused = _spend(store, lambda: store.append("conflicts", size, late), accepted)
    again = _spend(store, lambda: store.append("conflicts", 0, late), accepted)
    return {
        f"conflict on append, {_events(size)}": refused,
        f"conflict on creation, {_events(size)}": again,
    }


def _loads(store: Store, sample: Sample) -> dict[str, Cost]:
    size, stream = EVENTS_PER_COMMIT, "loads"
    sample.rewind()
    events = sample.take(size * LOADED_COMMITS)
    for at in range(0, len(events), size):
        store.append(stream, at, events[at : at + size])
    loaded = [0]
    costs = {
        f"load {len(events)} events, {LOADED_COMMITS} commits": _spend(
            store, lambda: loaded.append(store.load(stream))
        )
    }
    _check(loaded[-1], len(events))
    if store.has_snapshots:
        version = len(events) - size * COMMITS_AFTER_SNAPSHOT
        state = snapshot_of(events[:version])
        costs["save a snapshot"] = _spend(
            store, lambda: store.save_snapshot(stream, version, state)
        )
        costs[f"load, snapshot and {COMMITS_AFTER_SNAPSHOT} commits"] = _spend(
            store, lambda: loaded.append(store.load_from_snapshot(stream))
        )
        _check(loaded[-1], 1 + size * COMMITS_AFTER_SNAPSHOT)
    return costs


def run_history(store: Store, size: int, events: int) -> tuple[Cost, Cost]:
    """Return the cost of writing a history in commits of up to ``size``, and of reading it."""
    streams = Sample().commits(size, events)
    prefix = f"history-{size}-"
    store.meter.take()
    for name, commits in streams.items():
        version = 0
        for commit in commits:
            store.append(prefix + name, version, commit)
            version += len(commit)
    written = store.meter.take()
    for name, commits in streams.items():
        _check(store.load(prefix + name), sum(map(len, commits)))
    return written, store.meter.take()


def _spend(store: Store, work: Callable[[], object], accepted: Cost | None = None) -> Cost:
    store.meter.take()
    try:
        work()
    except Refused:
        cost = store.meter.take()
        # DynamoDB bills refused writes like accepted ones, but engines do not report them.
        units = 0.0 if accepted is None else accepted.write_units
        return replace(cost, write_units=units, refused=True)
    cost = store.meter.take()
    return cost if accepted is None else replace(cost, note="not refused: overwrites")


def _events(number: int) -> str:
    return "1 event" if number == 1 else f"{number} events"


def _check(found: int, wanted: int) -> None:
    if found != wanted:
        raise RuntimeError(f"{found} events came back instead of {wanted}.")

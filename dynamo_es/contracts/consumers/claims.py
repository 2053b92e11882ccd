"""A worker's claim on a checkpoint: the lease, and the token that fences its writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.contracts.checks.arguments import check_kind

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.leases import Lease
    from dynamo_es.values import Position


_SHORT: Final = 4
"""Number of characters that people see of the random part of a worker's name."""


def short_name(worker: str | None) -> str:
    """Return a worker's name for people: ``host:process-id`` and the beginning of its random id."""
    if worker is None:
        return ""
    process, separator, token = worker.rpartition("-")
    return f"{process}{separator}{token[:_SHORT]}"


class CheckpointState(NamedTuple):
    """The state of a checkpoint that a worker reads.

    Attributes:
        position: the saved position; None: the consumer has saved none.
        token: the fencing token: it grows each time that the lease is taken or the position is
            reset; 0: never so far.
        lease: the lease that a worker holds; None: no worker holds it.
        wanted_by: another worker that asks the holder for the lease; None: no worker asks.
        paused: whether the consumer is paused, so that no worker may handle events.
    """

    position: Position | None = None
    token: int = 0
    lease: Lease | None = None
    wanted_by: str | None = None
    paused: bool = False


class Claim(NamedTuple):
    """The lease that a worker took.

    Attributes:
        worker: unique name of the worker.
        token: the fencing token that taking the lease has set. Every write under the lease names
            it, so a worker whose lease was taken over changes nothing.
        length: milliseconds from each beat to the end of the lease.
    """

    worker: str
    token: int
    length: int


class Saved(NamedTuple):
    """The result of a write under a lease.

    Attributes:
        held: whether the worker still holds the lease; if not, nothing changed.
        position: the position that is saved now; None: none is saved.
        wanted_by: another worker that asks for the lease; None: no worker asks.
        paused: whether the consumer is paused, so that the worker must stop.
    """

    held: bool
    position: Position | None = None
    wanted_by: str | None = None
    paused: bool = False


def check_claim(claim: object, until_ms: object = 0) -> None:
    """Raise `InputError` unless the arguments are a claim and an end of a lease in milliseconds."""
    check_kind("claim", claim, Claim)
    check_kind("until_ms", until_ms, int)


def check_taking(worker: object, seen: object, until_ms: object = 0, length_ms: object = 0) -> None:
    """Raise `InputError` unless a worker can take or ask for a lease with these arguments."""
    check_kind("worker", worker, str)
    check_kind("seen", seen, CheckpointState)
    check_kind("until_ms", until_ms, int)
    check_kind("length_ms", length_ms, int)

"""The report that every worker returns, and a helper that runs a worker in a thread."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING

from dynamo_es.contracts.error_texts import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamo_es.values import Position

_log = logging.getLogger("dynamo_es")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """Says what a worker did in a run. Each kind of worker adds fields of its own.

    Attributes:
        name: name of the projection or the outbox; ``sequencer`` for a sequencer.
        position: the worker has handled the log up to this position, inclusive; 0: nothing yet.
        handled: number of events that this run handled, published or gave a position.
        failed: how often an event failed while the run went on.
        unsequenced: whether the run found stored events that have no position yet; see
            `LogStrategy.unsequenced`.
        passed_over: number of unreadable commits that this run passed over; each is logged as an
            error.
    """

    name: str
    position: Position = 0
    handled: int = 0
    failed: int = 0
    unsequenced: bool = False
    passed_over: int = 0

    @property
    def active(self) -> bool:
        """Whether the run did anything."""
        return bool(self.handled or self.failed)


@contextmanager
def in_thread(run: Callable[[Event], object], title: str) -> Iterator[None]:
    """Run a worker in a thread during a ``with`` block; stop it and wait for it at the end.

    Args:
        run: runs the worker until the event is set.
        title: name of the worker, which begins each log line.

    Raises:
        Exception: the worker ended with an error; it is raised at the end of the block, and was
            logged when it happened. An error of the block itself takes precedence.
    """
    stop = Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            run(stop)
        except BaseException as error:  # noqa: BLE001 - raised where the context ends
            # Without exc_info, because the text of an error may quote an event.
            _log.error("%s has ended with an error: %s", title, describe_error(error))
            failures.append(error)

    thread = Thread(target=work, name=f"dynamo-es {title}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]

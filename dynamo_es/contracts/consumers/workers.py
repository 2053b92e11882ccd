"""The report that every worker returns, and a way to run a worker in a thread of its own."""

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
    """Says what a run of a worker did. Each kind of worker adds fields of its own.

    Attributes:
        name: name of the projection or the outbox; ``sequencer`` for a sequencer.
        position: the worker has handled the log up to this position; 0: nothing yet.
        handled: events that this run handled, published or gave a position.
        failed: how often handling an event failed while the run went on.
        unsequenced: whether the run found events after the end of the log, which have no
            position yet; see `LogStrategy.unsequenced`.
        passed_over: unreadable commits that this run passed over; each is logged as an error.
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
    """Run a worker in a thread within the context; stop it and wait for it at the end.

    Args:
        run: runs the worker until the event is set.
        title: name of the worker, which begins each log line.

    Raises:
        Exception: at the end of the context, the error that ended the worker. It was logged when
            it happened. An error of the context's own body takes precedence.
    """
    stop = Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            run(stop)
        except BaseException as error:  # noqa: BLE001 - raised where the context ends
            # Not with exc_info: the text of an error may quote an event.
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

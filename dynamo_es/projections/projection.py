"""Projections: a handler that is given every event of the log, from where it was last."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Event as Flag
from typing import TYPE_CHECKING, Final, Protocol

from dynamo_es.contracts import EVERYTHING, Selection
from dynamo_es.contracts.checks import check_consumer, check_position
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.contracts.functions import check_stop, refuse_asynchronous, refuse_unfinished
from dynamo_es.exceptions import (
    ContentionError,
    CursorBusyError,
    InvalidSubscriptionError,
    ServiceError,
    ThrottledError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts import CheckpointStrategy, LogReader, LogStrategy
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.values import Position, RecordedRaw

_log = logging.getLogger("dynamo_es")

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_WORTH_SAVING: Final = 1000
"""Positions of events that nobody selected, after which the checkpoint moves all the same."""
_PASSING: Final = (ContentionError, CursorBusyError, ThrottledError, UnavailableError)
_LOOK_EVERY: Final = 60.0
"""Seconds at the end of the log between two looks for events that have no position."""
_HANDLER: Final = "A handler"
_TOLD: Final = "What is told of progress"


class Handler(Protocol):
    """Applies one event to a read model."""

    def __call__(self, recorded: Recorded, /) -> object:
        """Apply an event; what it raises stops the projection before this event."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a projection is.

    Attributes:
        consumer: its name.
        position: up to here all events were handled, or were not selected.
        last_position: where the log ended when it was last looked at; 0 if it was empty.
        handled: events handled since this run began.
        unsequenced: whether events were found after the end of the log, where it was reached;
            see `LogStrategy.unsequenced`. They come when a sequencer gives them positions.
        passed_over: commits that this run has passed over, because they cannot be read; each is
            logged as an error.
    """

    consumer: str
    position: Position
    last_position: Position
    handled: int
    unsequenced: bool = False
    passed_over: int = 0

    @property
    def lag(self) -> int:
        """Positions still to go, at the time of the last look."""
        return max(self.last_position - self.position, 0)


class Projection:
    """Runs a handler over the log, and keeps how far it is; made by `Backend.projection`.

    The checkpoint moves behind the events: a handler sees every event in order, at least once;
    those since the last checkpoint again if the process dies, which are at most ``batch_size``.
    Run one process for each name: two would both be given the events.

    Args:
        name: the consumer's; its checkpoint is kept under it.
        handler: what to do with an event.
        log: where the events are.
        checkpoints: where its place is kept.
        deserialize: between raw and typed events.
        selection: returns which events; asked at the beginning of a run, and now and then.
        start_from: position to begin after when there is no checkpoint yet.
        batch_size: events after which the checkpoint is saved at the latest.

    Raises:
        InvalidSubscriptionError: a handler that cannot be called or is asynchronous, or a batch
            size below 1.
        InvalidConsumerError: a name that cannot make a key.
        InvalidPositionError: a position below 0.
    """

    def __init__(  # noqa: PLR0913 - what is injected, each by its name
        self,
        name: str,
        handler: Handler,
        *,
        log: LogStrategy,
        checkpoints: CheckpointStrategy,
        deserialize: Callable[[RecordedRaw], Recorded],
        selection: Callable[[], Selection] = lambda: EVERYTHING,
        start_from: Position = 0,
        batch_size: int = 100,
    ) -> None:
        check_consumer(name)
        check_position(start_from)
        if not callable(handler):
            raise InvalidSubscriptionError(f"A handler is called with events: {handler!r} cannot.")
        refuse_asynchronous(handler, _HANDLER)
        if type(batch_size) is not int or batch_size < 1:
            raise InvalidSubscriptionError(f"A batch has 1 event or more, not {batch_size!r}.")
        self.name = name
        self.handler = handler
        self.log = log
        self.checkpoints = checkpoints
        self.deserialize = deserialize
        self.selection = selection
        self.start_from = start_from
        self.batch_size = batch_size

    @property
    def position(self) -> Position | None:
        """How far it has come, by its checkpoint; None before its first run."""
        return self.checkpoints.position(self.name)

    def catch_up(
        self,
        stop: Flag | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Progress:
        """Handle what the log has now, and return.

        Args:
            stop: set it to return after the event in hand.
            on_progress: told after each batch.

        Raises:
            ServiceError: AWS refused or did not answer; run again.
            CursorBusyError: another process applies events of a projector's stream; run again.
            InvalidPositionError: the checkpoint is beyond the end of the log: this is another
                log, or one that was restored.
            InvalidSubscriptionError: the handler returned an awaitable, or ``stop`` or
                ``on_progress`` is asynchronous.
            UnreadableEventError: an event does not fit its class; also `UnknownEventError`.
            Exception: what the handler raised. The checkpoint is before that event.
        """
        run = _Run(self, stop or Flag(), on_progress)
        run.until(self.log.last_position or 0)
        run.look_further()
        return run.progress

    def run(
        self,
        stop: Flag | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Progress:
        """Handle what the log has, and what comes, until it is stopped.

        While nothing comes the log is asked less and less often, once a second at last. What goes
        away by itself (throttling, lost connections) is logged and waited out.

        Args:
            stop: set it, in another thread or in a handler of signals, to return after the event
                in hand; None: it never returns.
            on_progress: told after each batch, and whenever the end of the log is reached.

        Raises:
            Exception: as `catch_up`, but for what goes away by itself.
        """
        run = _Run(self, stop or Flag(), on_progress)
        run.until(None)
        return run.progress


class _Run:
    """One run of a projection, and what it has done so far."""

    def __init__(
        self, projection: Projection, stop: Flag, on_progress: Callable[[Progress], None] | None
    ) -> None:
        if on_progress is not None:
            refuse_asynchronous(on_progress, _TOLD)
        check_stop(stop)
        self._projection = projection
        self._stop = stop
        self._on_progress = on_progress
        self._selection = projection.selection()
        self._idle = _LOOK_EVERY
        self._unsequenced = False
        saved = projection.position
        self._saved = projection.start_from if saved is None else saved
        self._position = self._saved
        self._end = 0
        self._handled = 0
        self._passed_over = 0
        self._unsaved = 0
        self._reader: LogReader | None = None

    @property
    def progress(self) -> Progress:
        return Progress(
            self._projection.name,
            self._position,
            max(self._end, self._position),
            self._handled,
            self._unsequenced,
            self._passed_over,
        )

    def look_further(self) -> None:
        """Look for events that the log does not have yet, if its end was reached."""
        if self._position >= self._end:
            self._unsequenced = self._projection.log.unsequenced()

    def until(self, end: Position | None) -> None:
        """Handle what comes, up to a position; None: until it is stopped."""
        pause = _FIRST_PAUSE
        if end is not None:
            self._end = end
            check_position(self._position, end)
        try:
            while not self._stop.is_set() and (end is None or self._position < end):
                try:
                    moved = self._step()
                except _PASSING as error:
                    if end is not None:
                        raise
                    _log.warning(
                        "Projection %r waits: %s", self._projection.name, describe_error(error)
                    )
                    moved = False
                if moved:
                    pause = _FIRST_PAUSE
                elif end is None:
                    self._wait(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            self._save_what_is_done()

    def _step(self) -> bool:
        """Handle the next piece of the log; return whether there was any."""
        selection = self._projection.selection()
        if self._reader is None or selection != self._selection:
            # A class that was defined meanwhile may belong to the choice.
            self._selection = selection
            self._reader = self._projection.log.reader(self._position, selection)
        reader = self._reader
        try:
            before = reader.passed_over
            records = reader.read()
            self._passed_over += reader.passed_over - before
            size = self._projection.batch_size
            for start in range(0, len(records), size):
                if not self._handle(records[start : start + size]):
                    return True
        except BaseException:
            self._reader = None  # it may be ahead of what was handled
            raise
        moved = bool(records) or reader.position > self._position
        self._position = reader.position
        # What was handled when a save failed, and what has passed that nobody selected.
        if not records and (self._unsaved or self._position - self._saved >= _WORTH_SAVING):
            self._save()
        if moved:
            self._tell()
        return moved

    def _handle(self, batch: list[RecordedRaw]) -> bool:
        """Handle a batch; return whether the reader goes on behind it."""
        projection = self._projection
        for raw in batch:
            if self._stop.is_set():
                return False
            returned = projection.handler(projection.deserialize(raw))
            refuse_unfinished(returned, projection.handler, _HANDLER)
            self._position = raw.position
            self._handled += 1
            self._unsaved += 1
        if self._save():
            self._tell()
            return True
        return False

    def _save(self) -> bool:
        """Save the checkpoint; return False if another run of this projection is further."""
        there = self._projection.checkpoints.move(self._projection.name, self._position)
        self._saved, self._unsaved = there, 0
        if there == self._position:
            return True
        _log.warning(
            "Projection %r: another process is at %d, beyond %d: this one goes on from there. "
            "Run one at a time.",
            self._projection.name,
            there,
            self._position,
        )
        self._position, self._reader = there, None
        return False

    def _save_what_is_done(self) -> None:
        if self._position <= self._saved:
            return
        try:
            self._save()
        except ServiceError as error:
            # Not with exc_info: what the handler raised before is its context, and may quote an
            # event.
            _log.error(
                "Projection %r: its checkpoint was not saved: %s", self._projection.name, error
            )

    def _wait(self, pause: float) -> None:
        """Wait at the end of the log; now and then, look for events that it does not have yet."""
        self._idle += pause
        if self._idle > _LOOK_EVERY:
            self._idle = 0
            before, self._unsequenced = self._unsequenced, self._projection.log.unsequenced()
            if self._unsequenced != before:
                self._tell()
        self._stop.wait(pause)

    def _tell(self) -> None:
        if self._on_progress is None:
            return
        if self._position >= self._end:
            self._end = self._projection.log.last_position or 0
        returned: object = self._on_progress(self.progress)
        refuse_unfinished(returned, self._on_progress, _TOLD)

"""`Handling`: calls a projection's handler with each event, and applies its failure policy."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.checks.functions import refuse_unfinished
from dynamo_es.contracts.consumers.parked import Place
from dynamo_es.contracts.consumers.writes import refuse_writes
from dynamo_es.contracts.correlation import correlated
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.exceptions import (
    InvalidSubscriptionError,
    ServiceError,
)
from dynamo_es.projections.parking import Parking
from dynamo_es.projections.parts import HANDLER, PASSING

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event as Flag

    from dynamo_es.projections.failure_policy import FailurePolicy
    from dynamo_es.projections.parts import Parts
    from dynamo_es.values import RecordedRaw

_log = logging.getLogger("dynamo_es")

NOT_THE_EVENTS_FAULT: Final = (
    InvalidSubscriptionError,
    ServiceError,
)
"""Errors that every event would have, such as a refusal of AWS. They stop a consumer."""


class Handling:
    """Handles the events of one run, one after the other.

    Events of parked streams are passed over. They are recorded in the streams' entries before the
    checkpoint moves past them: see `note_passed_over`.

    Args:
        call: passes an event to the handler.
        policy: how to treat an event that fails.
        parking: the projection's parked streams; None: the policy parks and skips nothing.
        confirm: raises if this worker must not write any more; called before an event is set aside.
        stop: ends a wait between two attempts.
        passing: classes of temporary errors.

    Attributes:
        failed: number of failed attempts after which the run went on.
        skipped: number of events that were left out.
    """

    def __init__(
        self,
        call: Callable[[RecordedRaw], object],
        policy: FailurePolicy,
        parking: Parking | None,
        confirm: Callable[[], object],
        stop: Flag,
        passing: tuple[type[Exception], ...],
    ) -> None:
        self._call = call
        self._policy = policy
        self._parking = parking
        self._confirm = confirm
        self._stop = stop
        self._passing = passing
        self._passed: dict[str, list[RecordedRaw]] = {}
        self.failed = 0
        self.skipped = 0

    @classmethod
    def of(cls, parts: Parts, confirm: Callable[[], object], stop: Flag) -> Handling:
        """Return the handling of events for a run of a projection."""
        return cls(
            caller(parts.reads, parts.handler, HANDLER),
            parts.policy,
            Parking(parts.parked, parts.name, "log", parts.now_ms, parts.version),
            confirm,
            stop,
            PASSING,
        )

    @property
    def parked(self) -> int:
        """Number of parked streams, as far as this run knows."""
        return 0 if self._parking is None else self._parking.count

    def begin(self) -> None:
        """Forget the events that were passed over, because the run goes on from the checkpoint."""
        self._passed = {}
        if self._parking is not None:
            self._parking.forget()

    def handle(self, raw: RecordedRaw, *, stoppable: bool = True) -> bool:
        """Handle an event, pass it over or set it aside; False if the run was stopped before that.

        Args:
            raw: the event.
            stoppable: whether to stop between two attempts when the run is stopped.

        Raises:
            Exception: the handler's error, if the policy is to stop, or if it is temporary.
        """
        if self._parking is not None and self._policy.then == "park":
            key = self._parking.key(raw.entry.stream_id, raw.tenant_id)
            if self._parking.holds(key):
                text = stream_key(tenant_prefix(raw.tenant_id), raw.entry.stream_id)
                self._passed.setdefault(text, []).append(raw)
                return True
        return self._try(raw, stoppable=stoppable)

    def note_passed_over(self) -> None:
        """Record the passed over events in the entries of their streams.

        Events of streams that are not parked any more are handled. Call it before the checkpoint
        moves past the events.
        """
        while self._passed and self._parking is not None:
            text, raws = next(iter(self._passed.items()))
            key = self._parking.key(raws[0].entry.stream_id, raws[0].tenant_id)
            first, last = Place(0, raws[0].position), Place(0, raws[-1].position)
            parked = self._parking.pass_over(key, first, last)
            del self._passed[text]
            if not parked:
                # A retry has unparked the stream in the meantime. If an event fails, the rest is
                # passed over.
                self._handle_all(text, raws)

    def _handle_all(self, text: str, raws: list[RecordedRaw]) -> None:
        for index, raw in enumerate(raws):
            try:
                self.handle(raw, stoppable=False)
            except BaseException:
                self._passed[text] = raws[index:]  # for the next call, before the checkpoint moves
                raise

    def _try(self, raw: RecordedRaw, *, stoppable: bool = True) -> bool:
        attempts = 0
        while (error := self._error_of(raw)) is not None:
            # After the except clause, because Python would attach the error, which may quote an
            # event.
            attempts += 1
            self.failed += 1
            if attempts >= self._policy.attempts:
                self._set_aside(raw, attempts, error)
                return True
            self._log_retry(raw, attempts, error)
            wait = self._policy.wait_after(attempts)
            if (self._stop.wait(wait) or self._stop.is_set()) and stoppable:
                return False
            self._confirm()
        return True

    def _error_of(self, raw: RecordedRaw) -> Exception | None:
        """Call the handler; return its error, or None.

        Raises:
            Exception: the handler's error is temporary, or is not the fault of the event.
        """
        try:
            self._call(raw)
        except self._passing:
            raise
        except NOT_THE_EVENTS_FAULT:
            raise
        except Exception as error:
            if self._policy.then == "stop" and self._policy.attempts == 1:
                raise
            return error
        return None

    def _set_aside(self, raw: RecordedRaw, attempts: int, error: Exception) -> None:
        if self._policy.then == "stop" or self._parking is None:
            self.failed -= 1
            raise error
        # A worker that lost its lease while the handler ran must not park an event that others
        # handle.
        self._confirm()
        key = self._parking.key(raw.entry.stream_id, raw.tenant_id)
        place = Place(0, raw.position)
        if self._policy.then == "skip":
            self._parking.skip(key, place, attempts, error, raw.entry.context)
            self.skipped += 1
        else:
            self._parking.park(key, place, attempts, error, raw.entry.context)

    @staticmethod
    def _log_retry(raw: RecordedRaw, attempts: int, error: Exception) -> None:
        _log.warning(
            "The event at position %d failed %d time%s, and is tried again: %s",
            raw.position,
            attempts,
            "" if attempts == 1 else "s",
            describe_error(error),
            extra=correlated(raw.entry.context),
        )


def caller(
    deserialize: Callable[[RecordedRaw], object], handler: Callable[..., object], role: str
) -> Callable[[RecordedRaw], None]:
    """Return a function that calls a handler with an event, and raises for an unfinished result."""

    def call(raw: RecordedRaw) -> None:
        returned = handler(deserialize(raw))
        refuse_unfinished(returned, handler, role)
        refuse_writes(returned, role)

    return call

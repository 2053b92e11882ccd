"""Consumers for ``dynamo-es ui --demo``. Some have failed, so that pages have failures to show."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dynamo_es import StreamId

if TYPE_CHECKING:
    from dynamo_es.facade.backend import Backend
    from dynamo_es.values import RawEvent

_LARGE_CENTS = 200_000


class _ExampleError(Exception):
    """What the demonstration's consumers fail with."""


def choose_for_outbox(event: RawEvent) -> bool:
    """Whether the demonstration's outbox publishes an event."""
    return event.name in {"payroll.finished", "alert.raised"}


def fill_consumers(backend: Backend, tenant: str) -> None:
    """Run consumers over the events that have positions: projections, projectors and the outbox.

    Args:
        backend: with the bank's history.
        tenant: the bank.
    """
    backend.projection("newsletter", _do_nothing, keep_unknown=True).run_once()
    bank = backend.in_tenant(tenant)
    _run_failing(backend)
    for name in ("account/ann", "account/bob"):
        _project(bank, StreamId(name=name, category="account"))
    backend.outbox.run_once(_refuse_alerts, attempts=1, keep_unknown=True)
    bank.outbox.named("mails").run_once(_refuse_alerts, attempts=5, keep_unknown=True)


def _run_failing(backend: Backend) -> None:
    def refuse_large(recorded: Any) -> None:
        if getattr(recorded.wrapped_event.event, "cents", 0) > _LARGE_CENTS:
            raise _ExampleError("This consumer refuses deposits above 2,000.00.")

    projection = backend.projection("balances", refuse_large, category="account", keep_unknown=True)
    for _ in range(3):
        with suppress(_ExampleError):
            projection.run_once()


def _project(bank: Backend, stream: StreamId) -> None:
    def refuse_large(wrapped: Any, _stream: StreamId) -> None:
        if getattr(wrapped.event, "cents", 0) > _LARGE_CENTS and stream.name == "account/bob":
            raise _ExampleError("This consumer refuses deposits above 2,000.00.")

    projector = bank.projector("statements", refuse_large, keep_unknown=True)
    for wrapped in bank.event_store.load_stream(stream, start=1, keep_unknown=True):
        with suppress(_ExampleError):
            projector.project(wrapped, stream)


def _refuse_alerts(recorded: Any) -> None:
    if recorded.stream_id.category == "alerts":
        raise _ExampleError("This publisher refuses alerts.")


def _do_nothing(_recorded: Any) -> None:
    pass

"""OpenTelemetry spans for each operation, and for each event that a consumer handles.

Source of the names: OpenTelemetry's semantic conventions for database clients and for messaging.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from dynamo_es.contracts.checks.functions import check_injected
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.exceptions import MissingExtraError
from dynamo_es.observability.reports import retries_of
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.trace import Link, SpanKind, TracerProvider

    from dynamo_es.contracts import OperationReport
    from dynamo_es.event_store.wrapped import Recorded

T = TypeVar("T")

_SCOPE: Final = "dynamo_es"
_FIELDS: Final = ("traceparent", "tracestate")


class OpenTelemetry:
    """An observer that makes a span for each report. Safe to share between threads.

    A span's parent is the span that was current when the operation was called. The span is made
    after the operation, with the operation's times. Spans of botocore's own instrumentation are
    siblings of the span. A span has no data of an event.

    Args:
        tracer_provider: makes the tracer; None: the global provider of the process.
        clock: returns nanoseconds since the epoch.

    Raises:
        MissingExtraError: the OpenTelemetry API is not installed: ``pip install
            'dynamo_es[otel]'``.
        InputError: ``clock`` is not callable.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        try:
            from opentelemetry import trace
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError as error:
            raise MissingExtraError("otel", "Tracing with OpenTelemetry") from error
        check_injected(clock=clock)
        self._trace = trace
        self._propagator = TraceContextTextMapPropagator()
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        self._clock = clock

    def __call__(self, report: OperationReport, /) -> None:
        """Take the report of one operation."""
        end = self._clock()
        span = self._tracer.start_span(
            _name(
                report.operation, None if report.stream_id is None else report.stream_id.category
            ),
            kind=self._trace.SpanKind.CLIENT,
            attributes=_of_operation(report),
            start_time=end - int(report.duration * 1e9),
        )
        if report.error is not None and span.is_recording():
            span.set_attribute("error.type", _type_of(report.error))
            # The text may name a stream, but has no data of an event.
            span.set_status(self._trace.StatusCode.ERROR, describe_error(report.error))
        span.end(end)

    def carrier(self) -> dict[str, str]:
        """Return the current span's context. Store it with an event, so that consumers link to it.

        ``Context(correlation_id=…, **tracing.carrier())``. Outside of any span it is empty.
        """
        fields: dict[str, str] = {}
        self._propagator.inject(fields)
        return fields

    def processing(
        self, consumer: str, handler: Callable[[Recorded], T]
    ) -> Callable[[Recorded], T]:
        """Return a projection's handler that makes a span for each event.

        Args:
            consumer: name of the projection.
            handler: as for `Backend.projection`, or a coroutine function for an
                `AsyncProjection`. An exception ends the span as an error.
        """
        attributes = {
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": "log",
            "messaging.consumer.group.name": consumer,
        }
        kind = self._trace.SpanKind.CONSUMER
        return self._in_span(f"process {consumer}", kind, attributes, handler)

    def publishing(
        self, destination: str, publisher: Callable[[Recorded], T]
    ) -> Callable[[Recorded], T]:
        """Return an outbox's publisher that makes a span for each event.

        Args:
            destination: where the events go, such as the name of an event bus.
            publisher: as for `Outbox.run_once`, or a coroutine function for an `AsyncOutbox`.
                An exception ends the span as an error.
        """
        attributes = {
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": destination,
        }
        kind = self._trace.SpanKind.PRODUCER
        return self._in_span(f"send {destination}", kind, attributes, publisher)

    def _in_span(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, str],
        function: Callable[[Recorded], T],
    ) -> Callable[[Recorded], T]:
        @contextmanager
        def span_of(recorded: Recorded) -> Iterator[None]:
            with self._tracer.start_as_current_span(
                name,
                kind=kind,
                attributes={**attributes, **_of_event(recorded)},
                links=self._links(recorded),
                # Only the type of an exception is recorded, below: its text may quote data.
                record_exception=False,
                set_status_on_exception=False,
            ) as span:
                try:
                    yield
                except BaseException as error:
                    span.set_attribute("error.type", _type_of(error))
                    span.set_status(self._trace.StatusCode.ERROR)
                    raise

        if _is_asynchronous(function):
            called: Callable[[Recorded], Any] = function

            @wraps(function)
            async def run_async(recorded: Recorded) -> Any:
                with span_of(recorded):
                    return await called(recorded)

            return cast("Callable[[Recorded], T]", run_async)

        @wraps(function)
        def run(recorded: Recorded) -> T:
            with span_of(recorded):
                return function(recorded)

        return run

    def _links(self, recorded: Recorded) -> list[Link]:
        """Return a link to the span in which the event was appended, if its context names one."""
        context = recorded.wrapped_event.context
        values = {name: getattr(context, name, None) for name in _FIELDS}
        fields = {name: value for name, value in values.items() if isinstance(value, str)}
        # Extract into an empty context. Otherwise the current span would be a link too.
        there = self._propagator.extract(fields, self._empty())
        appended = self._trace.get_current_span(there).get_span_context()
        return [self._trace.Link(appended)] if appended.is_valid else []

    def _empty(self) -> Any:
        from opentelemetry.context import Context

        return Context()


def _is_asynchronous(function: Any) -> bool:
    """Return whether a function returns a coroutine, so that its work is still to be awaited."""
    called = getattr(function, "__call__", None)  # noqa: B004 - the method that a call would run
    return iscoroutinefunction(function) or iscoroutinefunction(called)


def _name(operation: str, category: str | None) -> str:
    return operation if category is None else f"{operation} {category}"


def _of_operation(report: OperationReport) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "db.system.name": "aws.dynamodb",
        "db.operation.name": report.operation,
        "dynamo_es.requests": report.requests,
        "dynamo_es.retries": retries_of(report),
        "dynamo_es.bytes_written": report.bytes_written,
        "dynamo_es.bytes_read": report.bytes_read,
    }
    if report.tenant_id != DEFAULT_TENANT:
        attributes["dynamo_es.tenant_id"] = report.tenant_id
    if report.stream_id is not None:
        attributes["dynamo_es.stream_id"] = str(report.stream_id)
        if report.stream_id.category is not None:
            attributes["db.collection.name"] = report.stream_id.category
    if report.write_units is not None:
        attributes["dynamo_es.write_units"] = report.write_units
    if report.read_units is not None:
        attributes["dynamo_es.read_units"] = report.read_units
    return attributes


def _of_event(recorded: Recorded) -> dict[str, Any]:
    wrapped = recorded.wrapped_event
    attributes: dict[str, Any] = {
        "messaging.system": _SCOPE,
        "messaging.message.id": str(wrapped.uuid),
        "dynamo_es.position": recorded.position,
        "dynamo_es.stream_id": str(recorded.stream_id),
    }
    if wrapped.context.correlation_id is not None:
        attributes["messaging.message.conversation_id"] = str(wrapped.context.correlation_id)
    if recorded.tenant_id != DEFAULT_TENANT:
        attributes["dynamo_es.tenant_id"] = recorded.tenant_id
    return attributes


def _type_of(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"

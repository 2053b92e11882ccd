"""Spans of OpenTelemetry."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from dynamo_es import Context, DynamoBackend, ExplicitVersioning, Recorded, StreamId, WrappedEvent
from dynamo_es.exceptions import ConcurrentStreamWriteError, MissingExtraError
from dynamo_es.observability import OpenTelemetry
from dynamo_es.testing.conformance.language import events
from tests.event_store.accounts import Deposited
from tests.observability.test_emf import REPORT


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@pytest.fixture
def tracing(provider):
    return OpenTelemetry(provider, clock=lambda: 2_000_000_000)


def test_an_operation_is_a_span_of_a_database_client(tracing, exporter):
    stream = StreamId(category="account")

    tracing(replace(REPORT, stream_id=stream, tenant_id="acme", attempts=3))

    (span,) = exporter.get_finished_spans()
    assert (span.name, span.kind) == ("append account", SpanKind.CLIENT)
    assert (span.start_time, span.end_time) == (2_000_000_000 - 4_200_000, 2_000_000_000)
    assert dict(span.attributes) == {
        "db.system.name": "aws.dynamodb",
        "db.operation.name": "append",
        "db.collection.name": "account",
        "dynamo_es.requests": 1,
        "dynamo_es.retries": 2,
        "dynamo_es.bytes_written": 1500,
        "dynamo_es.bytes_read": 30,
        "dynamo_es.tenant_id": "acme",
        "dynamo_es.stream_id": str(stream),
        "dynamo_es.write_units": 2.0,
    }
    assert span.status.status_code is StatusCode.UNSET


def test_a_failure_is_an_error_of_its_type(tracing, exporter):
    tracing(replace(REPORT, error=ConcurrentStreamWriteError(StreamId(), 1, 2)))

    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "dynamo_es.exceptions.ConcurrentStreamWriteError"


def test_a_backend_makes_spans_below_the_current_one(tracing, provider, exporter):
    with (
        DynamoBackend.local(tracing, sequencing="stream") as backend,
        provider.get_tracer("test").start_as_current_span("request") as request,
    ):
        stream = StreamId()
        backend.storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1))

    append = next(span for span in exporter.get_finished_spans() if span.name == "append")
    assert append.parent is not None
    assert append.parent.span_id == request.get_span_context().span_id


def recorded(context):
    wrapped = WrappedEvent(Deposited(amount=5), 3, context=context)
    return Recorded(wrapped, StreamId(name="ann", category="account"), 17, "acme")


def test_a_consumer_is_linked_to_the_span_in_which_the_event_was_appended(
    tracing, provider, exporter
):
    with provider.get_tracer("test").start_as_current_span("request") as request:
        event = recorded(Context(**tracing.carrier()))
    seen = []

    tracing.processing("balances", seen.append)(event)
    tracing.publishing("bus", seen.append)(event)

    _, processed, sent = exporter.get_finished_spans()
    assert seen == [event, event]
    assert (processed.name, processed.kind) == ("process balances", SpanKind.CONSUMER)
    assert (sent.name, sent.kind) == ("send bus", SpanKind.PRODUCER)
    for span in (processed, sent):
        assert [link.context.span_id for link in span.links] == [request.get_span_context().span_id]
        assert span.attributes["dynamo_es.position"] == 17
        assert "5" not in str(dict(span.attributes).get("data", ""))


def test_what_a_handler_raises_is_raised_and_its_text_is_in_no_span(tracing, exporter):
    def fail(_):
        raise ValueError("ann@example.com")

    with pytest.raises(ValueError, match="ann@"):
        tracing.processing("balances", fail)(recorded(Context()))

    (span,) = exporter.get_finished_spans()
    assert span.attributes["error.type"] == "builtins.ValueError"
    assert "ann@" not in span.to_json()
    assert not span.links


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with pytest.raises(MissingExtraError, match=r"dynamo_es\[otel\]"):
        OpenTelemetry()

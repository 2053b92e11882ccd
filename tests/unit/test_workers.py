"""All workers run, stop and report in the same way."""

from __future__ import annotations

import logging
import threading
from dataclasses import fields
from datetime import timedelta

import pytest

from dynamo_es import (
    Event,
    MemoryBackend,
    OutboxReport,
    ProjectionReport,
    SequencerReport,
    StreamId,
    WorkerReport,
)
from dynamo_es.contracts.checks.arguments import seconds_of
from dynamo_es.contracts.consumers.workers import in_thread
from dynamo_es.exceptions import InvalidSubscriptionError

SHARED = {"name", "position", "handled", "failed", "unsequenced", "passed_over"}


class Worked(Event):
    number: int


@pytest.fixture
def backend():
    backend = MemoryBackend().with_outbox()
    for number in (1, 2, 3):
        backend.event_store.append(Worked(number=number), stream_id=StreamId())
    return backend


@pytest.mark.parametrize("report", [OutboxReport, ProjectionReport, SequencerReport])
def test_every_report_has_the_shared_fields(report):
    assert issubclass(report, WorkerReport)
    assert {field.name for field in fields(WorkerReport)} == SHARED
    assert {field.name for field in fields(report)} > SHARED


def test_one_run_is_reported(backend):
    projected = backend.projection("all", lambda _: None).run_once()
    published = backend.outbox.run_once(lambda _: None)

    assert (projected.name, projected.position, projected.handled) == ("all", 3, 3)
    assert (published.name, published.position, published.handled) == ("outbox", 3, 3)
    assert projected.active
    assert published.active
    assert not backend.projection("all", lambda _: None).run_once().active


def test_all_runs_of_an_outbox_are_reported_as_one(backend):
    stop, tries = threading.Event(), []

    def publish(recorded):
        tries.append(recorded.position)
        if len(tries) == 4:
            stop.set()
        if recorded.position == 2 and tries.count(2) == 1:
            raise OSError

    report = backend.outbox.run_forever(publish, stop, limit=1, retry_delay=timedelta(0))

    assert tries == [1, 2, 2, 3]
    assert (report.handled, report.failed, report.dead, report.position) == (3, 1, 0, 3)


def test_workers_run_in_the_background_until_the_context_ends(backend):
    projected, published = threading.Event(), threading.Event()

    def reaching(done):
        def handle(recorded):
            if recorded.position == 3:
                done.set()

        return handle

    before = threading.active_count()
    with (
        backend.projection("all", reaching(projected)).in_background(),
        backend.outbox.in_background(reaching(published)) as outbox,
    ):
        assert projected.wait(10)
        assert published.wait(10)
        assert threading.active_count() == before + 2

    assert threading.active_count() == before
    assert backend.checkpoints.position("all") == 3
    assert not outbox.entries()


def test_the_error_that_ended_a_worker_is_raised_where_the_context_ends(backend, caplog):
    failed = threading.Event()

    def fail(_):
        failed.set()
        raise ZeroDivisionError("a secret of the event")

    with (
        caplog.at_level(logging.ERROR, "dynamo_es"),
        pytest.raises(ZeroDivisionError),
        backend.projection("all", fail).in_background(),
    ):
        assert failed.wait(10)

    assert "Projection 'all' has ended with an error: ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text


def test_a_run_in_the_background_refuses_wrong_arguments_before_it_begins(backend):
    for wrong in ({"publisher": 7}, {"publisher": print, "limit": 0}):
        with pytest.raises(InvalidSubscriptionError), backend.outbox.in_background(**wrong):
            raise AssertionError


@pytest.mark.parametrize("stop", [7, "text", object()])
def test_only_an_event_stops_a_worker(backend, stop):
    for run in (
        backend.projection("all", print).run_once,
        backend.projection("all", print).run_forever,
        lambda stop: backend.outbox.run_forever(print, stop),
    ):
        with pytest.raises(InvalidSubscriptionError, match="stop"):
            run(stop)


def test_an_error_in_the_context_comes_first():
    def fail(_stop):
        raise OSError

    with pytest.raises(LookupError), in_thread(fail, "It"):
        raise LookupError


@pytest.mark.parametrize(
    ("given", "seconds"), [(2, 2), (0.5, 0.5), (timedelta(minutes=1), 60), (timedelta(), 0)]
)
def test_a_duration_is_a_timedelta_or_seconds(given, seconds):
    assert seconds_of("lease", given) == seconds


@pytest.mark.parametrize("given", [True, None, "1", -1, float("nan"), float("inf"), timedelta(-1)])
def test_a_value_that_is_not_a_duration_is_refused(given):
    with pytest.raises(InvalidSubscriptionError, match="lease must be a timedelta or a number"):
        seconds_of("lease", given)

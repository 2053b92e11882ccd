"""Broken variants of parking: the tests of parked streams catch each."""

from __future__ import annotations

import pytest

from dynamo_es.memory.parked import MemoryParked
from dynamo_es.projections.handling import Handling
from tests.projections.test_parked import (
    ann,
    applied,
    backend,
    bob,
    book,
    name,
    projection,
    start,
    test_a_projection_that_is_set_back_gives_a_parked_stream_all_its_events_again,
    test_a_retry_applies_the_events_in_order_and_unparks,
    test_events_that_a_running_worker_passed_over_are_applied_if_the_stream_was_retried_meanwhile,
)

__all__ = ["ann", "applied", "backend", "bob", "book", "name", "projection", "start"]

retry_in_order = test_a_retry_applies_the_events_in_order_and_unparks
retry_meanwhile = (
    test_events_that_a_running_worker_passed_over_are_applied_if_the_stream_was_retried_meanwhile
)
set_back = test_a_projection_that_is_set_back_gives_a_parked_stream_all_its_events_again
del (
    test_a_retry_applies_the_events_in_order_and_unparks,
    test_events_that_a_running_worker_passed_over_are_applied_if_the_stream_was_retried_meanwhile,
    test_a_projection_that_is_set_back_gives_a_parked_stream_all_its_events_again,
)

pytestmark = pytest.mark.inline


@pytest.fixture(autouse=True)
def only_in_memory(engine):
    if engine.name != "memory":
        pytest.skip("a variant of the consumer is the same on every engine")


@pytest.fixture
def caught(backend, name, projection, applied, ann, bob, book, start):
    def run(test):
        values = {
            "backend": backend,
            "name": name,
            "projection": projection,
            "applied": applied,
            "ann": ann,
            "bob": bob,
            "book": book,
            "start": start,
        }
        wanted = test.__code__.co_varnames[: test.__code__.co_argcount]
        with pytest.raises((AssertionError, ValueError)):
            test(**{each: values[each] for each in wanted})

    return run


def test_parked_without_order_is_caught(monkeypatch, caught):
    """Later events of a parked stream are applied at once."""
    monkeypatch.setattr(Handling, "handle", lambda self, raw, **_: self._try(raw))
    caught(retry_in_order)


def test_a_checkpoint_that_moves_before_what_was_passed_over_is_noted_is_caught(
    monkeypatch, caught
):
    monkeypatch.setattr(Handling, "note_passed_over", lambda self: self._passed.clear())
    caught(retry_meanwhile)


def test_unparking_without_a_look_at_later_events_is_caught(monkeypatch, caught):
    monkeypatch.setattr(MemoryParked, "pass_over", lambda *_: True)
    caught(retry_in_order)


def test_forgetting_that_a_consumer_was_set_back_is_caught(monkeypatch, caught):
    real = MemoryParked.pass_over
    monkeypatch.setattr(
        MemoryParked, "pass_over", lambda self, key, _first, last: real(self, key, last, last)
    )
    caught(set_back)

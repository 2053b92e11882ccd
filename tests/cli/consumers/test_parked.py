"""``dynamo-es parked``: lists, retries and drops what consumers have set aside."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, StreamId
from dynamo_es.contracts.consumers.parked import ParkedFailure
from dynamo_es.projections.failure_policy import FailurePolicy
from dynamo_es.testing.conformance.language import events

PROGRAM = """
import os
from dynamo_es.projections.failure_policy import FailurePolicy

applied = []

def handler(recorded):
    if os.environ.get("POISON"):
        raise ValueError("a value")
    applied.append(recorded.position)

def drawn(backend):
    policy = FailurePolicy(then="park", attempts=1)
    return backend.projection("drawn", handler, keep_unknown=True, on_failure=policy)

nothing = 3
"""

ANN = StreamId(name="ann", category="account")


def fail(_):
    raise ValueError("a value")


@pytest.fixture
def parked(backend, tmp_path, monkeypatch):
    """A stream that the projection ``drawn`` has parked; its program is in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"parking_{tmp_path.name}.py").write_text(PROGRAM, encoding="utf-8")
    config = replace(backend.config, sequencing="inline")
    inline = DynamoBackend(config, client=backend.client)
    inline.storage.insert_events(ANN, ANY_VERSION, events(ANN, 2))
    policy = FailurePolicy(then="park", attempts=1)
    inline.projection("drawn", fail, keep_unknown=True, on_failure=policy).run_once()
    inline.parked.skip(
        inline.parked.all()[0].key._replace(name="other"),
        ParkedFailure(inline.parked.all()[0].first, 1, "KeyError", 0),
    )
    return inline


@pytest.fixture
def module(tmp_path):
    return f"parking_{tmp_path.name}"


def lines(ended):
    assert (ended.status, ended.err) == (0, "")
    return [json.loads(line) for line in ended.out.splitlines()]


def test_list_shows_parked_streams_and_skipped_events(run, parked):
    found = lines(run("parked", "list", "--json"))
    assert [(one["consumer"], one["state"], one["from"], one["to"]) for one in found] == [
        ("drawn", "parked", 1, 2),
        ("other", "skipped", 1, 1),
    ]
    assert found[0]["stream"] == str(ANN)
    assert "a value" not in json.dumps(found)
    assert len(lines(run("parked", "list", "--consumer", "drawn", "--json"))) == 1
    assert "ValueError" in run("parked", "list").out


def test_an_empty_list_says_so(run, backend):
    assert "No stream is parked" in run("parked", "list").err


def test_retry_applies_and_unparks(run, parked, module):
    ended = run("parked", "retry", f"{module}:drawn", "--json")
    assert json.loads(ended.out) == {"applied": 2, "unparked": 1, "left": 0}
    assert parked.parked.all() == []


def test_a_retry_that_fails_again_ends_with_status_1(run, parked, module, monkeypatch):
    monkeypatch.setenv("POISON", "1")
    ended = run("parked", "retry", f"{module}:drawn")
    assert ended.status == 1
    assert "1 stream still parked" in ended.err
    assert parked.parked.all()[0].attempts == 2


def test_what_parks_nothing_cannot_be_retried(run, parked, module):
    ended = run("parked", "retry", f"{module}:nothing")
    assert ended.status == 1
    assert "does not park streams" in ended.err


def test_drop_takes_a_stream_off_the_list(run, parked):
    assert run("parked", "drop", "drawn", str(StreamId()), "--yes").status == 2
    assert run("parked", "drop", "drawn").status == 2
    ended = run("parked", "drop", "drawn", str(ANN), "--yes", "--json")
    assert json.loads(ended.out)["dropped"] == 1
    assert parked.parked.all() == []
    assert json.loads(run("parked", "drop", "other", "--skipped", "--json").out)["dropped"] == 1
    assert parked.parked.skipped() == []

"""``dynamo-es tail --since``: events that reached the log since a time."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import typer

from dynamo_es import ANY_VERSION, DynamoBackend, StreamId
from dynamo_es.cli.log.moments import moment_of
from dynamo_es.testing.clock import START, FrozenClock
from dynamo_es.testing.conformance.language import events


@pytest.fixture
def clock(monkeypatch):
    clock = FrozenClock()
    monkeypatch.setattr("dynamo_es.cli.log.tail._now", lambda: clock.now)
    return clock


def fill(backend, clock, scope, *tenants):
    """Append an event an hour, the last one an hour ago."""
    config = replace(backend.config, sequencing="inline", log_scope=scope)
    store = DynamoBackend(config, client=backend.client, clock=clock)
    for tenant in tenants:
        storage = store.in_tenant(tenant).storage
        stream = StreamId(category="order")
        storage.insert_events(stream, ANY_VERSION, events(stream, 1))
        clock.advance(timedelta(hours=1))


def shown(ended):
    assert (ended.status, ended.err) == (0, "")
    documents = [json.loads(line) for line in ended.out.splitlines()]
    return [(document["tenant"], document["position"]) for document in documents]


@pytest.mark.parametrize("since", ["150m", "2h30m", "2026-01-01T12:30Z", "2026-01-01T13:30+01:00"])
def test_it_shows_what_came_since(run, backend, clock, since):
    fill(backend, clock, "table", "", "acme", "")
    assert shown(run("tail", "--once", "--json", "--since", since)) == [("acme", 2), ("", 3)]
    found = run("tail", "--once", "--json", "--since", since, "--tenant", "acme")
    assert shown(found) == [("acme", 2)]


def test_it_shows_nothing_if_nothing_came(run, backend, clock):
    fill(backend, clock, "table", "")
    ended = run("tail", "--once", "--since", "59m")
    assert (ended.status, ended.out) == (0, "")
    assert ended.err.splitlines() == ["The log has no such events."]


def test_each_tenants_log_is_shown_since_then(run, backend, clock, monkeypatch):
    monkeypatch.setenv("DYNAMO_ES_LOG_SCOPE", "tenant")
    fill(backend, clock, "tenant", "a", "b", "a", "b")
    found = shown(run("tail", "--once", "--json", "--since", "150m"))
    assert sorted(found) == [("a", 2), ("b", 2)]
    one = run("tail", "--once", "--json", "--since", "200m", "--tenant", "b")
    assert shown(one) == [("b", 1), ("b", 2)]


@pytest.mark.ci
def test_it_goes_on_from_there_until_it_is_interrupted(run, backend, clock, monkeypatch):
    fill(backend, clock, "table", "", "", "")
    began = time.monotonic()

    def sleep(_):
        if time.monotonic() - began > 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("dynamo_es.cli.log.tail._sleep", sleep)
    ended = run("tail", "--since", "1h")
    assert ended.status == 130
    assert [line.split()[0] for line in ended.out.splitlines()] == ["3"]


def test_a_position_and_a_time_are_two_beginnings(run, backend):
    ended = run("tail", "--once", "--after", 1, "--since", "2h")
    assert ended.status == 2
    assert "Give --after or --since, not both." in ended.err


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", START - timedelta(seconds=90)),
        ("1w2d", START - timedelta(days=9)),
        ("1d1d", START - timedelta(days=2)),
        ("0m", START),
        ("2026-11-26", None),
        ("2026-11-26T08:00", None),
        ("2026-11-26T08:00Z", datetime(2026, 11, 26, 8, tzinfo=UTC)),
        ("2026-11-26 09:30:15+01:30", datetime(2026, 11, 26, 8, 0, 15, tzinfo=UTC)),
    ],
)
def test_times_and_durations(text, moment):
    if moment is None:
        with pytest.raises(typer.BadParameter, match="has no time zone: add Z for UTC"):
            moment_of("--since", text, START)
    else:
        assert moment_of("--since", text, START) == moment


@pytest.mark.parametrize("text", ["", "h", "2", "2 h", "-2h", "2y", "1.5h", "yesterday", "٢h"])
def test_other_text_is_refused(text):
    with pytest.raises(typer.BadParameter, match="--since must be a time such as") as refused:
        moment_of("--since", text, START)
    assert repr(text) in str(refused.value)


def test_before_the_year_1_is_too_long_ago():
    with pytest.raises(typer.BadParameter, match="is too long ago"):
        moment_of("--since", "999999w", START)

"""The commands of the log: verify, repair and the worker that sequences."""

from __future__ import annotations

import json
import signal
from functools import partial
from typing import Any

import pytest

from dynamo_es import DynamoConfig, StreamId
from dynamo_es.cli import sequence as sequence_module
from dynamo_es.cli import ticker
from dynamo_es.cli.ticker import ticking
from dynamo_es.dynamodb import client as client_module
from dynamo_es.dynamodb.client import LazyStreamsClient
from dynamo_es.dynamodb.log.items import Page, page_item
from dynamo_es.dynamodb.log.poller import StreamPoller
from dynamo_es.dynamodb.log.rounds import Polled
from tests.cli.conftest import TABLES
from tests.log.stores import emulated


@pytest.fixture
def store(monkeypatch):
    """An empty store, whose tables the commands find in their environment."""
    for variable, table in TABLES.items():
        monkeypatch.setenv(variable, table)
    with emulated() as store:
        monkeypatch.setattr(client_module, "make_client", lambda _: store.client)
        monkeypatch.setattr(client_module, "make_streams_client", lambda _: store.streams)
        yield store


def test_sequencing_once_puts_what_is_there_into_the_log(run, store):
    store.append(StreamId(), 1, 2)
    store.put_foreign()
    ended = run("sequence", "--once")
    assert (ended.status, ended.out) == (0, "")
    assert ended.err.splitlines() == [
        "3 records read, 3 events put into the log in 1 pages, 1 records of foreign items skipped."
    ]
    assert store.pointers == store.commits
    assert run("sequence", "--once").err.startswith("0 records read")


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_the_worker_goes_on_until_it_is_told_to_stop(run, store, monkeypatch, by):
    store.append(StreamId(), 1)
    waits = iter([lambda: store.append(StreamId(), 1), None, lambda: signal.raise_signal(by)])

    def wait(*_):
        if action := next(waits, None):
            action()

    monkeypatch.setattr(sequence_module, "StreamPoller", partial(StreamPoller, wait=wait))
    before = signal.getsignal(signal.SIGTERM)
    ended = run("sequence")
    assert ended.status == 130
    assert "2 records read, 2 events put into the log" in ended.err
    assert signal.getsignal(signal.SIGTERM) == before
    assert run("sequence", "--once").err.startswith("0 records read")  # its place was saved


def test_it_reports_what_it_has_done_so_far(run, store, monkeypatch):
    monkeypatch.setattr(ticker, "SECONDS_BETWEEN_LINES", 0.0)
    rounds = [Polled(records=2, pages=1, positions=3), Polled(), Polled(records=1, positions=1)]

    def play(_: object, __: object, on_round: Any) -> None:
        for polled in rounds:
            on_round(polled)

    monkeypatch.setattr(StreamPoller, "run", play)
    ended = run("sequence")
    assert ended.status == 0
    assert [line.split(" ", 1)[0] for line in ended.err.splitlines()] == ["2", "3", "3"]


def test_without_a_stream_it_says_what_to_do(run, store):
    store.make_again(StreamEnabled=False)
    ended = run("sequence")
    assert ended.status == 1
    assert "dynamo-es: The table events has no stream" in ended.err


def test_a_sound_log(run, store):
    store.append(StreamId(), 1, 2)
    store.sequence(*store.commits)
    ended = run("log", "verify")
    assert (ended.status, ended.err) == (0, "")
    assert "3 positions in 1 pages" in ended.out
    document = json.loads(run("log", "verify", "--json").out)
    assert (document["in_log"], document["deleted"], document["sound"]) == (2, 0, True)


def test_what_is_not_sequenced_yet_is_a_warning(run, store):
    store.append(StreamId(), 1, 2)
    ended = run("log", "verify", "--json")
    assert ended.status == 0
    assert json.loads(ended.out)["not_sequenced"] == 2
    assert ended.err.startswith("2 commits are not in the log yet.")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_fault_is_named_and_fails_it(run, store, monkeypatch, options):
    monkeypatch.setattr("dynamo_es.dynamodb.log.verification.MOST_FAULTS", 1)
    store.append(StreamId(), 1, 2)
    first, second = store.commits
    pages = Page(2, (second, first), "x"), Page(9, (second,), "x")
    for page in pages:
        store.client.put_item(TableName="log", Item=page_item(page))
    ended = run("log", "verify", *options)
    assert ended.status == 1
    assert ended.err.splitlines()[0].startswith("A page begins at position 2")
    assert ended.err.splitlines()[1].endswith("more like these.")
    if options:
        document = json.loads(ended.out)
        assert not document["sound"]
        assert len(document["faults"]) == 1
        assert document["fault_count"] > 2


def test_repairing(run, store):
    store.append(StreamId(), 1, 2)
    store.put_foreign()
    ended = run("log", "repair")
    assert ended.status == 0
    assert "3 positions in 1 pages" in ended.out
    assert store.pointers == store.commits
    assert json.loads(run("log", "repair", "--json").out) == {
        "scanned": 3,
        "expected": 3,
        "commits": 2,
        "foreign": 1,
        "pages": 0,
        "positions": 0,
        "complete": True,
    }


def test_how_far_it_is_is_told(run, store, monkeypatch):
    monkeypatch.setattr(ticker, "SECONDS_BETWEEN_LINES", 0.0)
    store.append(StreamId(), 1, 2)
    assert "2 of about 2 items of the events table, 3 positions given" in run("log", "repair").err
    assert "1 pages, 3 positions; 2 of about 2 items" in run("log", "verify").err


@pytest.mark.parametrize("command", [["log", "verify"], ["log", "repair"], ["sequence"]])
def test_missing_tables_are_one_line(run, store, monkeypatch, command):
    monkeypatch.setenv("DYNAMO_ES_EVENTS_TABLE", "other")
    ended = run(*command)
    assert ended.status == 1
    assert any(line.startswith("dynamo-es: ") for line in ended.err.splitlines())
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", ["verify", "repair"])
def test_the_group_helps(run, command):
    assert command in run("log", "--help").out
    assert "--json" in run("log", command, "--help").out


def test_a_line_is_told_every_few_seconds(capsys):
    now = [0.0]
    with ticking("first", lambda: now[0]) as tick:
        for now[0], text in ((4.9, "early"), (5.0, "told"), (9.9, "again"), (10.0, "last")):
            tick(text)
    assert capsys.readouterr().err.splitlines() == ["told", "last"]


def test_on_a_terminal_it_is_a_line_that_changes(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with ticking("first") as tick:
        tick("second")
    assert "second" in capsys.readouterr().err


def test_the_client_of_the_streams_is_made_late_and_like_the_other(monkeypatch):
    config = DynamoConfig(
        events_table="e",
        log_table="l",
        keys_table="k",
        endpoint_url="http://127.0.0.1:1",
        region="eu-central-1",
        read_timeout=4.5,
    )
    client = LazyStreamsClient(config)()
    assert client.meta.service_model.service_name == "dynamodbstreams"
    assert client.meta.endpoint_url == "http://127.0.0.1:1"
    assert client.meta.region_name == "eu-central-1"
    settings: Any = client.meta.config
    assert (settings.read_timeout, settings.retries["total_max_attempts"]) == (4.5, 4)
    monkeypatch.setattr(client_module, "make_streams_client", lambda _: pytest.fail("made"))
    assert LazyStreamsClient(config, client)() is client

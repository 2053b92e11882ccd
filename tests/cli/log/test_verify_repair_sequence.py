"""``dynamo-es log`` and ``dynamo-es sequence``: verify, repair, and the worker that sequences."""

from __future__ import annotations

import json
import signal
from functools import partial
from typing import Any

import pytest

from dynamo_es import DynamoConfig, StreamId
from dynamo_es.cli.log import sequence as sequence_module
from dynamo_es.cli.log.sequence import Work
from dynamo_es.cli.terminal import progress
from dynamo_es.cli.terminal.output import messages, tell
from dynamo_es.cli.terminal.progress import ticking
from dynamo_es.dynamodb.log.pages import Page, page_item
from dynamo_es.dynamodb.maintenance.verify import verify
from dynamo_es.dynamodb.table_stream import poller as poller_module
from dynamo_es.dynamodb.table_stream import rounds as rounds_module
from dynamo_es.dynamodb.table_stream.poller import SequencerReport, StreamPoller
from dynamo_es.dynamodb.table_stream.rounds import Polled, Progress
from dynamo_es.dynamodb.wire import client as client_module
from dynamo_es.dynamodb.wire.client import LazyStreamsClient
from tests.cli.conftest import TABLES
from tests.log.hostile import VICTIM_KEY, a_victim
from tests.log.stores import emulated, new_commits

# Each test sequences a store on the emulator.
pytestmark = pytest.mark.ci


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
        "3 records read, 3 events put into the log in 1 page, 1 foreign record skipped."
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
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    rounds = [Polled(records=2, pages=1, positions=3), Polled(), Polled(records=1, positions=1)]

    def play(_: object, __: object, on_progress: Any) -> None:
        for polled in rounds:
            on_progress(SequencerReport.of(polled, 0))

    monkeypatch.setattr(StreamPoller, "run_forever", play)
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
    assert "3 positions in 1 page" in ended.out
    document = json.loads(run("log", "verify", "--json").out)
    assert (document["in_log"], document["deleted"], document["sound"]) == (2, 0, True)


def test_what_is_not_sequenced_yet_is_a_warning(run, store):
    store.append(StreamId(), 1, 2)
    ended = run("log", "verify", "--json")
    assert ended.status == 0
    assert json.loads(ended.out)["not_sequenced"] == 2
    assert ended.err.startswith("2 commits not in the log yet.")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_fault_is_named_and_fails_it(run, store, monkeypatch, options):
    monkeypatch.setattr("dynamo_es.dynamodb.maintenance.verify.MOST_FAULTS", 1)
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
    assert "3 positions in 1 page" in ended.out
    assert store.pointers == store.commits
    assert json.loads(run("log", "repair", "--json").out) == {
        "scanned": 3,
        "expected": 3,
        "commits": 2,
        "foreign": 1,
        "pages": 0,
        "positions": 0,
        "complete": True,
        "set_aside": 0,
        "waiting": 0,
        "removed": 0,
    }


def test_how_far_it_is_is_told(run, store, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    store.append(StreamId(), 1, 2)
    assert "2 of about 2 items of the events table, 3 positions given" in run("log", "repair").err
    assert "1 page, 3 positions; 2 of about 2 items" in run("log", "verify").err


@pytest.mark.parametrize("command", [["log", "verify"], ["log", "repair"], ["sequence"]])
def test_missing_tables_are_one_line(run, store, monkeypatch, command):
    monkeypatch.setenv("DYNAMO_ES_EVENTS_TABLE", "other")
    ended = run(*command)
    assert ended.status == 1
    assert any(line.startswith("dynamo-es: ") for line in ended.err.splitlines())
    assert "Traceback" not in ended.err


def test_what_cannot_be_read_is_listed_and_named_by_each_command(run, store):
    first, damaged, third = a_victim(1), a_victim(2, event_count={"N": "0"}), a_victim(3)
    for item in (first, damaged, third):
        store.client.put_item(TableName="events", Item=item)

    ended = run("sequence", "--once")
    assert "1 unreadable record set aside" in ended.err
    assert "1 commit waiting for a record that is set aside" in ended.err
    ended = run("log", "set-aside")
    assert ended.status == 0
    assert ended.out.startswith(f"{VICTIM_KEY} 2 since ")
    assert ended.out.endswith("its event_count is not between 1 and 1000000000000000000.\n")
    (document,) = map(json.loads, run("log", "set-aside", "--json").out.splitlines())
    assert (document["stream_key"], document["version"]) == (VICTIM_KEY, "2")
    ended = run("log", "repair")
    assert ended.err.startswith("Unreadable: 1 item, now set aside. Waiting: 1 later commit.")
    ended = run("log", "verify")
    assert ended.status == 1
    assert ended.err.startswith(f"The item '{VICTIM_KEY}' at 2 cannot be read")


def test_a_newest_page_that_was_repaired_is_named(run, store):
    page = page_item(Page(1, (), "x"))
    store.client.put_item(TableName="log", Item=page)
    ended = run("sequence", "--once")
    assert ended.status == 0  # nothing to sequence
    store.append(StreamId(), 1)
    ended = run("sequence", "--once")
    assert ended.status == 1
    assert "Run `dynamo-es log repair`" in ended.err
    assert run("log", "repair").status == 0
    assert run("sequence", "--once").status == 0
    assert len(store.pointers) == 1


# A backlog


@pytest.fixture
def backlog(store, monkeypatch):
    """25 commits, which are sequenced in parts of ten."""
    monkeypatch.setattr(rounds_module, "MAX_POINTERS", 10)
    monkeypatch.setattr(poller_module, "QUIET_WAIT", 0.0)
    for item in new_commits(25):
        store.client.put_item(TableName="events", Item=item)


@pytest.mark.parametrize("options", [[], ["--once"]])
def test_a_worker_stops_in_the_middle_of_a_backlog(run, store, backlog, options):
    """After the request in hand; what it has read and not put into the log is read again."""
    bus, puts = store.client.meta.events, []

    def interrupt(params, **_):
        puts.append(params)
        if len(puts) == 3:  # a page and its markers, and another page
            signal.raise_signal(signal.SIGINT)

    for operation in ("PutItem", "BatchExecuteStatement"):
        bus.register(f"provide-client-params.dynamodb.{operation}", interrupt)
    try:
        ended = run("sequence", *options)
    finally:
        for operation in ("PutItem", "BatchExecuteStatement"):
            bus.unregister(f"provide-client-params.dynamodb.{operation}", interrupt)
    assert ended.status == 130
    assert len(puts) <= 5  # its place may be saved
    assert len(store.pointers) == 20
    assert run("sequence", "--once").status == 0
    assert len(store.pointers) == 25
    assert verify(store.config, lambda: store.client).sound


def test_what_a_worker_does_with_a_backlog_is_told(run, store, monkeypatch, backlog):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    lines = run("sequence", "--once").err.splitlines()
    assert lines[0].startswith("10 events put into the log, ")
    assert " a second; backlog: 15 commits read but not in the log yet" in lines[0]
    assert "backlog: 0 commits" in lines[2]
    assert lines[-1] == "25 records read, 25 events put into the log in 3 pages."


def test_the_rest_of_a_backlog_is_estimated():
    now, seconds = 10_000.0, iter([0.0, 10.0, 20.0])
    work = Work(lambda: now, lambda: next(seconds))
    first = work.describe(Progress(100, 900, 200, 1_000.0))
    assert first == (
        "200 events put into the log, 20 a second; backlog: 900 commits read but not in the log "
        "yet, and everything written in the last 2:30:00."
    )
    work.add(Polled(positions=1_000))
    second = work.describe(Progress(100, 0, 200, 4_000.0))
    assert "1,200 events put into the log, 60 a second" in second
    assert second.endswith("written in the last 1:40:00; about 0:00:40 remaining.")


def test_what_is_written_now_is_no_backlog():
    work = Work(lambda: 10_000.0, lambda: 0.0)
    for written_at in (None, 9_995.0):
        assert work.describe(Progress(1, 0, 1, written_at)).endswith("not in the log yet.")


@pytest.mark.parametrize("command", ["verify", "repair", "set-aside"])
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


def test_a_message_has_a_line_of_its_own_above_the_one_that_changes(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with ticking("first"):
        # The console of the changing line puts messages above it; another one would not.
        assert messages() is messages()
        tell("told")
    assert "told\n" in capsys.readouterr().err
    assert messages() is not messages()


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

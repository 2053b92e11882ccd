"""The commands of the log's consumers: tail, streams, checkpoints, outbox."""

import json
import re
import time
from dataclasses import replace

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, StreamId
from dynamo_es.testing.conformance.language import events


@pytest.fixture
def stored(backend):
    """Events of two categories and tenants, with positions; where the outbox takes all of them."""
    config = replace(backend.config, sequencing="inline")
    inline = DynamoBackend(config, client=backend.client).with_outbox()
    one = StreamId(name="ann", category="account")
    _append(inline, one, 2)
    _append(inline, StreamId(category="other"), 1)
    _append(inline.in_tenant("acme"), StreamId(name="bob\x1b[0m", category="account"), 1)
    return inline


def _append(backend, stream, number):
    backend.storage.insert_events(stream, ANY_VERSION, events(stream, number))


def lines(ended):
    assert (ended.status, ended.err) == (0, "")
    return [json.loads(line) for line in ended.out.splitlines()]


def test_tail_shows_the_log_to_its_end(run, stored):
    ended = run("tail", "--once")

    assert ended.status == 0
    assert [line.split()[0] for line in ended.out.splitlines()] == ["1", "2", "3", "4"]
    assert "account/ann 1 NumberDrawn" in ended.out
    assert "acme/account/bob\\x1b[0m" in ended.out
    assert "\x1b" not in ended.out


@pytest.mark.parametrize(
    ("options", "positions"),
    [
        (["--after", 2], [3, 4]),
        (["--category", "account"], [1, 2, 4]),
        (["--tenant", "acme"], [4]),
        (["--event", "Never"], []),
        (["--event", "Never", "--event", "NumberDrawn", "--after", 3], [4]),
    ],
)
def test_tail_takes_filters(run, stored, options, positions):
    found = lines(run("tail", "--once", "--json", *options))

    assert [document["position"] for document in found] == positions


@pytest.mark.ci
def test_tail_goes_on_from_the_end_until_it_is_interrupted(run, stored, monkeypatch):
    def sleep(_):
        if not calls:
            _append(stored, StreamId(name="late"), 1)
        calls.append(time.monotonic())
        if calls[-1] - calls[0] > 1:
            raise KeyboardInterrupt

    calls: list[float] = []
    monkeypatch.setattr("dynamo_es.cli.tail._sleep", sleep)

    ended = run("tail")

    assert ended.status == 130
    assert [line.split()[0] for line in ended.out.splitlines()] == ["5"]


@pytest.mark.parametrize(
    "command", [["tail", "--once"], ["streams"], ["streams", "--category", "account"]]
)
def test_what_no_sequencer_has_given_a_position_is_not_passed_over_in_silence(
    run, backend, command, caplog
):
    _append(backend, StreamId(name="ann", category="account"), 1)

    ended = run(*command)

    assert (ended.status, ended.out) == (0, "")
    assert caplog.text.count("no sequencer runs") == 1


def test_tail_of_a_position_from_the_future(run, stored):
    ended = run("tail", "--after", 99)

    assert ended.status == 1
    assert "the log ends at 4" in ended.err


def test_streams_of_a_category(run, stored):
    assert lines(run("streams", "--category", "account", "--json")) == [
        {"stream": str(StreamId(name="ann")), "name": "ann", "version": 2}
    ]
    assert run("streams", "--category", "account").out == f"{StreamId(name='ann')} 2 ann\n"
    assert run("streams", "--category", "none").out == ""


def test_streams_without_a_category_are_listed(run, stored):
    _append(stored, StreamId(name="plain"), 1)
    assert run("streams", "--no-category").out == f"{StreamId(name='plain')} 1 plain\n"
    assert run("streams", "--no-category", "--category", "account").status == 2


def test_streams_lists_the_categories_first(run, stored):
    _append(stored, StreamId(name="plain"), 1)

    ended = run("streams")

    assert ended.out.splitlines() == ["(without a category)", "account", "other"]
    assert ended.err == ("3 categories. To list the streams: dynamo-es streams --category NAME\n")
    assert lines(run("streams", "--json")) == [
        {"category": None, "tenant": ""},
        {"category": "account", "tenant": ""},
        {"category": "other", "tenant": ""},
    ]


def test_one_category_is_one(run, stored):
    ended = run("streams", "--tenant", "acme")
    assert (ended.out, ended.err.split(".")[0]) == ("account\n", "1 category")


def test_a_tenant_without_streams_is_told_of_the_others(run, stored):
    ended = run("streams", "--tenant", "nobody")
    assert (ended.status, ended.out) == (0, "")
    assert ended.err == (
        "The tenant nobody has no streams in the log. Tenants (--tenant) with streams: the "
        "default one, 'acme'.\n"
    )


def test_lists_are_plain_lines_where_there_is_no_terminal(run, stored, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    stored.checkpoints.move("a consumer with a name that is longer than the line", 3)

    (line,) = run("checkpoints").out.splitlines()

    position, lag, moved_at, state, consumer, version, tenant, worker, beat = line.split("\t")
    assert (position, lag, state, version, tenant, worker, beat) == ("3", "1", "", "", "", "", "")
    assert consumer == "a consumer with a name that is longer than the line"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", moved_at)


def test_lists_are_tables_on_a_terminal(run, stored, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    stored.checkpoints.move("balances", 3)
    shown = run("checkpoints").out
    assert "moved at" in shown
    assert "tenant" not in shown, "a column that is empty is left out"
    assert "version" in run("show", "ann", "--category", "account").out


def test_checkpoints_show_the_worker_and_its_last_beat(run, stored):
    checkpoints = stored.checkpoints
    checkpoints.move("balances", 3)
    checkpoints.take("balances", "host:7-abcdefgh", checkpoints.look("balances"), 90_000, 60_000)

    assert run("checkpoints").out.split("\t")[-2:] == ["host:7-abcd", "1970-01-01 00:00:30Z\n"]
    (document,) = lines(run("checkpoints", "--json"))
    assert document["worker"] == "host:7-abcdefgh"
    assert document["beat_at"] == "1970-01-01T00:00:30+00:00"


def test_a_checkpoint_is_reset_when_that_is_confirmed(run, stored):
    stored.checkpoints.move("balances", 3)

    ended = run("checkpoints", "reset", "balances", stdin=b"y\n")

    assert ended.status == 0
    assert ended.err.startswith(
        "Set balances from 3 to 0? It will get the events of 3 positions again. Stop it first."
    )
    assert ended.out == "balances is now at 0; 4 positions to go.\n"
    assert stored.checkpoints.position("balances") == 0


@pytest.mark.parametrize(
    ("to", "effect"),
    [
        (2, "will get the events of 1 position again"),
        (4, "will never get the events of 1 position."),
        (3, "It is already there"),
    ],
)
def test_what_a_reset_does_is_said_in_the_question(run, stored, to, effect):
    stored.checkpoints.move("balances", 3)
    ended = run("checkpoints", "reset", "balances", "--to", to, stdin=b"n\n")
    assert (ended.status, ended.out) == (1, "")
    assert effect in ended.err
    assert "Nothing was changed. To skip the question: --yes" in ended.err
    assert stored.checkpoints.position("balances") == 3


def test_a_checkpoint_of_a_tenant_is_reset_alone(run, stored):
    for one in (stored, stored.in_tenant("acme")):
        one.checkpoints.move("balances", 3)

    (document,) = lines(
        run("checkpoints", "reset", "balances", "--to", 1, "--tenant", "acme", "--yes", "--json")
    )

    assert document == {"consumer": "balances", "tenant": "acme", "before": 3, "position": 1}
    assert stored.checkpoints.position("balances") == 3
    assert stored.in_tenant("acme").checkpoints.position("balances") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody"], "'nobody' has no checkpoint. Consumers with one: 'balances'."),
        (["balances", "--to", "5"], "Position 5 does not exist: the log ends at 4."),
        (["balances", "--to", "-1"], "A position must be an integer of 0"),
    ],
)
def test_a_reset_that_cannot_be_meant_is_refused(run, stored, arguments, words):
    stored.checkpoints.move("balances", 3)
    ended = run("checkpoints", "reset", *arguments, "--yes")
    assert (ended.status, ended.out) == (1, "")
    assert words in ended.err
    assert stored.checkpoints.position("balances") == 3


def test_checkpoints_lists_under_its_own_name_too(run, stored):
    stored.checkpoints.move("balances", 3)
    assert run("checkpoints", "--json", "list").status == 2
    assert run("checkpoints", "list", "--json").out == run("checkpoints", "--json").out
    assert run("checkpoints", "list").out == run("checkpoints").out


def test_checkpoints(run, stored):
    stored.checkpoints.move("balances", 3)

    ((found,), shown) = lines(run("checkpoints", "--json")), run("checkpoints").out

    assert (found["consumer"], found["position"], found["lag"]) == ("balances", 3, 1)
    assert shown.split()[-5:][0] == "3"
    assert "balances" in shown


def test_checkpoints_of_tenants(run, stored):
    for tenant in ("acme", ""):
        stored.in_tenant(tenant).checkpoints.move("balances", 3)
    stored.checkpoints.move("balances", 3)

    found, shown = lines(run("checkpoints", "--json")), run("checkpoints").out

    assert [one["tenant"] for one in found] == [None, "", "acme"]
    assert "acme" in shown
    assert "(default)" in shown


def test_the_outbox_of_a_tenant(run, stored):
    def publish(recorded):
        raise ZeroDivisionError

    stored.in_tenant("acme").outbox.run_once(publish, attempts=1)

    assert lines(run("outbox", "list", "--json")) == []
    (entry,) = lines(run("outbox", "list", "--json", "--tenant", "acme"))
    assert entry["tenant"] == "acme"
    assert "1 event will be tried again." in run("outbox", "retry", "--all", "--tenant", "acme").err


def test_outbox_lists_and_puts_back(run, stored):
    def publish(recorded):
        raise ZeroDivisionError(f"at {recorded.position}")

    stored.outbox.run_once(publish, attempts=1)
    listed = lines(run("outbox", "list", "--json"))
    assert [(entry["position"], entry["dead"]) for entry in listed] == [
        (position, True) for position in range(1, 5)
    ]
    assert "NumberDrawn" in run("outbox", "list").out

    assert "1 event will be tried again." in run("outbox", "retry", 2).err
    (document,) = lines(run("outbox", "retry", 2, "--json"))
    assert document == {"outbox": "outbox", "tenant": None, "positions": [2]}
    assert [entry["dead"] for entry in lines(run("outbox", "list", "--json"))].count(True) == 3
    assert "3 events will be tried again." in run("outbox", "retry", "--all").err
    assert "no dead events to retry" in run("outbox", "retry", "--all").err
    assert lines(run("outbox", "list", "--json", "--outbox", "other")) == []


@pytest.mark.parametrize("arguments", [[], ["1", "--all"]])
def test_outbox_retry_needs_positions_or_all(run, stored, arguments):
    assert run("outbox", "retry", *arguments).status == 2


def test_outbox_retry_of_a_position_that_did_not_fail(run, stored):
    ended = run("outbox", "retry", 3)

    assert ended.status == 1
    assert "no failed entry at position 3" in ended.err
    assert ended.err.endswith("To list the failed events: dynamo-es outbox list\n")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["checkpoints"], "No consumer has a checkpoint yet."),
        (["outbox", "list"], "All events that were tried are published."),
        (
            ["streams"],
            "The log is empty. Events are listed after a sequencer has run: dynamo-es sequence",
        ),
        (
            ["streams", "--category", "x"],
            "The default tenant has no streams of the category x in the log.",
        ),
        (
            ["streams", "--no-category", "--tenant", "acme"],
            "The tenant acme has no streams without a category in the log.",
        ),
        (["tail", "--once"], "The log has no such events."),
        (["log", "set-aside"], "No commits are set aside."),
    ],
)
def test_an_empty_list_says_so_in_words(run, backend, command, words):
    ended = run(*command)
    assert (ended.status, ended.out) == (0, "")
    assert ended.err.splitlines()[0] == words
    assert (run(*command, "--json").out, run(*command, "--json").err) == ("", "")

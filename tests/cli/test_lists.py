"""Lists of every command: plain lines or a table, and words where a list is empty."""

import re

import pytest

from dynamo_es import StreamId
from tests.cli.stores import append


@pytest.mark.parametrize(
    "command", [["tail", "--once"], ["streams"], ["streams", "--category", "account"]]
)
def test_what_no_sequencer_has_given_a_position_is_not_passed_over_in_silence(
    run, backend, command, caplog
):
    append(backend, StreamId(name="ann", category="account"), 1)

    ended = run(*command)

    assert (ended.status, ended.out) == (0, "")
    assert caplog.text.count("no sequencer runs") == 1


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

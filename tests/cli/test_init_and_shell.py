"""``dynamo-es init``: the variables of the tables. ``dynamo-es shell``: Python on the store."""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from dynamo_es import DynamoConfig, Event, StreamId
from dynamo_es.cli import shell as shell_module

LOCAL = "http://127.0.0.1:8000"
NAMED = ["DYNAMO_ES_EVENTS_TABLE", "DYNAMO_ES_LOG_TABLE", "DYNAMO_ES_KEYS_TABLE"]


@pytest.fixture
def empty(monkeypatch):
    """No variable of the store, but credentials."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    for variable in os.environ:
        if variable.startswith("DYNAMO_ES_"):
            monkeypatch.delenv(variable)


def sourced(text: str) -> dict[str, str]:
    """Return the variables of the store that a shell has after it ran a text."""
    ended = subprocess.run(  # noqa: S603 - a test of shell commands
        ["/bin/sh", "-c", f"set -a\n{text}\nenv"],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    pairs = (line.partition("=") for line in ended.stdout.splitlines())
    return {name: value for name, _, value in pairs if name.startswith("DYNAMO_ES_")}


def test_init_prints_exports_for_a_shell(run, empty):
    ended = run("init", "--endpoint-url", LOCAL)

    variables = sourced(ended.out)

    assert ended.status == 0
    assert all(line.startswith("export DYNAMO_ES_") for line in ended.out.splitlines())
    assert DynamoConfig.from_env(variables) == DynamoConfig(
        events_table="dynamo-es-events",
        log_table="dynamo-es-log",
        keys_table="dynamo-es-keys",
        endpoint_url=LOCAL,
        region="us-east-1",
    )
    assert ended.err == "If the tables do not exist yet: dynamo-es create-tables\n"


def test_init_on_aws_names_what_is_given_only(run, empty):
    assert sorted(sourced(run("init").out)) == sorted(NAMED)
    variables = sourced(run("init", "--region", "eu-west-1", "--profile", "a b'c").out)
    assert variables["DYNAMO_ES_REGION"] == "eu-west-1"
    assert variables["DYNAMO_ES_PROFILE"] == "a b'c"


def test_init_keeps_what_the_environment_says(run, empty, monkeypatch):
    monkeypatch.setenv("DYNAMO_ES_REGION", "eu-west-1")
    assert sourced(run("init").out)["DYNAMO_ES_REGION"] == "eu-west-1"


def test_a_prefix_names_all_tables(run, empty):
    assert [sourced(run("init", "--prefix", "shop").out)[name] for name in NAMED] == [
        "shop-events",
        "shop-log",
        "shop-keys",
    ]


@pytest.mark.parametrize(
    "options", [["--prefix", "shop", "--log-table", "l"], ["--prefix", "a b"], ["--prefix", ""]]
)
def test_a_prefix_that_cannot_be_meant_is_wrong_usage(run, empty, options):
    assert run("init", *options).status == 2


def test_init_writes_a_file_and_keeps_what_is_there(run, empty, tmp_path):
    file = tmp_path / ".env"
    file.write_text("OTHER=1")

    ended = run("init", "--endpoint-url", LOCAL, "--file", file)

    assert (ended.status, ended.out) == (0, "")
    assert ended.err.startswith(f"5 variables written to {file}. To set them in this shell: set -a")
    assert file.read_text().startswith("OTHER=1\nDYNAMO_ES_EVENTS_TABLE=dynamo-es-events\n")
    assert sourced(f". {file}")["DYNAMO_ES_ENDPOINT_URL"] == LOCAL


@pytest.mark.parametrize("line", ["DYNAMO_ES_LOG_TABLE=x", " export DYNAMO_ES_LOG_TABLE=x\n"])
def test_init_never_changes_what_a_file_sets(run, empty, tmp_path, line):
    file = tmp_path / ".env"
    file.write_text(line)
    ended = run("init", "--file", file)
    assert (ended.status, file.read_text()) == (1, line)
    assert "already sets DYNAMO_ES_LOG_TABLE. Nothing was changed." in ended.err


# The shell


class Noted(Event):
    __event_name__ = "tests.cli.noted"

    text: str


@pytest.fixture
def events(monkeypatch):
    """The name of a module that defines an event."""
    module: Any = ModuleType("my_app_of_the_shell")
    module.Noted, module._hidden, module.backend = Noted, 1, "not this one"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module.__name__


@pytest.fixture
def no_ipython(monkeypatch):
    monkeypatch.setattr(shell_module, "find_spec", lambda _: None)


def test_the_shell_has_the_store_and_your_events(run, backend, events, no_ipython):
    typed = b"""
event_store.append(Noted(text="first"), stream_id=StreamId(name="a"))
print(backend.event_store.version(StreamId(name="a")), "_hidden" in globals())
print(my_app_of_the_shell.Noted is Noted)
"""
    ended = run("shell", "--import", events, stdin=typed)

    assert ended.status == 0
    assert "1 False" in ended.out
    assert "True" in ended.out
    assert ended.err.startswith("dynamo_es on AWS, tables events, log, keys.\n")
    assert "You have: backend, event_store (of the default tenant), StreamId, the names of" in (
        ended.err
    )
    (stored,) = backend.event_store.load_stream(StreamId(name="a"))
    assert stored.event == Noted(text="first")


def test_the_shell_is_ipython_where_that_is_installed(run, backend, monkeypatch):
    started = []
    module: Any = ModuleType("IPython")
    module.start_ipython = lambda argv, user_ns: started.append((argv, set(user_ns)))
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setattr(shell_module, "find_spec", lambda name: name)

    assert run("shell").status == 0

    assert started == [(["--no-banner"], {"backend", "event_store", "StreamId"})]


def test_code_runs_without_a_shell(run, backend, events):
    append = "event_store.append(Noted(text='x'), stream_id=StreamId(name='a'))"
    ended = run("shell", "--import", events, "-c", append, "--tenant", "acme")
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    assert backend.in_tenant("acme").event_store.version(StreamId(name="a")) == 1


def test_an_error_of_the_store_in_the_code_is_one_line(run, backend):
    ended = run("shell", "-c", "event_store.load_stream('not a stream')")
    assert ended.status == 1
    assert ended.err.startswith("dynamo-es: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("wrong", "last"),
    [("1 / 0", "ZeroDivisionError: division by zero"), ("1 +", "SyntaxError: invalid syntax")],
)
def test_an_error_of_the_code_itself_has_the_traceback_of_the_code(run, backend, wrong, last):
    ended = run("shell", "-c", wrong)
    assert ended.status == 1
    assert ended.err.splitlines()[-1] == last
    assert 'File "<command>", line 1' in ended.err
    assert ended.err.count("File ") == 1


def test_a_module_that_the_shell_cannot_import_is_named(run, backend):
    ended = run("shell", "--import", "no_such_module", "-c", "")
    assert ended.status == 1
    assert ended.err.startswith("dynamo-es: There is no module no_such_module: ")

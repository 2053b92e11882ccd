"""Every command: its tables, its errors, its help."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from dynamo_es import __version__
from dynamo_es.dynamodb.wire import client as client_module

COMMANDS = ("demo", "create-tables", "import", "show", "head", "delete")


def test_tables_are_made_and_making_them_again_changes_nothing(run, backend, monkeypatch):
    for table in ("EVENTS", "LOG", "KEYS"):
        monkeypatch.setenv(f"DYNAMO_ES_{table}_TABLE", f"mine-{table.lower()}")
    names = ["mine-events", "mine-log", "mine-keys"]

    first = run("create-tables")
    again = run("create-tables", "--json")

    assert (first.status, again.status) == (0, 0)
    assert first.out.splitlines() == [f"{name} is ready." for name in names]
    assert list(json.loads(again.out).values()) == names
    assert set(names) <= set(backend.client.list_tables()["TableNames"])


def test_options_name_tables_in_place_of_the_environment(run, backend, monkeypatch):
    monkeypatch.delenv("DYNAMO_ES_EVENTS_TABLE")
    ended = run("create-tables", "--events-table", "other", "--log-table", "l", "--json")
    assert json.loads(ended.out) == {
        "events_table": "other",
        "log_table": "l",
        "keys_table": "keys",
    }


def test_the_endpoint_is_an_option(run, backend, monkeypatch):
    configs = []

    def make_client(config):
        configs.append(config)
        return backend.client

    monkeypatch.setattr(client_module, "make_client", make_client)
    run("head", "a", "--endpoint-url", "http://127.0.0.1:1234")
    assert [config.endpoint_url for config in configs] == ["http://127.0.0.1:1234"]


def test_one_table_name_alone_is_refused_in_one_line(run, monkeypatch):
    for table in ("EVENTS", "LOG", "KEYS"):
        monkeypatch.delenv(f"DYNAMO_ES_{table}_TABLE", raising=False)
    ended = run("show", "a", "--log-table", "log")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        "dynamo-es: Set the environment variables DYNAMO_ES_EVENTS_TABLE, DYNAMO_ES_KEYS_TABLE: "
        "name all three tables or none. Or use --events-table, --log-table and --keys-table.\n"
    )


def test_an_error_of_the_store_is_told_in_one_line(run, backend):
    ended = run("show", "a", "--events-table", "nowhere")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("dynamo-es: Query on ")
    assert "ResourceNotFoundException" in ended.err
    assert ended.err.endswith("To create the tables: dynamo-es create-tables\n")
    assert "()" not in ended.err
    assert ended.err.count("\n") == 1


def test_a_missing_region_is_told_in_one_line(run, monkeypatch):
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION", "DYNAMO_ES_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    tables = ["--events-table", "e", "--log-table", "l", "--keys-table", "k"]
    for command in (["create-tables"], ["show", "a"]):
        ended = run(*command, *tables)
        assert ended.status == 1
        assert "You must specify a region." in ended.err
        assert ended.err.count("\n") == 1


def test_debug_shows_the_traceback(run, backend, monkeypatch):
    from dynamo_es.exceptions import TableNotFoundError

    with pytest.raises(TableNotFoundError):
        run("--debug", "show", "a", "--events-table", "nowhere")
    monkeypatch.setenv("DYNAMO_ES_DEBUG", "1")
    with pytest.raises(TableNotFoundError):
        run("show", "a", "--events-table", "nowhere")


def test_ctrl_c_ends_with_130(run, backend, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dynamo_es.cli.streams.show.exists", interrupt)
    ended = run("show", "a")
    assert (ended.status, ended.out, ended.err) == (130, "", "Interrupted.\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(run, command):
    ended = run(command, "--help")
    assert ended.status == 0
    assert "--json" in ended.out
    assert "--endpoint-url" in ended.out


def test_the_help_lists_every_command(run):
    out = run("--help").out
    assert all(command in out for command in COMMANDS)


def test_the_version_is_shown(run):
    assert run("--version").out == f"dynamo-es {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["show"], ["nothing"], ["show", "a", "--start", 0], ["show", "a", "--nothing"]]
)
def test_wrong_usage_ends_with_two(run, backend, arguments):
    ended = run(*arguments)
    assert (ended.status, ended.out) == (2, "")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_its_name_is_told(missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None;"
        "from dynamo_es.cli import main; sys.argv = ['dynamo-es', '--help']; main()"
    )
    ended = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "The command line needs the extra: pip install 'dynamo_es[cli]'\n"

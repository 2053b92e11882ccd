"""The help of every command has an example and the common options; shells complete commands."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from dynamo_es.cli import application as application_module

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Any = typer.main.get_command(application_module.application)


def commands(group: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of each command and group, such as ("log", "verify")."""
    for name, command in group.commands.items():
        yield (*path, name)
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


def command_at(path: tuple[str, ...]) -> Any:
    found = ROOT
    for name in path:
        found = found.commands[name]
    return found


PATHS = list(commands())
WITHOUT_STORE = {("demo",), ("cost",), ("emulator",), ("template",), ("package",)}
WORDS = ["behind", "leavings", "reckon", "mended", "upto", "settle", "whatever"]


def test_no_command_is_forgotten():
    assert {
        ("init",),
        ("shell",),
        ("rebuild",),
        ("projections", "run"),
        ("projections", "list"),
        ("checkpoints", "reset"),
        ("log", "verify"),
        ("outbox", "retry"),
    } <= set(PATHS)


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_a_command_has_help_with_an_example_that_it_takes(run, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "history.jsonl.gz").touch()

    ended = run(*path, "--help")

    assert ended.status == 0
    examples = re.findall(r"`([^`]*dynamo-es [^`]*)`", command_at(path).epilog)
    assert examples
    for example in examples:
        inner = re.search(r"\$\((.*)\)", example)
        words = shlex.split(inner[1] if inner else example)
        assert words[: len(path) + 1] == ["dynamo-es", *path]
        _parses(words[1:])
    assert "Example: " in ended.out
    assert "--debug" in ended.out
    assert ("--endpoint-url" in ended.out) or path in WITHOUT_STORE
    assert ("--region" in ended.out) or path in WITHOUT_STORE
    assert [word for word in WORDS if re.search(rf"\b{word}\b", ended.out)] == []
    assert [
        line for line in ended.out.splitlines() if "<bool>" in line and "--help" not in line
    ] == []


def _parses(words: list[str]) -> None:
    """Fail unless the command takes these arguments; it does not run."""
    found = ROOT
    while words and words[0] in getattr(found, "commands", ()):
        found = found.commands[words.pop(0)]
    found.make_context("dynamo-es", words)


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("path", [(), *PATHS], ids=" ".join)
def test_no_help_is_cut_off(run, path, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    out = run(*path, "--help").out
    assert max(map(len, out.splitlines())) <= width
    assert "…" not in out


def test_the_exit_statuses_are_in_the_help(run):
    text = " ".join(run("--help").out.split())
    for status in ("0 done", "1 failed", "2 wrong usage", "130 interrupted"):
        assert status in text


@pytest.mark.parametrize("group", ["log", "outbox", "projections"])
def test_a_group_without_a_command_shows_its_help(run, group):
    ended = run(group)
    assert "Usage: dynamo-es " + group in ended.out + ended.err


# Completion


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("dynamo-es str", ["streams"]),
        ("dynamo-es checkpoints rese", ["reset"]),
        ("dynamo-es projections ", ["list", "run"]),
    ],
)
def test_a_shell_completes_commands(run, monkeypatch, typed, found):
    monkeypatch.setenv("_DYNAMO_ES_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    assert sorted(run().out.split()) == found


def test_completion_can_be_installed(run):
    assert "--install-completion" in run("--help").out

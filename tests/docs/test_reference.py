"""The reference has every public name, every error with what to do, and every command."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location

import pytest
import typer

import dynamo_es
from dynamo_es import exceptions
from dynamo_es.cli.application import application
from tests.docs.pages import DOCS, ROOT

REFERENCE = DOCS / "reference"
API = sorted((REFERENCE / "api").glob("*.md"))
ERRORS = (REFERENCE / "errors.md").read_text()

NOT_FOR_USERS = {"dynamo_es.cli.history.exporting", "dynamo_es.cli.history.importing"}
"""Packages whose names are for other packages of the library."""


def directives(text: str) -> list[str]:
    return re.findall(r"^::: (\S+)$", text, re.MULTILINE)


def documented() -> Counter[str]:
    return Counter(name for page in API for name in directives(page.read_text()))


def resolved(path: str) -> object:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def packages() -> list[str]:
    """Return the packages that say what they export."""
    found = []
    for file in sorted((ROOT / "dynamo_es").glob("**/__init__.py")):
        name = ".".join(file.parent.relative_to(ROOT).parts)
        if re.search(r"^__all__ = \[", file.read_text(), re.MULTILINE):
            found.append(name)
    return [name for name in found if name not in NOT_FOR_USERS]


@pytest.mark.parametrize("package", packages())
def test_every_public_name_is_on_a_page(package):
    there = {id(resolved(path)) for path in documented()}
    names = {path.rpartition(".")[2] for path in documented()}
    module = importlib.import_module(package)
    missing = [
        name
        for name in module.__all__
        if id(getattr(module, name)) not in there and name not in names
    ]
    assert missing == []


def test_a_name_is_on_one_page_only():
    assert [name for name, times in documented().items() if times > 1] == []


def test_the_names_of_the_first_package_have_its_path():
    paths = documented()
    assert [name for name in dynamo_es.__all__ if f"dynamo_es.{name}" not in paths] == []


def errors() -> list[str]:
    return [
        name
        for name, error in inspect.getmembers(exceptions, inspect.isclass)
        if error.__module__ == exceptions.__name__
    ]


def test_every_error_is_there_with_what_to_do():
    parts = re.split(r"^::: dynamo_es\.exceptions\.", ERRORS, flags=re.MULTILINE)[1:]
    listed = [part.split("\n", 1)[0] for part in parts]
    without = [part.split("\n", 1)[0] for part in parts if "\n**What to do**: " not in part]
    assert sorted(listed) == sorted(errors())
    assert without == []


@pytest.fixture(scope="module")
def site():
    """The hook of the site, which needs nothing of mkdocs."""
    spec = spec_from_file_location("_site", ROOT / "scripts" / "_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("_site", None)


def test_the_tree_of_errors_has_every_error(site):
    tree = site.tree_of_errors()
    assert sorted(re.findall(r"^[│├└─ ]*(\w+)", tree, re.MULTILINE)[0:]) == sorted(errors())


def test_the_page_of_commands_has_every_command_and_option(site):
    page = site.command_line()

    def check(command, path):
        for name, below in getattr(command, "commands", {}).items():
            check(below, f"{path} {name}")
        if not hasattr(command, "commands"):
            section = page.split(f"\n## {path}\n")[1].split("\n## ")[0]
            for option in command.params:
                for name in option.opts if option.param_type_name == "option" else ():
                    assert f"{name}" in section, f"{path} {name}"

    check(typer.main.get_command(application), "dynamo-es")


def test_a_comment_that_names_no_part_is_an_error(site, tmp_path):
    class Page:
        class File:
            abs_src_path = str(tmp_path / "page.md")

        file = File

    with pytest.raises(KeyError):
        site.on_page_markdown("<!-- generated: weather -->", page=Page)

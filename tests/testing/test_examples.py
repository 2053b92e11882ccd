"""Every example of docs/how-to/testing.md, and of the kit's docstrings, is run."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import dynamo_es
from dynamo_es import testing
from tests.aggregates.account import Account, Withdrawn
from tests.event_store.accounts import Deposited, Opened
from tests.testing.test_upcasters import Paid

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "testing.md").read_text()


def test_the_examples_of_the_page_pass(run_pytest):
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    source = "\n\n".join(blocks)

    output = run_pytest(source)

    count = len(re.findall(r"^def test_", source, re.MULTILINE))
    assert f"{count} passed" in output


def test_the_failure_that_the_page_shows_is_the_one():
    def act(account: Account) -> None:
        account.withdraw(2)
        account.deposit(1)

    with pytest.raises(AssertionError) as failure:
        testing.given(Account, Deposited(amount=5)).when(act).then(Withdrawn(amount=3))

    (shown,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert str(failure.value) == shown.rstrip()


def docstring_examples() -> list[Any]:
    """Return the code after ``::`` in each docstring of the kit."""
    found = []
    for module in pkgutil.iter_modules(testing.__path__, "dynamo_es.testing."):
        if module.ispkg:  # that of the conformance suite is in test_conformance
            continue
        source = importlib.import_module(module.name).__file__
        assert source is not None
        for node in ast.walk(ast.parse(Path(source).read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                for block in re.findall(r"::\n\n((?:    .*\n|\n)+)", text + "\n"):
                    name = getattr(node, "name", "module")
                    found.append(pytest.param(textwrap.dedent(block), id=f"{module.name}.{name}"))
    return found


@pytest.mark.parametrize("example", docstring_examples())
def test_an_example_of_a_docstring_runs(example, dynamo_backend):
    def deposit(backend: Any, name: str, amount: int, command_id: str) -> None:
        repository: Any = dynamo_es.Repository(backend.event_store, Account)
        repository.transact(name, lambda account: account.deposit(amount), command_id=command_id)

    names = {
        **{name: getattr(testing, name) for name in testing.__all__},
        "Account": Account,
        "Deposited": Deposited,
        "Opened": Opened,
        "Overdrawn": ValueError,
        "Paid": Paid,
        "UTC": UTC,
        "Withdrawn": Withdrawn,
        "backend": dynamo_backend,
        "balance": lambda backend, name: (
            dynamo_es.Repository(backend.event_store, Account).load(name).balance
        ),
        "count": lambda recorded: getattr(recorded.wrapped_event.event, "amount", None),
        "datetime": datetime,
        "deposit": deposit,
        "handler": lambda event, context: None,
        "MemoryBackend": dynamo_es.MemoryBackend,
        "timedelta": timedelta,
    }
    if "EventSourceMapping" in example:
        deposit(dynamo_backend, "ann", 1, "first")
    exec(compile(example, "<docstring>", "exec"), names)  # noqa: S102 - the kit's own text


def test_there_are_examples():
    assert len(docstring_examples()) >= 6

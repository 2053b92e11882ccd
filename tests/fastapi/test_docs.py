"""The examples of the modules and of their page run, each in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import dynamo_es.fastapi
import dynamo_es.http

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "fastapi.md").read_text()
BLOCKS = re.findall(r"^```(python|text)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
USE_OF_THE_MODULE = """
import warnings
warnings.simplefilter("ignore")
from fastapi.testclient import TestClient
with TestClient(app, headers={"x-tenant": "acme"}) as client:
    posted = client.post("/accounts/ann/deposits?cents=5")
    found = client.get("/accounts/ann")
print(posted.json() == found.json(), posted.headers["etag"] == found.headers["etag"], found.json())
"""
BEFORE_LAMBDA = """
import json
from dynamo_es import Aggregate, Event, MemoryBackend, Repository
from dynamo_es.http import HANDLED, Aggregates, problem_of
store = MemoryBackend().event_store
class Deposited(Event):
    cents: int
class Account(Aggregate):
    category = "account"
    def deposit(self, cents):
        self._emit(Deposited(cents=cents))
    def __apply__(self, event):
        pass
"""
USE_OF_LAMBDA = """
first = handler({"headers": {"if-none-match": "*"}}, None)
for _ in range(2):
    reply = handler({"headers": {"if-match": first["headers"]["ETag"]}}, None)
    print(reply["statusCode"], reply["headers"].get("content-type"), reply["body"][:20])
"""
USE_OF_THE_PAGE = """
with TestClient(app, headers={"x-tenant": "acme"}) as client:
    print(client.post("/imported/x", json={"cents": 1}).json())
app = FastAPI(lifespan=lifespan)
events.install(app)
with TestClient(app):
    print("a worker runs")
"""


def run(program: str) -> str:
    """Return what a program prints."""
    outcome = subprocess.run(  # noqa: S603 - this interpreter, and the project's own text
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.stderr == ""
    return outcome.stdout


def example_of(module: Any) -> str:
    """Return the indented block after the first ``::`` of a module's docstring."""
    lines = module.__doc__.split("::\n", 1)[1].splitlines()
    (end, *_) = [n for n, line in enumerate(lines) if line[:1].strip()] or [len(lines)]
    return dedent("\n".join(lines[:end])) + "\n"


def test_the_example_of_the_module_runs():
    printed = run(example_of(dynamo_es.fastapi) + USE_OF_THE_MODULE)

    assert printed == "True True {'cents': 5, 'version': 1}\n"


def test_the_example_for_lambda_runs():
    printed = run(BEFORE_LAMBDA + example_of(dynamo_es.http) + USE_OF_LAMBDA)

    assert printed.splitlines() == [
        '200 None {"version": 2}',
        '412 application/problem+json {"type": "about:blan',
    ]


def test_the_page_runs_as_one_program_and_prints_what_it_says():
    program = "".join(block for language, block in BLOCKS if language == "python")
    said = "".join(block for language, block in BLOCKS if language == "text")

    assert said
    assert run(program + USE_OF_THE_PAGE) == said + "1\na worker runs\n"

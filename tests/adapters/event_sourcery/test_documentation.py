"""Names on the page about moving from SQLAlchemy exist; `tests/docs/test_snippets.py` runs it."""

from __future__ import annotations

import re
from pathlib import Path

import event_sourcery.exceptions

import dynamo_es.exceptions

PAGE = Path(__file__).parents[3] / "docs/how-to/move-from-python-event-sourcery.md"
TEXT = PAGE.read_text()


def test_what_it_names_is_there():
    for link in re.findall(r"\]\(([^):]+)\)", TEXT):
        assert (PAGE.parent / link).exists(), link
    for path in re.findall(r"`((?:tests|infra)/[\w/.-]+)`", TEXT):
        assert (PAGE.parents[2] / path).exists(), path
    for error in re.findall(r"`(\w+(?:Error|Exists|Stream))`", TEXT):
        assert (
            hasattr(dynamo_es.exceptions, error)
            or hasattr(event_sourcery.exceptions, error)
            or error == "IntegrityError"
        ), error

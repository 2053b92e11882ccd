"""The document agrees with the probes."""

from __future__ import annotations

from tests.engines.document import DOCUMENT, current


def test_it_is_what_the_probes_make_of_it():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == current(text), "run .venv/bin/python -m tests.engines.document"

"""The README of the example deploys it into an emulator of AWS, as it says."""

from __future__ import annotations

import pytest

from tests.docs.conftest import commands, failure_of
from tests.examples.fronts import EXAMPLE
from tests.infra import aws_server

__all__ = ["commands", "failure_of"]

pytestmark = pytest.mark.ci


def test_the_readme_does_what_it_shows(tmp_path, failure_of):
    with aws_server.serving() as address:
        failure = failure_of(EXAMPLE / "README.md", tmp_path, address.removeprefix("http://"))

    if failure:
        pytest.fail(failure, pytrace=False)

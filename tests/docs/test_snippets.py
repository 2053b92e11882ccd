"""Every block of Python and shell in the README and the pages does what its page says."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from itertools import pairwise
from socket import socket

import pytest

from tests.docs.pages import RUN, SHOWN, TUTORIAL, blocks_of, name_of, pages
from tests.infra import aws_server

# Each page is a process of its own, with an emulator: a minute in all.
pytestmark = pytest.mark.ci

PAGES = pages()
WITH_CODE = [
    page for page in PAGES if any(block.is_run or block.title for block in blocks_of(page))
]
ALONE = [page for page in WITH_CODE if TUTORIAL not in page.parents]
ON_AWS = {"deploy.md"}
"""Pages that need more of AWS than DynamoDB."""
STEPS = [page for page in WITH_CODE if TUTORIAL in page.parents]


@pytest.fixture
def aws():
    """Host and port of an emulator of AWS, with CloudFormation and the others."""
    with aws_server.serving() as address:
        yield address.removeprefix("http://")


@pytest.mark.parametrize("page", [page for page in ALONE if page.name in ON_AWS], ids=name_of)
def test_a_page_that_deploys_does_what_it_shows(page, tmp_path, aws, failure_of):
    if failure := failure_of(page, tmp_path, aws):
        pytest.fail(failure, pytrace=False)


@pytest.mark.parametrize("page", [page for page in ALONE if page.name not in ON_AWS], ids=name_of)
def test_a_page_does_what_it_shows(page, tmp_path, emulator, failure_of):
    if failure := failure_of(page, tmp_path, emulator):
        pytest.fail(failure, pytrace=False)


@pytest.fixture
def unused():
    """Host and port that no program listens at: the tutorial starts its own emulator."""
    with socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


@pytest.mark.ci
def test_the_tutorial_goes_from_an_empty_folder_to_its_end(tmp_path, unused, failure_of):
    for page in STEPS:
        assert failure_of(page, tmp_path, unused) is None


def test_the_tutorial_has_eight_pages_and_each_leads_to_the_next():
    names = [page.name for page in STEPS]

    assert [name[0] for name in names] == list("12345678")
    for page, following in pairwise([TUTORIAL / "index.md", *STEPS]):
        assert page.read_text().splitlines()[-1].startswith("Next: ")
        assert f"({following.name})" in page.read_text().splitlines()[-1]
        assert f"({following.name})" in (TUTORIAL / "index.md").read_text()


@pytest.mark.ci
def test_the_templates_of_the_tutorial_have_no_warnings(tmp_path):
    templates = [block for page in STEPS for block in blocks_of(page) if block.language == "yaml"]
    assert templates
    for block in templates:
        (tmp_path / block.title).write_text(block.code)
        subprocess.run(  # noqa: S603 - this interpreter's own
            [
                *(sys.executable, "-c", "from cfnlint.runner import main; main()"),
                # `dynamo-es deploy` uploads the templates of nested stacks.
                *("--ignore-checks", "W3002", "--non-zero-exit-code", "warning"),
                *("--template", str(tmp_path / block.title)),
            ],
            check=True,
        )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_block_has_a_language_and_a_reason_if_it_is_not_run(page):
    for block in blocks_of(page):
        assert block.language in RUN | SHOWN, f"{name_of(page)}:{block.line}"
        if block.language in RUN and not block.is_run and not block.title:
            assert len((block.not_run or "").split()) > 2, f"{name_of(page)}:{block.line}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_block_of_json_or_toml_can_be_read(page):
    for block in blocks_of(page):
        if block.language == "json":
            json.loads(block.code)
        elif block.language == "toml":
            tomllib.loads(block.code)

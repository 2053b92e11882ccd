"""Every block of Python and shell in the README and the pages does what its page says."""

from __future__ import annotations

import json
import tomllib

import pytest

from tests.docs.pages import RUN, SHOWN, TUTORIAL, blocks_of, name_of, pages

PAGES = pages()
WITH_CODE = [
    page for page in PAGES if any(block.is_run or block.title for block in blocks_of(page))
]
ALONE = [page for page in WITH_CODE if TUTORIAL not in page.parents]
STEPS = [page for page in WITH_CODE if TUTORIAL in page.parents]


@pytest.mark.parametrize("page", ALONE, ids=name_of)
def test_a_page_does_what_it_shows(page, tmp_path, emulator, failure_of):
    assert failure_of(page, tmp_path, emulator) is None


def test_the_tutorial_goes_from_an_empty_folder_to_its_end(tmp_path, emulator, failure_of):
    for page in STEPS:
        assert failure_of(page, tmp_path, emulator) is None


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

"""Every block of Python and shell in the README and the pages does what its page says."""

from __future__ import annotations

import multiprocessing
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tests.docs.command_server import serve_commands
from tests.docs.emulator import an_emulator
from tests.docs.pages import RUN, SHOWN, TUTORIAL, blocks_of, name_of, pages
from tests.docs.run_page import run_page

PROCESSES = multiprocessing.get_context("forkserver")
# Loaded once: a page then starts in milliseconds.
PROCESSES.set_forkserver_preload(
    [
        *("tests.docs.run_page", "tests.docs.command_server", "dynamo_es.cli.application"),
        *("dynamo_es.dynamodb.backend", "dynamo_es.dynamodb.emulator.moto_engine"),
    ]
)

PAGES = pages()
WITH_CODE = [
    page for page in PAGES if any(block.is_run or block.title for block in blocks_of(page))
]
ALONE = [page for page in WITH_CODE if TUTORIAL not in page.parents]
STEPS = [page for page in WITH_CODE if TUTORIAL in page.parents]


@cache
def command_server() -> str:
    """Start the process that runs the commands of all pages; return its address."""
    address = Path(tempfile.mkdtemp()) / "commands"
    receiver, sender = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=serve_commands, args=(address, sender), daemon=True)
    process.start()
    assert receiver.poll(60)
    return str(address)


def failure_of(page: Path, folder: Path, emulator: str) -> str | None:
    """Return how a page fails; None if it does not."""
    result, sender = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(
        target=run_page, args=(page, folder, emulator, command_server(), sender)
    )
    process.start()
    sender.close()
    try:
        assert result.poll(120), f"{name_of(page)} takes longer than two minutes"
        return result.recv()
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize("page", ALONE, ids=name_of)
def test_a_page_does_what_it_shows(page, tmp_path):
    with an_emulator() as emulator:
        assert failure_of(page, tmp_path, emulator) is None


def test_the_tutorial_goes_from_an_empty_folder_to_its_end(tmp_path):
    with an_emulator() as emulator:
        for page in STEPS:
            assert failure_of(page, tmp_path, emulator) is None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_block_has_a_language_and_a_reason_if_it_is_not_run(page):
    for block in blocks_of(page):
        assert block.language in RUN | SHOWN, f"{name_of(page)}:{block.line}"
        if block.language in RUN and not block.is_run and not block.title:
            assert len((block.not_run or "").split()) > 2, f"{name_of(page)}:{block.line}"

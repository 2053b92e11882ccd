"""The runner of pages runs every block, and finds each kind of mistake in a block."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import blocks_in

# Each runs a page in a process of its own.
pytestmark = pytest.mark.ci


def fenced(language: str, *lines: str) -> str:
    return "\n".join([f"```{language}", *lines, "```", ""])


@pytest.fixture
def ran(tmp_path, emulator, failure_of):
    """Run a page of some blocks; return how it fails."""

    def run(*blocks: str) -> str | None:
        page = tmp_path / "page.md"
        page.write_text("\n".join(["# Page", "", *blocks]))
        return failure_of(page, tmp_path, emulator)

    return run


TYPED = fenced("python", "print(1 + 1)")


def test_blocks_of_a_page_share_names_files_and_variables(ran):
    assert (
        ran(
            fenced('python title="sums.py"', "def add(a, b):", "    return a + b"),
            fenced("python", "import sums", "total = sums.add(1, 2)"),
            fenced("python", "print(total)"),
            fenced("text", "3"),
            fenced("sh", "export WORD=hello", "mkdir inside && cd inside"),
            fenced("sh", 'echo "$WORD from $(basename "$PWD")"'),
            fenced("text", "hello from inside"),
        )
        is None
    )


def test_the_command_line_reaches_the_emulator(ran):
    assert (
        ran(
            fenced(
                "sh",
                "export DYNAMO_ES_ENDPOINT_URL=http://127.0.0.1:8000",
                "export DYNAMO_ES_EVENTS_TABLE=a DYNAMO_ES_LOG_TABLE=b DYNAMO_ES_KEYS_TABLE=c",
                "export AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b",
                "dynamo-es create-tables",
            ),
            fenced("sh", "dynamo-es streams --category account --json"),
            fenced("text", ""),
        )
        is None
    )


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ([TYPED, fenced("text", "3")], "page.md:4 prints\n2"),
        ([fenced("python", "print(1)", "1 / 0")], 'page.md", line 5'),
        ([fenced("python", "import sys", "sys.stderr.write('odd')")], "page.md:4 complained"),
        ([fenced("sh", "false | true")], "page.md:4 ended with 1"),
        ([fenced("sh", "pip install 'dynamo_es[cloud]'")], "has no extra cloud"),
        (
            [
                fenced(
                    "sh",
                    "aws cloudformation deploy --template-file infra/event-store.yaml "
                    "--stack-name a --parameter-overrides Nothing=1",
                )
            ],
            "no parameter Nothing",
        ),
        ([fenced('python title="a.py"', "def")], "invalid syntax"),
        (["<!-- hidden python", "1 / 0", "-->"], "ZeroDivisionError"),
    ],
)
def test_a_wrong_block_fails(ran, blocks, said):
    assert said in (ran(*blocks) or "")


def test_a_terminal_has_no_settings_that_its_page_does_not_show(ran):
    shown = fenced("sh", 'echo "${AWS_REGION:-none} ${DYNAMO_ES_EVENTS_TABLE:-none}"')
    assert ran(shown, fenced("text", "none none")) is None


def test_a_gap_in_what_is_printed_is_marked(ran):
    assert ran(TYPED, fenced("text", "…")) is None


def test_a_block_that_is_not_run_has_its_reason():
    (block,) = blocks_in("<!-- not run: needs an AWS account -->\n" + TYPED)
    assert (block.is_run, block.not_run) == (False, "needs an AWS account")


def test_a_block_inside_a_list_is_run():
    (block,) = blocks_in("1. Do it:\n\n    ```python\n    if 1:\n        pass\n    ```\n")
    assert (block.is_run, block.code) == (True, "if 1:\n    pass\n")


def test_what_follows_a_block_that_is_not_run_is_not_what_it_prints():
    first, second = blocks_in(f"<!-- not run: a b c -->\n{TYPED}\n{fenced('text', '5')}")
    assert (first.prints, second.language) == (None, "text")


def test_what_a_block_starts_in_the_background_ends_with_the_page(ran, tmp_path):
    assert (
        ran(fenced("sh", "sleep 600 &", "echo $! >started"), fenced("sh", "test -s started"))
        is None
    )

    process = Path("/proc") / (tmp_path / "started").read_text().strip()
    assert not process.exists() or "State:\tZ" in (process / "status").read_text()

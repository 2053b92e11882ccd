"""`scripts/site` builds every page, loads nothing from elsewhere, and fails on what is broken.

Needs the extra ``docs``, which `scripts/site` installs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, EXAMPLES, ROOT

pytest.importorskip("mkdocs", reason="scripts/site installs the extra docs")
pytestmark = pytest.mark.ci

PAGES = [page for page in DOCS.glob("**/*.md") if EXAMPLES not in page.parents]


def build(source: Path, into: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a checkout, as `scripts/site` does."""
    return subprocess.run(  # noqa: S603 - the project's own command
        [
            *(sys.executable, "-m", "mkdocs", "build", "--strict"),
            *("--config-file", str(source / "mkdocs.yml"), "--site-dir", str(into)),
        ],
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(source), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of a built site: DYNAMO_ES_SITE, or one that is built now."""
    if given := os.environ.get("DYNAMO_ES_SITE"):
        return Path(given)
    into = tmp_path_factory.mktemp("site")
    built = build(ROOT, into)
    assert built.returncode == 0, built.stderr
    return into


def html_of(site: Path, page: Path) -> str:
    name = page.relative_to(DOCS).with_suffix("")
    folder = name.parent if name.name == "index" else name
    return (site / folder / "index.html").read_text()


def test_a_page_loads_nothing_from_elsewhere(site):
    for page in PAGES:
        html = html_of(site, page)
        tags = re.findall(r"<(?:script|img|iframe|source|video|link)\b[^>]*>", html)
        loaded = [tag for tag in tags if not re.search(r'rel="?(?:canonical|next|prev)', tag)]
        assert [tag for tag in loaded if re.search(r'(?:src|href)="?(?:https?:)?//', tag)] == []


def test_every_picture_says_what_it_shows(site):
    for page in PAGES:
        html = html_of(site, page)
        for picture in re.findall(r"<img\b[^>]*>", html):
            assert re.search(r'alt="[^"]+"', picture), f"{page}: {picture}"
        for picture in re.findall(r'<svg [^>]*class="picture"[^>]*>', html):
            assert re.search(r'aria-label="[^"]+"', picture), f"{page}: {picture}"


def test_every_page_can_be_reached_from_the_menu(site):
    menu = (ROOT / "mkdocs.yml").read_text().split("\nnav:\n")[1]
    assert [page for page in PAGES if page.relative_to(DOCS).as_posix() not in menu] == []


def test_language_models_get_a_list_of_all_pages(site):
    listed = (site / "llms.txt").read_text()
    whole = (site / "llms-full.txt").read_text()
    for page in PAGES:
        path = page.relative_to(DOCS).with_suffix("")
        name = (path.parent if path.name == "index" else path).as_posix().strip("./")
        if name:
            assert f"/dynamo_es/{name}/index.md)" in listed, name
    assert "one conditional" in whole


def a_checkout(tmp_path: Path) -> Path:
    """Copy what the site is made of."""
    for name in ("docs", "dynamo_es", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    return tmp_path


BROKEN = [
    ("docs/index.md", "(how-to/index.md)", "(how-to/nothing.md)", "how-to/nothing.md"),
    (
        "docs/how-to/lambda.md",
        "(operate.md#abandoned-batches)",
        "(operate.md#no-such-heading)",
        "no-such-heading",
    ),
    ("dynamo_es/aggregates/repository.py", "as for `save`.", "as for `safe`.", "safe"),
]
"""A link, a heading and a name in a docstring: file, text, what breaks it, what is said."""


def test_the_build_warns_of_everything_that_is_broken_and_fails(tmp_path):
    checkout = a_checkout(tmp_path / "checkout")
    for file, text, broken, _ in BROKEN:
        replace_in(checkout / file, text, broken)

    built = build(checkout, tmp_path / "site")

    assert built.returncode != 0
    warnings = [line for line in built.stderr.splitlines() if line.startswith("WARNING")]
    for *_, said in BROKEN:
        assert any(said in line for line in warnings), said


@pytest.mark.parametrize(
    ("file", "text", "broken", "said"),
    [
        (
            "docs/reference/api/aggregates.md",
            "::: dynamo_es.Aggregate",
            "::: dynamo_es.Agregate",
            "dynamo_es.Agregate",
        ),
        (
            "docs/explanation/append.md",
            "(pictures/append.svg)",
            "(pictures/no.svg)",
            "explanation/append.md shows pictures/no.svg, but there is no such file.",
        ),
    ],
    ids=["name", "picture"],
)
def test_the_build_ends_where_it_cannot_go_on(tmp_path, file, text, broken, said):
    checkout = a_checkout(tmp_path / "checkout")
    replace_in(checkout / file, text, broken)

    built = build(checkout, tmp_path / "site")

    assert built.returncode != 0
    assert said in built.stderr
    assert "Traceback" not in built.stderr


def replace_in(file: Path, text: str, by: str) -> None:
    before = file.read_text()
    assert text in before
    file.write_text(before.replace(text, by))

"""Pages and code use plain words, and the same ones, and the links of pages work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/**/*.md")],
    key=lambda page: page.as_posix(),
)
SOURCES = {"", ".py", ".html", ".yaml"}
GENERATED = {"docs/explanation/benchmarks.md"}
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"

UNWANTED = [
    *("behind", "anyhow", "leavings", "namesake", "reckon", "mend", "mended", "mends", "upto"),
    *("settle", "settles", "settled", "room", "rooms", "life", "lives", "in vain", "by himself"),
    *("come what may", "of it", "as it is", "a while", "has to be", "is to be", "whoever"),
    *("the former", "whatever", "nobody", "told", "tells", "there is none"),
]

PRIVATE = [
    *("behind", "anyhow", "leavings", "namesake", "reckon", "mended", "upto", "_settle", "settle"),
    *("settles", "settled", "room", "rooms", "life", "lives", "whoever", "by himself", "in vain"),
]
"""Words that neither a page nor the code may use."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose_of(page: Path) -> str:
    """Return the words of a page, without code and without parts that a script makes."""
    text = page.read_text()
    text = re.sub(r"<!-- made of .*?<!-- to here -->", "", text, flags=re.DOTALL)
    text = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`]*`", "", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if name_of(page) not in GENERATED], ids=name_of
)
def test_a_page_has_none_of_the_unwanted_words(page):
    words = " ".join(prose_of(page).split()).lower()
    found = [word for word in UNWANTED if re.search(rf"\b{re.escape(word)}\b", words)]
    assert found == []


@pytest.mark.parametrize("folder", ["dynamo_es", "scripts", "benchmarks", "infra", "docs/examples"])
def test_code_has_no_private_words(folder):
    word = re.compile(rf"\b(?:{'|'.join(PRIVATE)})\b", re.IGNORECASE)
    files = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    sources = [path for path in files if path.suffix in SOURCES]
    assert sources
    found = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in sources
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if word.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_its_links_lead_somewhere(page):
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert heading in slugs, link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_its_links_into_the_repository_lead_to_a_file(page):
    linked = re.findall(
        r"\(https://github\.com/dynamo-es/dynamo_es/(?:blob|tree)/main/([^)#]+)", page.read_text()
    )
    assert [path for path in linked if not (ROOT / path).exists()] == []


def test_the_modules_that_an_explanation_names_exist():
    sources = [path for folder in ("dynamo_es", "tests") for path in (ROOT / folder).rglob("*.py")]
    files = [f"/{name_of(path)}" for path in sources]
    pages = [page for page in PAGES if "/explanation/" in page.as_posix()]
    named = {
        name
        for page in pages
        if name_of(page) not in GENERATED
        for name in re.findall(r"`([\w/]+\.py)`", page.read_text())
    }
    assert len(named) > 20
    assert [name for name in named if not any(file.endswith(f"/{name}") for file in files)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_list_in_a_list_is_indented_so_that_the_site_shows_it(page):
    inner = re.findall(r"^ {1,3}(?:[-*]|\d+\.) .*$", prose_of(page), re.MULTILINE)
    follows = re.findall(
        r"^(?:[-*]|\d+\.) .*\n(?: +\S.*\n)*\n {1,3}\S.*$", prose_of(page), re.MULTILINE
    )
    assert inner + follows == []


def terms() -> list[str]:
    rows = re.findall(r"^\| \*\*([^|]+)\*\* \|", GLOSSARY.read_text(), re.MULTILINE)
    return [term for row in rows for term in row.split("**, **")]


def used() -> str:
    """Return all that is written in code and pages, the glossary left out."""
    sources = [*ROOT.glob("dynamo_es/**/*.py"), *(page for page in PAGES if page != GLOSSARY)]
    return " ".join(" ".join(path.read_text() for path in sources).split()).lower()


def test_every_term_of_the_glossary_is_used():
    text = used()
    missing = [term for term in terms() if not re.search(rf"\b{re.escape(term.lower())}", text)]
    assert terms()
    assert missing == []


def test_the_glossary_has_each_term_once():
    assert len(terms()) == len(set(terms()))


def test_the_decisions_are_numbered_without_gaps():
    pages = sorted((ROOT / "docs" / "explanation" / "decisions").glob("*.md"))
    for number, page in enumerate(pages, 1):
        assert page.name.startswith(f"{number:04d}-")
        assert page.read_text().startswith(f"# {number}. ")

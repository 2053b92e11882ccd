"""The page of a boundary: its events with their tags, a query, and what a conflict matched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from dynamo_es import MemoryBackend, StreamId
from dynamo_es.contracts.boundaries.strategy import boundary_stream
from dynamo_es.ui.pages import boundary as page_module
from tests.ui.bank import ADDRESS, WalletOpened
from tests.ui.conftest import append, browse, costs_of, raw

if TYPE_CHECKING:
    from dynamo_es.facade.backend import Backend

COURSES = boundary_stream("courses")


def fill(backend: Backend) -> None:
    """Store five events: of the course c1, of c2, of a student in c1, and one without tags."""
    for number, (name, tags) in enumerate(
        [
            ("CourseDefined", ["course:c1"]),
            ("CourseDefined", ["course:c2"]),
            ("StudentEnrolled", ["course:c1", "student:s 1"]),
            ("Untagged", []),
            ("CourseRenamed", ["course:c1"]),
        ],
        1,
    ):
        append(backend, raw(COURSES, number, name, {"n": number}, **{"$tags": tags}))


def versions(page: str) -> list[int]:
    return [int(each.replace(",", "")) for each in re.findall(r'"Version">([\d,]+)<', page)]


def matched(page: str) -> list[list[str]]:
    cells = re.findall(r'data-label="Matched by">(.*?)</td>', page)
    return [re.findall(r"<code>(.*?)</code>", cell) for cell in cells]


def look(backend: Backend, query: str = "", **more: object) -> str:
    extra = "".join(f"&{name}={value}" for name, value in more.items())
    reply = browse(backend).get(f"/boundary?name=courses&query={quote(query)}{extra}")
    assert reply.status_code == 200
    return reply.text


def test_a_boundary_shows_its_events_newest_first_with_their_tags(backend):
    fill(backend)
    page = look(backend)
    assert versions(page) == [5, 4, 3, 2, 1]
    assert ">student:s 1<" in page
    assert ">none<" in page, "an event without tags says so"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("CourseDefined", [2, 1]),
        ("course:c1", [5, 3, 1]),
        ("CourseDefined CourseRenamed course:c1", [5, 1]),
        ("student:s%201 | course:c2", [3, 2]),
        ("*", [5, 4, 3, 2, 1]),
    ],
)
def test_a_query_shows_what_it_matches_and_how_many(memory, query, found):
    fill(memory)
    page = look(memory, query)
    assert versions(page) == found
    assert f"<dt>Events that match</dt><dd>{len(found)}</dd>" in page


def test_following_a_tag_shows_its_events(memory):
    fill(memory)
    link = re.search(r'href="([^"]*)"><bdi>student:s 1<', look(memory))
    assert link is not None
    page = browse(memory).get(link[1].replace("&amp;", "&")).text
    assert versions(page) == [3]


def test_a_conflict_names_the_later_events_and_the_item_that_each_matched(backend):
    fill(backend)
    page = look(backend, "course:c1 | StudentEnrolled", after=2)
    assert versions(page) == [5, 3]
    assert matched(page) == [["course:c1"], ["course:c1", "StudentEnrolled"]]
    assert "A conflict." in page
    assert "2 events match" in page


def test_without_a_later_match_there_is_no_conflict(memory):
    fill(memory)
    page = look(memory, "course:c2", after=2)
    assert versions(page) == []
    assert "No conflict." in page


def test_a_version_that_the_boundary_has_not_reached_says_why_and_what_to_do(memory):
    fill(memory)
    page = look(memory, "course:c1", after=9)
    assert "is at version 5 and has not reached 9." in page
    assert "Either it was deleted since you read it, or the number does not come from a" in page
    assert "Read the boundary again" in page


def test_the_tag_of_a_command_is_a_link_and_the_query_of_a_conflict_is_shown(memory):
    append(memory, raw(COURSES, 1, "Enrolled", {}, **{"$tags": ["course:c1", "$command:0d-1"]}))
    append(memory, raw(COURSES, 2, "Enrolled", {}, **{"$tags": ["$other:1"]}))

    assert "query=%24command%3A0d-1" in look(memory)
    assert versions(look(memory, "Left | $command:0d-1", after=0)) == [1]
    refused = browse(memory).get("/boundary?name=courses&query=%24other%3A1")
    assert refused.status_code == 400
    assert "such names are for the library" in refused.text


def test_pages_join_without_gap_or_repetition_and_keep_the_query(memory, monkeypatch):
    monkeypatch.setattr(page_module, "_ROWS", 3)
    monkeypatch.setattr(page_module, "_LOOKED_AT", 7)
    for number in range(1, 31):
        tags = ["even:yes"] if number % 2 == 0 and number != 20 else []
        append(memory, raw(COURSES, number, "Counted", None, **{"$tags": tags}))
    client = browse(memory)
    link, found = "/boundary?name=courses&query=even%3Ayes&after=4", []
    while link:
        page = client.get(link).text
        found += versions(page)
        earlier = re.search(r'rel="next" href="([^"]*)"', page)
        link = earlier[1].replace("&amp;", "&") if earlier else ""
        assert not link or parse_qs(urlsplit(link).query)["after"] == ["4"]
    assert found == [n for n in range(30, 4, -2) if n != 20]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("query=a+%7C", "The query has nothing before or after a |"),
        ("query=%3Ac1", "A tag has a name and a value"),
        ("query=*+b", "stands alone"),
        ("after=x", "after must be a whole number"),
        ("before=0", "before must be a whole number"),
    ],
)
def test_a_wrong_query_is_refused_on_the_page_and_stays_in_its_form(memory, parameters, message):
    fill(memory)
    reply = browse(memory).get(f"/boundary?name=courses&{parameters}")
    assert reply.status_code == 400
    assert message in reply.text
    assert 'name="query"' in reply.text


def test_a_boundary_that_does_not_exist_and_a_query_without_match_say_so(memory):
    reply = browse(memory).get("/boundary?name=nothing")
    assert reply.status_code == 404
    assert "There is no boundary with this name" in reply.text
    fill(memory)
    assert "No event matches this query" in look(memory, "course:C1")


def test_boundaries_are_listed_and_their_streams_lead_to_them(backend):
    fill(backend)
    append(backend, raw(StreamId(name="ann", category="account"), 1))
    client = browse(backend)
    assert 'href="/boundary?' in client.get("/streams?category=%24boundary").text
    assert 'href="/boundary?' in client.get("/stream?category=%24boundary&name=courses").text
    assert 'href="/boundary?' not in client.get("/stream?category=account&name=ann").text
    assert client.get("/boundary?category=account&name=ann").status_code == 400


def test_a_browser_of_one_tenant_shows_its_boundaries_only(memory):
    fill(memory.in_tenant("acme"))
    client = browse(memory, tenant="acme")
    assert versions(client.get("/boundary?tenant=acme&name=courses").text) == [5, 4, 3, 2, 1]
    assert client.get("/boundary?tenant=other&name=courses").status_code == 403


def test_encrypted_fields_are_masked(memory):
    memory.boundary("courses").append(WalletOpened(owner="Ann", email=ADDRESS))
    page = look(memory)
    assert ADDRESS not in page
    assert "[encrypted]" in page
    assert "encrypted fields" in page


def test_a_hostile_tag_stays_text(memory):
    evil = "<script>alert(1)</script>"
    append(memory, raw(COURSES, 1, evil, **{"$tags": [evil, f"a:{evil}", ":", 7]}))
    assert "<script>alert" not in look(memory)
    assert versions(look(memory, f"a:{quote(evil)}")) == [1]


@pytest.mark.ci
def test_a_page_costs_few_requests(dynamo):
    for number in range(1, 41):
        append(dynamo, raw(COURSES, number, "Counted", None, **{"$tags": ["course:c1"]}))
    reply = browse(dynamo).get("/boundary?name=courses&query=course:c1")
    assert costs_of(reply) == 2, "the head, and the events"


def test_the_browser_of_memory_needs_nothing_else():
    assert browse(MemoryBackend()).get("/boundary").status_code == 400

"""``dynamo-es boundary read``: which events match, by which part of the query."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from uuid import UUID

import pytest

from dynamo_es import ANY_VERSION, Query, RawEvent, Tag
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend, boundary_stream
from dynamo_es.exceptions import BoundaryConflictError

COURSES = boundary_stream("courses")


def an_event(number, name, *tags):
    at = datetime(2026, 3, 1, 12, number, tzinfo=UTC)
    return RawEvent(UUID(int=number), COURSES, at, name, {"n": number}, {"$tags": list(tags)})


@pytest.fixture
def courses(backend):
    events = [
        an_event(1, "CourseDefined", "course:c1"),
        an_event(2, "StudentEnrolled", "course:c1", "student:s1"),
        an_event(3, "CourseRenamed", "course:c2"),
    ]
    backend.storage.insert_events(COURSES, ANY_VERSION, events)
    return backend.storage


def found(ended):
    assert ended.status == 0, ended.err
    return {(one["version"], *one["matched"]) for one in map(json.loads, ended.out.splitlines())}


def test_types_and_tags_choose_events(run, courses):
    everything = run("boundary", "read", "courses", "--json")
    assert found(everything) == {(1, "*"), (2, "*"), (3, "*")}
    tags = run("boundary", "read", "courses", "--tag", "course:c1", "--tag", "student:s1", "--json")
    assert found(tags) == {(2, "course:c1 student:s1")}
    types = ("--type", "CourseDefined", "--type", "CourseRenamed")
    assert {line[0] for line in found(run("boundary", "read", "courses", *types, "--json"))} == {
        1,
        3,
    }


def test_rows_have_tags_and_what_matched(run, courses):
    ended = run("boundary", "read", "courses", "--query", "student:s1 | course:c2", "--after", 1)
    assert [line.split("\t")[3:5] for line in ended.out.splitlines()] == [
        ["course:c1 student:s1", "student:s1"],
        ["course:c2", "course:c2"],
    ]
    assert "2 events after version 1 match. The boundary has version 3." in ended.err


def test_with_one_alternative_rows_do_not_repeat_it(run, courses):
    ended = run("boundary", "read", "courses", "--tag", "course:c2")
    assert [line.split("\t")[1:5] for line in ended.out.splitlines()] == [
        ["2026-03-01 12:03:00Z", "CourseRenamed", "course:c2", ""]
    ]
    assert "1 event matches." in ended.err


def test_the_command_of_a_conflict_shows_what_it_matched(run, courses):
    query = Query(types=["CourseDefined"]) | Query(tags=[Tag("course", "c2")])
    append = ConditionalAppend([an_event(9, "CourseDefined")], query, after=1)
    [error] = courses.insert_unless(COURSES, [append])
    assert isinstance(error, BoundaryConflictError)
    assert error.command is not None
    shown = run(*shlex.split(error.command.replace(" read ", " read --json "))[1:])
    assert found(shown) == {(3, "course:c2")}


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nothing"], 1, "There is no boundary nothing."),
        (["courses", "--after", "9"], 1, "deleted since"),
        (["courses", "--query", "a |"], 1, "nothing before or after a |"),
        (["courses", "--tag", "c1"], 1, "such as course:c1"),
        (["courses", "--query", "a", "--type", "b"], 2, "not both"),
    ],
)
def test_what_cannot_be_read_is_refused(run, courses, arguments, status, message):
    ended = run("boundary", "read", *arguments)
    assert ended.status == status
    assert message in " ".join(ended.err.split())

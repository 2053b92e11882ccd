"""A query as one line of text: what it says, and that reading it gives the query again."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import Query, StoredVersion, Tag
from dynamo_es.contracts.boundaries.strategy import boundary_stream
from dynamo_es.exceptions import BoundaryConflictError, InputError
from dynamo_es.values import QueryItem
from dynamo_es.values.query_texts import query_of_text, tag_of_word
from dynamo_es.values.tags import command_tag

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
TAGS = st.builds(Tag, TEXTS.filter(lambda name: name[0] != "$"), st.one_of(TEXTS, st.just("")))
ITEMS = st.builds(QueryItem, st.frozensets(TEXTS, max_size=3), st.frozensets(TAGS, max_size=3))


def test_a_line_has_types_tags_and_alternatives():
    query = Query(types=["B", "A"], tags=[Tag("course", "c1")]) | Query(tags=[Tag("s", "x:y")])
    assert query.text == "A B course:c1 | s:x:y"
    assert query_of_text("  B A course:c1|s:x:y ") == query


def test_what_reads_as_something_else_is_escaped():
    query = Query(types=["a b", "ns:C", "*"], tags=[Tag("k|", "100% é")])
    assert query.text == "%2A a%20b ns%3AC k%7C:100%25%20é"
    assert query_of_text(query.text) == query


@pytest.mark.parametrize("line", ["", "  ", "*"])
def test_an_empty_line_and_a_star_are_every_event(line):
    assert query_of_text(line) == Query.everything()
    assert Query.everything().text == "*"


@settings(max_examples=50)
@given(st.lists(ITEMS, min_size=1, max_size=3))
def test_reading_the_line_gives_the_query_again(items):
    query = Query.of_items(items)
    assert query_of_text(query.text) == query


@pytest.mark.parametrize("line", ["|", "a |", "| a", "a || b", ":c1", "* a", "a | * b"])
def test_a_line_that_means_nothing_is_refused(line):
    with pytest.raises(InputError):
        query_of_text(line)


def test_a_conflict_has_the_command_that_shows_what_matched():
    query = Query(types=["A"], tags=[Tag("user", "ann's")]) | Query(types=["B"])
    error = BoundaryConflictError(boundary_stream("-my names"), query, 7, StoredVersion(9, 1))
    assert error.command is not None
    assert shlex.split(error.command) == [
        "dynamo-es",
        "boundary",
        "read",
        "--query=A user:ann's | B",
        "--after=7",
        "--",
        "-my names",
    ]
    assert "ann" not in str(error), "a tag has a value of an event, which no message quotes"


def test_the_tag_of_a_command_can_be_read_for_it_may_be_in_the_query_of_a_conflict():
    query = Query(types=["A"]) | Query(tags=[command_tag("0d")])
    assert query.text == "A | $command:0d"
    assert query_of_text(query.text) == query
    assert tag_of_word("$command:0d") == command_tag("0d")


@pytest.mark.parametrize("word", ["$x:1", "$:1", "%24x:1", "$commands:1"])
def test_other_tags_of_the_library_are_refused(word):
    for read in (query_of_text, tag_of_word):
        with pytest.raises(InputError, match=r"must not begin with \$"):
            read(word)


def test_a_conflict_without_a_query_has_no_command():
    error = BoundaryConflictError(boundary_stream("names"), None, 7, StoredVersion(0, 0))
    assert error.command is None

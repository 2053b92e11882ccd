"""Gathered events say which conditions need not look at each event, and never leave one out."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import Query, RawEvent, StreamId, Tag
from dynamo_es.contracts.boundaries.candidates import Candidate, chosen_together
from dynamo_es.contracts.boundaries.gathered import GatheredEvents
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend
from dynamo_es.values import QueryItem, matches_event

STREAM = StreamId(UUID(int=1))
NAMES = st.sampled_from(["A", "B", "C"])
TAGS = st.sampled_from([Tag("t", "1"), Tag("t", "2"), Tag("u", "1")])


def event(uuid, name, tags, version=None):
    context = {"$tags": [tag.text for tag in tags]}
    return RawEvent(
        UUID(int=uuid), STREAM, datetime(2026, 1, 1, tzinfo=UTC), name, {}, context, version
    )


EVENTS = st.lists(
    st.builds(event, st.integers(1, 9), NAMES, st.lists(TAGS, max_size=3)), max_size=4
)
QUERIES = st.lists(
    st.builds(QueryItem, st.frozensets(NAMES, max_size=2), st.frozensets(TAGS, max_size=2)),
    min_size=1,
    max_size=2,
).map(Query.of_items)


@given(EVENTS, QUERIES)
@settings(max_examples=30)
def test_a_query_that_matches_an_event_may_match(events, query):
    if any(matches_event(query, each) for each in events):
        assert GatheredEvents(events).may_match(query)


@given(EVENTS, EVENTS)
@settings(max_examples=30)
def test_ids_are_found_exactly(events, others):
    ids = [each.uuid for each in others]
    assert GatheredEvents(events).has_any(ids) == any(each.uuid in ids for each in events)


def test_a_query_of_a_tag_that_no_event_has_needs_no_look():
    gathered = GatheredEvents([event(1, "A", [Tag("t", "1")])])
    assert not gathered.may_match(Query(tags=[Tag("t", "2")]))
    assert not gathered.may_match(Query(types=["B"]))


@given(st.lists(st.tuples(EVENTS.filter(bool), QUERIES), max_size=4))
@settings(max_examples=30)
def test_those_that_go_together_do_not_match_each_other(appends):
    candidates = [Candidate(STREAM, ConditionalAppend(own, query, 0)) for own, query in appends]
    accepted = []
    for events, query in appends:
        own = {each.uuid for each in events}
        if not any(each.uuid in own or matches_event(query, each) for each in accepted):
            accepted += events
    chosen = chosen_together(candidates)
    assert [each for one in chosen for each in one.append.events] == accepted

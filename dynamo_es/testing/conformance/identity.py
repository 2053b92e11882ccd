"""UUIDs, names, categories and tenants of any text identify streams."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from dynamo_es import DEFAULT_TENANT, StreamId
from dynamo_es.exceptions import ConcurrentStreamWriteError
from dynamo_es.testing.conformance.language import an_event, events


def unique(name: str) -> str:
    return f"{name}{uuid4()}"


@pytest.mark.parametrize("category", [None, "", "Order", "#", "%23", "é😀\0", "c" * 2_009])
def test_category_of_any_text(given, then, category):
    stream = StreamId(category=category)

    stored = given.stream(stream).with_commits_of(2)

    then.stream(stream).is_(stored)
    (first, *_) = given.storage.fetch_events(stream)
    assert first.stream_id.category == category


CATEGORIES = [
    None,
    "",
    "#",
    "%",
    "%23",
    "%2523",
    "None",
    "null",
    "a",
    "A",
    "a#",
    "#a",
    " ",
    "\u00e9",
    "e\u0301",
]


def test_no_two_categories_are_one(given, then):
    uuid = uuid4()
    streams = [StreamId(uuid=uuid, category=category) for category in CATEGORIES]

    stored = {stream: given.stream(stream).with_commits_of(1, 1) for stream in streams}

    for stream in streams:
        then.stream(stream).is_(stored[stream])


# Pairs of tenant and category which a plain join of the parts would mix up.
NEIGHBOURS = [
    ("a#b", "c"),
    ("a", "b#c"),
    ("a%23b", "c"),
    ("a", "b%23c"),
    ("a%2523b", "c"),
    ("a#", "b#c"),
    ("a##b", "c"),
    ("", "a#b#c"),
    ("", "#a#b#c"),
    ("#", "c"),
    ("#", None),
    ("", "#c"),
    ("", "##c"),
    ("%", "23c"),
    ("%2", "3c"),
    ("%23", "c"),
    ("", ""),
    ("", None),
    ("#", ""),
    ("a", None),
    ("a", ""),
    ("A", None),
    (" a", None),
    ("a ", None),
]


def test_no_two_pairs_of_tenant_and_category_are_one(given, when, then):
    uuid = uuid4()
    stored = {}
    for tenant, category in NEIGHBOURS:
        stream = StreamId(uuid=uuid, category=category)
        given_stream = given.in_tenant(tenant).stream(stream)
        stored[tenant, category] = given_stream.with_commits_of(2, 1)

    for tenant, category in NEIGHBOURS:
        stream = StreamId(uuid=uuid, category=category)
        then.in_tenant(tenant).stream(stream).is_(stored.pop((tenant, category)))
        when.in_tenant(tenant).deleting(stream)
        for (other, other_category), remaining in stored.items():
            neighbour = StreamId(uuid=uuid, category=other_category)
            then.in_tenant(other).stream(neighbour).is_(remaining)


def test_tenants_are_walls(given, when, then):
    stream = StreamId(category="Order")
    ours = given.in_tenant("ours").stream(stream).with_commits_of(2)
    then.in_tenant("theirs").stream(stream).is_missing()
    then.stream(stream).is_missing()

    when.in_tenant("theirs").appending(an_event(stream), to=stream, expecting=2)
    then.it_is_refused(ConcurrentStreamWriteError, expected=2, actual=0)
    theirs = given.in_tenant("theirs").stream(stream).with_commits_of(1, 1, 1)

    then.in_tenant("ours").stream(stream).is_(ours)
    then.in_tenant("theirs").stream(stream).is_(theirs)
    then.stream(stream).is_missing()


def test_same_events_are_stored_in_each_tenant(when, then):
    stream = StreamId(category="Order")
    appended = events(stream, 2)

    for tenant in ["ours", "theirs", DEFAULT_TENANT]:
        when.in_tenant(tenant).appending(*appended, to=stream, expecting=0)

    for tenant in ["ours", "theirs", DEFAULT_TENANT]:
        then.in_tenant(tenant).stream(stream).is_(appended)


def test_delete_leaves_the_other_tenant_its_stream(given, when, then):
    stream = StreamId(category="Order")
    given.in_tenant("ours").stream(stream).with_commits_of(2)
    theirs = given.in_tenant("theirs").stream(stream).with_commits_of(1, 2)
    snapshot = given.in_tenant("theirs").stream(stream).with_snapshot(2)

    when.in_tenant("ours").deleting(stream)

    then.in_tenant("ours").stream(stream).is_missing()
    then.in_tenant("theirs").stream(stream).is_(theirs).loads(snapshot, theirs[2])


def test_snapshot_is_of_one_tenant(given, then):
    stream = StreamId(category="Order")
    ours = given.in_tenant("ours").stream(stream).with_commits_of(2)
    theirs = given.in_tenant("theirs").stream(stream).with_commits_of(2)

    snapshot = given.in_tenant("ours").stream(stream).with_snapshot(1)

    then.in_tenant("ours").stream(stream).loads(snapshot, ours[1])
    then.in_tenant("theirs").stream(stream).loads(*theirs)


def test_scoping_leaves_the_original_as_it_is(given):
    stream = StreamId(category="Order")
    given.stream(stream).with_commits_of(1)
    original = given.storage

    scoped = original.scoped_for_tenant("ours")
    again = scoped.scoped_for_tenant("theirs")

    assert scoped is not original
    assert type(scoped) is type(original)
    assert len(original.fetch_events(stream)) == 1
    assert scoped.fetch_events(stream) == again.fetch_events(stream) == []


def test_scoping_replaces_the_tenant(given):
    stream = StreamId(category="Order")
    stored = given.in_tenant("theirs").stream(stream).with_commits_of(1)

    scoped = given.in_tenant("ours").storage

    assert scoped.scoped_for_tenant("theirs").fetch_events(stream) == stored
    assert scoped.scoped_for_tenant(DEFAULT_TENANT).fetch_events(stream) == []


def test_what_one_scope_remembers_does_not_mislead_another(given, when, then):
    stream = StreamId(category="Order")
    given.in_tenant("ours").stream(stream).with_commits_of(3)
    stored = given.in_process("other").in_tenant("theirs").stream(stream).with_commits_of(3, 1)

    when.in_tenant("theirs").appending(an_event(stream), to=stream, expecting=3)

    then.it_is_refused(ConcurrentStreamWriteError, expected=3, actual=4)
    then.in_tenant("theirs").stream(stream).is_(stored)


@pytest.mark.parametrize("prefix", ["order-1", "", "é😀", "#%23", "a\0b"])
def test_stream_is_found_by_name_and_by_uuid(given, then, prefix):
    named = StreamId(name=unique(prefix), category="Order")
    stored = given.stream(named).with_commits_of(1, 2)

    by_uuid = StreamId(uuid=UUID(int=named.int), category="Order")

    then.stream(named).is_(stored)
    then.stream(by_uuid).is_(stored)
    for stream in (named, by_uuid):
        for event in given.in_process("cold").storage.fetch_events(stream):
            assert event.stream_id.name == named.name
            assert event.stream_id == named


def test_empty_name_is_a_name(given):
    stream = StreamId(name="", category=unique("Order"))
    given.stream(stream).with_commits_of(1)

    (event,) = given.storage.fetch_events(
        StreamId(uuid=UUID(int=stream.int), category=stream.category)
    )

    assert event.stream_id.name == ""


def test_stream_without_a_name_has_none(given):
    stream = StreamId(category="Order")
    given.stream(stream).with_commits_of(1)

    (event,) = given.in_process("cold").storage.fetch_events(stream)

    assert event.stream_id.name is None


@pytest.mark.parametrize("named_append", [0, 1, 2])
def test_name_given_once_is_the_streams(given, named_append):
    named = StreamId(name=unique("order"), category="Order")
    unnamed = StreamId(uuid=UUID(int=named.int), category="Order")
    for index in range(3):
        stream = named if index == named_append else unnamed
        given.stream(stream).with_events(an_event(stream), an_event(stream))

    fetched = given.in_process("cold").storage.fetch_events(unnamed)

    assert [event.stream_id.name for event in fetched] == [named.name] * 6


def test_snapshot_carries_the_name_too(given):
    named = StreamId(name=unique("order"), category="Order")
    unnamed = StreamId(uuid=UUID(int=named.int), category="Order")
    given.stream(named).with_commits_of(2)
    given.stream(unnamed).with_snapshot(1)

    fetched = given.in_process("cold").storage.fetch_events(unnamed)

    assert [event.stream_id.name for event in fetched] == [named.name] * 2


def test_events_may_name_the_stream_otherwise_than_the_append(given, when, then):
    named = StreamId(name=unique("order"), category="Order")
    unnamed = StreamId(uuid=UUID(int=named.int), category="Order")
    first, second = an_event(named), an_event(unnamed)

    when.appending(first, second, to=unnamed, expecting=0)

    then.stream(named).is_([first, replace(second, stream_id=named)])


def test_name_stands_for_one_stream_in_each_category(given, then):
    name = unique("same")
    order, invoice = StreamId(name=name, category="Order"), StreamId(name=name, category="Invoice")

    orders = given.stream(order).with_commits_of(1)
    invoices = given.stream(invoice).with_commits_of(2)

    then.stream(order).is_(orders)
    then.stream(invoice).is_(invoices)

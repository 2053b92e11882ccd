"""Pages and markers come back as stored."""

from __future__ import annotations

import base64
import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo_es.dynamodb.log.pages import MAX_POINTERS, Page, fill_page, page_item, read_page
from dynamo_es.dynamodb.log.pointers import Pointer, pointer_to
from dynamo_es.dynamodb.streams.items import fence_item
from dynamo_es.dynamodb.wire.sizes import SAFE_ITEM_BYTES, item_size
from dynamo_es.exceptions import StoredItemError
from dynamo_es.testing.conformance.language import a_snapshot, events
from tests.dynamodb.generated import names, texts
from tests.dynamodb.machine import GENERATION, KEY, STREAM, a_commit, a_snapshot_item

POINTER = Pointer(KEY, "order 7", GENERATION, 3, 2, ("A", "B"), outbox=True, versionless=False)
pointers = st.builds(
    Pointer,
    st.uuids().map(lambda uuid: f"#order#{uuid}"),
    st.none() | texts,
    st.integers(1, 2**53),
    st.integers(1, 10**17),
    st.integers(1, 1000),
    st.lists(names, min_size=1, max_size=3).map(tuple),
    st.booleans(),
    st.booleans(),
)


def test_a_page_is_stored_like_this():
    page = Page(8, (POINTER, POINTER._replace(first_version=5, outbox=False)), "w1")
    assert page_item(page) == {
        "log_key": {"S": "log"},
        "place": {"S": "00000000000000000008"},
        "count": {"N": "4"},
        "writer": {"S": "w1"},
        "pointers": {
            "S": f'[["{KEY}","order 7",{GENERATION},3,2,["A","B"],1],'
            f'["{KEY}","order 7",{GENERATION},5,2,["A","B"],0]]'
        },
    }
    assert page.following == 12


def test_a_page_is_compressed_where_that_costs_less():
    many = tuple(POINTER._replace(first_version=2 * n + 1) for n in range(100))
    item = page_item(Page(1, many, "w"))
    assert list(item["pointers"]) == ["B"]
    assert item_size(item) < 1024
    assert read_page(item).pointers == many


@given(st.integers(1, 10**18), st.lists(pointers, min_size=1, max_size=40), texts)
def test_a_page_comes_back_as_it_was(first, some, writer):
    page = Page(first, tuple(some), writer)
    assert read_page(page_item(page)) == page


@pytest.mark.parametrize(
    ("key", "log_key", "uuid"),
    [
        ("#order#a7", "#streams#order#7", "a7"),
        ("###07", "#streams###7", "07"),
        ("ac%23me#%#f1", "ac%23me#streams#%#1", "f1"),
    ],
)
def test_a_marker_is_found_by_category(key, log_key, uuid):
    marker = POINTER._replace(stream_key=key, generation=12).marker
    assert marker.key == {
        "log_key": {"S": log_key},
        "place": {"S": f"{uuid}#00000000000000000012"},
    }


@pytest.mark.parametrize("versionless", [True, False])
def test_a_commit_has_a_pointer(versionless):
    item = a_commit(events(STREAM, 2), 3, versionless=versionless, name="order 7")
    assert pointer_to(item | {"outbox": {"BOOL": True}}) == POINTER._replace(
        event_names=("NumberDrawn",), versionless=versionless
    )
    assert pointer_to(item).last_version == 4
    assert not pointer_to(item).outbox


@pytest.mark.parametrize(
    "item",
    [
        fence_item(KEY, version=1, closed=1, expires_at=None),
        a_snapshot_item(a_snapshot(STREAM, 5)),
        {name: at for name, at in a_commit(events(STREAM, 1), 1).items() if name != "event_names"},
    ],
)
def test_what_is_no_commit_has_no_pointer(item):
    with pytest.raises(StoredItemError):
        pointer_to(item)


def test_a_page_takes_as_many_as_one_request_fetches():
    page, item = fill_page(5, [POINTER] * 130, "w")
    assert len(page.pointers) == MAX_POINTERS == 100
    assert read_page(item) == page


def test_a_page_takes_no_more_than_an_item_carries():
    # Nothing in them to compress.
    random = Random(1)
    long = [
        POINTER._replace(stream_name=base64.b64encode(random.randbytes(90_000)).decode())
        for _ in range(10)
    ]
    page, item = fill_page(1, long, "w")
    assert 1 <= len(page.pointers) < 10
    assert item_size(item) <= SAFE_ITEM_BYTES
    alone, _ = fill_page(1, long[:1], "w")
    assert alone.pointers == tuple(long[:1])


@pytest.mark.parametrize(
    "change",
    [
        {"count": {"N": "9"}},
        {"pointers": {"S": "[[1]]"}},
        {"pointers": {"B": b"?"}},
        {"place": {"S": "x"}},
    ],
)
def test_a_page_that_cannot_be_read_says_so(change):
    with pytest.raises(StoredItemError):
        read_page(page_item(Page(1, (POINTER,), "w")) | change)


ROW = [KEY, None, GENERATION, 1, 2, ["A"], 0]


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, 7), (0, None), (2, "7"), (2, True), (3, 1.5), (3, None), (4, "2"), (5, 7), (6, "x")],
)
def test_a_pointer_of_other_types_is_no_pointer(place, value):
    row = [*ROW[:place], value, *ROW[place + 1 :]]
    item = page_item(Page(8, (POINTER,), "w1")) | {"pointers": {"S": json.dumps([row])}}
    with pytest.raises(StoredItemError, match="it is not a page"):
        read_page(item)


def test_a_pointer_has_as_many_parts_as_this_release_writes():
    for row in (ROW[:6], [*ROW, 1], {}, 7):
        item = page_item(Page(8, (POINTER,), "w1")) | {"pointers": {"S": json.dumps([row])}}
        with pytest.raises(StoredItemError, match="it is not a page"):
            read_page(item)

"""Compressed texts come back unchanged, and small texts compress as well as with a large window."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo_es.dynamodb.streams.items import encode_events
from dynamo_es.dynamodb.wire.encoding.compression import compress, pack, unpack
from dynamo_es.dynamodb.wire.sizes import item_size, write_units
from dynamo_es.testing.conformance.language import events
from dynamo_es.values import StreamId


@given(st.binary(max_size=20_000))
def test_what_is_compressed_comes_back(text):
    assert zlib.decompress(compress(text)) == text


@pytest.mark.parametrize("number", [1, 5, 10, 30, 50, 60, 500])
def test_events_take_no_more_room_than_with_a_large_window(number):
    text = encode_events(events(StreamId(), number))

    assert len(compress(text)) <= len(zlib.compress(text)) * 1.02


@pytest.mark.parametrize("size", [8191, 8192, 8193])
def test_the_window_changes_where_the_text_outgrows_it(size):
    # A repetition that only a window as long as the text can see.
    text = bytes(range(256)) * (size // 256) + bytes(size % 256)

    assert zlib.decompress(compress(text)) == text
    assert len(compress(text)) < 400


TEXTS = st.one_of(
    st.text(max_size=200),
    st.builds(
        lambda text, times: text * times, st.text(min_size=1, max_size=30), st.integers(1, 99)
    ),
)


@given(TEXTS, st.sampled_from(["units", "always"]))
def test_what_is_packed_comes_back_and_has_the_size_that_was_told(text, compression):
    item = {"stream_key": {"S": "a"}}

    size = pack(item, "events", text.encode(), compression)

    found = unpack(item["events"])
    assert (found.decode() if isinstance(found, bytes) else found) == text
    assert size == item_size(item)


@given(TEXTS)
def test_always_takes_no_more_bytes_and_no_more_units(text):
    sizes = {
        compression: pack({"stream_key": {"S": "a"}}, "events", text.encode(), compression)
        for compression in ("units", "always")
    }

    assert sizes["always"] <= sizes["units"]
    assert write_units(sizes["always"]) == write_units(sizes["units"])


def test_a_small_text_is_compressed_only_always():
    text = encode_events(events(StreamId(), 3))
    assert len(text) < 1000
    kinds = {}
    for compression in ("units", "always"):
        item = {}
        pack(item, "events", text, compression)
        kinds[compression] = set(item["events"])

    assert kinds == {"units": {"S"}, "always": {"B"}}


@pytest.mark.parametrize("text", [b"", b"[]", b"ab"])
def test_a_text_that_does_not_get_smaller_stays_text(text):
    item = {}
    pack(item, "events", text, "always")
    assert set(item["events"]) == {"S"}

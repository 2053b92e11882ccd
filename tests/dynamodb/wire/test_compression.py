"""Compressed texts come back unchanged, and small texts compress as well as with a large window."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo_es.dynamodb.streams.items import encode_events
from dynamo_es.dynamodb.wire.compression import compress
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

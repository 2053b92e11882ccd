"""States come back byte for byte, and JSON states are stored as readable JSON."""

from __future__ import annotations

import json
import zlib
from uuid import uuid4

import pytest
from eventsourcing import persistence
from hypothesis import given
from hypothesis import strategies as st

from dynamo_es.adapters.eventsourcing.coding import decode_state, encode_state, stored_event
from dynamo_es.adapters.eventsourcing.versions import IS_10
from dynamo_es.testing.conformance.language import an_event
from dynamo_es.values import StreamId

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary() | st.text().map(str.encode) | JSON.map(lambda o: json.dumps(o).encode()))
def test_any_state_comes_back_byte_for_byte(state):
    assert decode_state(encode_state(state)) == state


@given(st.dictionaries(st.text() | st.sampled_from(["$text", "$base64"]), JSON, max_size=3))
def test_an_object_comes_back_byte_for_byte(data):
    state = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
    assert decode_state(encode_state(state)) == state


@pytest.mark.parametrize(
    "state",
    [
        b'{"a":1,"a":2}', b'{"a": 1}', b'{"a":1e3}', b'{"$text":"x"}', b'{"$base64":"eA=="}',
        b"", b"{}", b"{", b'"text"', b"\xff\xfe", b'{"a":NaN}', b'{"a":1.0}',
    ],
)  # fmt: skip
def test_no_spelling_is_lost(state):
    assert decode_state(encode_state(state)) == state


@pytest.mark.skipif(IS_10, reason="10 transcodes decisions only: test_example.py looks at one")
def test_what_the_transcoder_writes_is_stored_as_the_object_it_is():
    state = persistence.JSONTranscoder().encode({"name": "Zoë", "total": 3, "tags": ["a"]})
    assert encode_state(state) == {"name": "Zoë", "total": 3, "tags": ["a"]}


def test_what_is_compressed_is_stored_in_base64():
    state = zlib.compress(b'{"a":1}')
    assert set(encode_state(state)) == {"$base64"}


def test_an_event_without_a_version_is_of_no_recorder():
    with pytest.raises(ValueError, match="no recorder has stored it"):
        stored_event(uuid4(), an_event(StreamId()))

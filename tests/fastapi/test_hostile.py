"""Nothing that a caller sends makes the application fail, and what is refused is not stored."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fastapi.bank import Opened

HEADER_BYTES = st.binary(max_size=60).map(
    lambda text: bytes(one for one in text if one not in b"\r\n\0").strip(b" \t\x0b\x0c")
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
BODIES = (
    st.binary(max_size=40)
    | JSON.map(lambda value: json.dumps(value).encode())
    | JSON.map(lambda value: json.dumps({"owner": value, "cents": value}).encode())
)
PATHS = st.binary(min_size=1, max_size=30).map(quote)
HEADERS = st.dictionaries(
    st.sampled_from(["if-match", "if-none-match", "idempotency-key", "content-type"]), HEADER_BYTES
)


@settings(max_examples=100)
@given(name=PATHS, body=BODIES, headers=HEADERS, action=st.sampled_from(["", "/deposits"]))
def test_any_request_is_answered_and_only_what_is_accepted_is_stored(
    bank, name, body, headers, action
):
    given: dict[str, Any] = {
        "x-tenant": bank.tenant,
        "content-type": "application/json",
    } | headers
    before = bank.backend.log.last_position

    reply = bank.client.post(f"/accounts/{name}{action}", content=body, headers=given)

    assert reply.status_code < 500, (reply.status_code, reply.text)
    if reply.status_code >= 400:
        assert bank.backend.log.last_position == before


@pytest.mark.parametrize("length", [3000, 60_000])
def test_a_very_long_name_is_stored_or_refused(bank, length):
    name = "n" * length

    reply = bank.open(name)

    assert reply.status_code in {201, 413, 422}, reply.text
    assert bank.stored(name) == ([Opened(owner="Ann")] if reply.status_code == 201 else [])


@pytest.mark.ci
def test_a_very_large_body_is_refused(bank):
    # Random text: it does not get smaller when it is compressed.
    owner = "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(2_000_000))

    reply = bank.open("ann", owner)

    assert reply.status_code in {201, 413}, reply.text

"""Every stream identity has a key of its own, from which it can be read back."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynamo_es import StreamId
from dynamo_es.contracts.stream_keys import MAX_KEY_BYTES, stream_key, tenant_prefix
from dynamo_es.dynamodb.streams.keys import (
    SNAPSHOT_VERSION,
    describe_key,
    parse_stream_key,
    stream_of,
)
from dynamo_es.exceptions import InvalidStreamIdError

UUID_TEXT = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
ID = UUID(UUID_TEXT)

# Mostly made of what escaping is about, so that collisions would be met.
tricky = st.text(st.sampled_from("%#2357ab"), max_size=6)
texts = tricky | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
categories = st.none() | texts
identities = st.tuples(texts, categories, st.sampled_from([ID, UUID(int=0)]) | st.uuids())


def key_of(tenant, category, uuid=ID):
    return stream_key(tenant_prefix(tenant), StreamId(uuid, category=category))


@pytest.mark.parametrize(
    ("tenant", "category", "key"),
    [
        ("", None, f"##{UUID_TEXT}"),
        ("", "", f"#%#{UUID_TEXT}"),
        ("", "order", f"#order#{UUID_TEXT}"),
        ("acme", None, f"acme##{UUID_TEXT}"),
        ("acme", "order", f"acme#order#{UUID_TEXT}"),
        ("a#b", "c#d", f"a%23b#c%23d#{UUID_TEXT}"),
        ("100%", "%", f"100%25#%25#{UUID_TEXT}"),
        ("%23", "%25", f"%2523#%2525#{UUID_TEXT}"),
        ("Żółw 🐢", "kategoria ✓", f"Żółw 🐢#kategoria ✓#{UUID_TEXT}"),
    ],
)
def test_a_key_is_tenant_category_and_uuid(tenant, category, key):
    assert key_of(tenant, category) == key


def test_a_name_is_no_part_of_the_key():
    named = StreamId(name="order 1", category="order")
    assert stream_key("#", named) == stream_key(
        "#", StreamId(UUID(int=named.int), None, None, "order")
    )


def test_a_snapshot_is_above_any_version_that_a_stream_reaches():
    # A thousand events a second for 30,000 years.
    assert SNAPSHOT_VERSION > 1000 * 3600 * 24 * 366 * 30_000


@given(identities, identities)
@example(("a", None, ID), ("a", "", ID))
@example(("", "a", ID), ("a", "", ID))
@example(("a#", "b", ID), ("a", "#b", ID))
@example(("a", "%", ID), ("a", "", ID))
@example(("a", "%25", ID), ("a", "%", ID))
@example(("%23", None, ID), ("#", None, ID))
def test_no_two_identities_share_a_key(one, other):
    assert (key_of(*one) == key_of(*other)) == (one == other)


@given(identities)
@example(("%23", "%2523", ID))
@example(("%", "#", ID))
def test_a_key_is_read_back_as_the_identity_it_was_made_of(identity):
    assert parse_stream_key(key_of(*identity)) == identity


@given(identities, texts)
@example(("ab", None, ID), "a")
@example(("a#b", None, ID), "a")
@example(("a", "b", ID), "a#b")
@example(("%23", None, ID), "")
def test_a_tenants_keys_and_no_others_begin_with_its_prefix(identity, tenant):
    assert key_of(*identity).startswith(tenant_prefix(tenant)) == (identity[0] == tenant)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (f"acme#order#{UUID_TEXT}", f"{UUID_TEXT} (category 'order') of tenant 'acme'"),
        (f"#order#{UUID_TEXT}", f"{UUID_TEXT} (category 'order')"),
        (f"##{UUID_TEXT}", UUID_TEXT),
        ("log", "'log'"),
    ],
)
def test_logs_name_the_stream_of_a_key(key, text):
    assert describe_key(key) == text


@pytest.mark.parametrize(
    "text",
    ["", UUID_TEXT, f"#{UUID_TEXT}", f"a#b#c#{UUID_TEXT}", "a#b#c", "a#b#", "log", "##"],
)
def test_what_is_no_key_of_a_stream_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever says that it is none
        parse_stream_key(text)


# The limit: 2,048 bytes, of which a UUID and two separators take 38.
ROOM = MAX_KEY_BYTES - 38


@pytest.mark.parametrize("letter", ["x", "ż", "水", "🐢"])
@pytest.mark.parametrize("part", ["tenant", "category"])
def test_a_key_takes_2048_bytes_and_not_one_more(letter, part):
    times, rest = divmod(ROOM, len(letter.encode()))
    longest = letter * times + "x" * rest

    def key_with(text):
        return key_of(text, None) if part == "tenant" else key_of("", text)

    assert len(key_with(longest).encode()) == 2048
    with pytest.raises(InvalidStreamIdError, match="make a key of 2,049 bytes"):
        key_with(longest + "x")


def test_what_escaping_adds_counts():
    escaped, rest = divmod(ROOM, 3)
    assert len(key_of("#" * escaped + "x" * rest, None)) == 2048
    with pytest.raises(InvalidStreamIdError, match="2,049 bytes"):
        key_of("#" * escaped + "x" * (rest + 1), None)


def test_a_refused_key_names_stream_and_limit():
    stream_id = StreamId(uuid4(), category="x" * 5000)
    with pytest.raises(InvalidStreamIdError) as caught:
        stream_key("#", stream_id)
    assert str(stream_id) in str(caught.value)
    assert "DynamoDB takes 2,048: use shorter ones." in str(caught.value)


def test_a_key_and_a_name_are_a_stream_however_often_they_are_met():
    named = StreamId(name="order 1", category="order")
    key = stream_key(tenant_prefix("acme"), named)
    for _ in range(2):
        tenant, stream = stream_of(key, "order 1")
        assert (tenant, stream, stream.name) == ("acme", named, "order 1")
    assert stream_of(key, None)[1].name is None


def test_a_name_of_another_stream_is_refused_each_time():
    for _ in range(2):
        with pytest.raises(InvalidStreamIdError):
            stream_of(key_of("", "order"), "order 1")
        with pytest.raises(ValueError, match="not a stream's"):
            stream_of("order", "order 1")

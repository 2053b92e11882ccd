"""Items come back as stored and have the right size; foreign items are refused."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo_es.contracts.checks.payload import MAX_DEPTH, check_json
from dynamo_es.dynamodb.streams.items import (
    Head,
    commit_item,
    decode_events,
    encode_events,
    event_uuids,
    fence_item,
    generation_of,
    is_fence,
    is_snapshot,
    read_commit,
    snapshot_item,
    version_of,
)
from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.wire.encoding.compression import compress
from dynamo_es.dynamodb.wire.sizes import MAX_ITEM_BYTES, SAFE_ITEM_BYTES, item_size, write_units
from dynamo_es.exceptions import StoredItemError
from dynamo_es.testing.conformance.language import an_event, assert_same, numbered
from tests.dynamodb import generated
from tests.dynamodb.generated import STREAM

KEY = "#order#00000000-0000-0000-0000-000000000007"
GENERATION = 1_700_000_000_123_457
AT = datetime(2024, 2, 29, 23, 59, 59, 999_999)  # noqa: DTZ001 - naive UTC is allowed


def a_commit(*events, version=1, generation=GENERATION, versionless=False, name=None):
    return commit_item(
        KEY, name, events, version=version, generation=generation, versionless=versionless
    )


def fixed(name="Drawn", **data):
    return an_event(STREAM, uuid=UUID(int=1), created_at=AT, name=name, data=data, context={})


# As stored


def test_a_commit_of_one_event():
    item, size = a_commit(fixed(n=1), version=3)
    row = f'["{1:032x}","2024-02-29T23:59:59.999999","Drawn",{{"n":1}},{{}}]'
    assert item == {
        "stream_key": {"S": KEY},
        "version": {"N": "3"},
        "generation": {"N": "1700000000123457"},
        "event_count": {"N": "1"},
        "event_names": {"SS": ["Drawn"]},
        "events": {"S": f"[{row}]"},
    }
    assert size == item_size(item)


def test_a_commit_has_each_name_once_and_in_order():
    item, _ = a_commit(*(replace(fixed(name), uuid=UUID(int=n)) for n, name in enumerate("bacb")))
    assert item["event_names"] == {"SS": ["a", "b", "c"]}
    assert item["event_count"] == {"N": "4"}


def test_a_commit_of_a_named_stream_without_versions_says_so():
    item, _ = a_commit(fixed(), versionless=True, name="order 1")
    assert item["stream_name"] == {"S": "order 1"}
    assert item["versionless"] == {"BOOL": True}


def test_a_snapshot():
    item, size = snapshot_item(KEY, replace(fixed(n=1), version=12), generation=GENERATION)
    assert {name: item[name] for name in item if name != "events"} == {
        "stream_key": {"S": KEY},
        "version": {"N": "1000000000000000000"},
        "generation": {"N": str(GENERATION)},
        "snapshot_version": {"N": "12"},
    }
    assert size == item_size(item)
    assert is_snapshot(item)
    assert not is_fence(item)
    assert (version_of(item), generation_of(item)) == (SNAPSHOT_VERSION, GENERATION)


@pytest.mark.parametrize("expires_at", [None, 1_700_604_800])
def test_a_fence_expires_only_if_it_may(expires_at):
    item = fence_item(KEY, version=4, closed=GENERATION, expires_at=expires_at)
    lasting = {"stream_key": {"S": KEY}, "version": {"N": "4"}, "closed": {"N": str(GENERATION)}}
    assert item == lasting | ({"expires_at": {"N": "1700604800"}} if expires_at else {})
    assert is_fence(item)
    assert not is_snapshot(item)
    assert (version_of(item), generation_of(item)) == (4, GENERATION)


@pytest.mark.parametrize("versionless", [False, True])
def test_a_commit_is_read_with_its_head(versionless):
    events = [replace(fixed(), uuid=UUID(int=n)) for n in range(3)]
    item, _ = a_commit(*events, version=5, versionless=versionless)
    commit = read_commit(item)
    assert commit.head == Head(GENERATION, 7, versionless)
    assert commit == (5, 7, GENERATION, versionless, item)
    assert event_uuids(item) == [event.uuid for event in events]
    assert not is_fence(item)
    assert not is_snapshot(item)


# There and back


@given(st.lists(generated.events(), min_size=1, max_size=4), st.integers(1, 10**17))
def test_events_come_back_as_they_were(events, version):
    item, size = a_commit(*events, version=version)
    assert_same(decode_events(item, STREAM, version), numbered(events, version))
    assert_same(decode_events(item, STREAM, None), events)
    assert size == item_size(item)
    assert (read_commit(item).version, read_commit(item).last) == (
        version,
        version + len(events) - 1,
    )


@given(generated.events(), st.integers(1, 10**17))
def test_a_snapshot_comes_back_as_it_was(event, version):
    snapshot = replace(event, version=version)
    item, size = snapshot_item(KEY, snapshot, generation=GENERATION)
    assert_same(decode_events(item, STREAM, version), [snapshot])
    assert size == item_size(item)


def test_the_deepest_payload_that_is_taken_comes_back():
    deepest = {}
    for _ in range(MAX_DEPTH - 1):
        deepest = {"": deepest}
    check_json(deepest)
    event = replace(fixed(), data=deepest)
    item, _ = a_commit(event)
    assert_same(decode_events(item, STREAM, None), [event])


@pytest.mark.parametrize(
    "offset",
    [
        timedelta(hours=5, minutes=45),
        timedelta(hours=1, minutes=24, seconds=3),
        timedelta(seconds=-1),
        -timedelta(hours=23, minutes=59, seconds=59, microseconds=999_999),
    ],
)
def test_a_time_keeps_its_offset_to_the_microsecond(offset):
    event = replace(fixed(), created_at=AT.replace(tzinfo=timezone(offset)))
    item, _ = a_commit(event)
    (decoded,) = decode_events(item, STREAM, None)
    assert decoded.created_at.isoformat() == event.created_at.isoformat()
    assert decoded.created_at.utcoffset() == offset


# Compression: exactly where it saves a write unit


def commit_of_size(size, filler):
    """Return a commit that, uncompressed, has exactly that size."""
    empty = a_commit(fixed(text=""))[1]
    text = (filler * size)[: size - empty]
    return a_commit(fixed(text=text))


NOISE = Random(1).randbytes(9_000).hex()
"""Shrinks by half, and no further."""


@pytest.mark.parametrize("filler", ["x", "abcdefgh"])
def test_one_kilobyte_is_kept_as_text_and_one_byte_more_is_compressed(filler):
    item, size = commit_of_size(1024, filler)
    assert (list(item["events"]), size) == (["S"], 1024)
    item, size = commit_of_size(1025, filler)
    assert list(item["events"]) == ["B"]
    assert size == item_size(item) < 1025


@given(st.integers(300, 12_000), st.integers(0, 12_000))
def test_compression_is_used_exactly_where_it_lowers_the_write_units(size, noisy):
    text = NOISE[: min(noisy, size)] + "x" * (size - noisy)
    event = fixed(text=text)
    item, stored = a_commit(event)
    plain = encode_events([event])
    packed = compress(plain)
    rest = item_size({**item, "events": {"S": ""}})
    saves = write_units(rest + len(packed)) < write_units(rest + len(plain))
    assert item["events"] == ({"B": packed} if saves else {"S": plain.decode()})
    assert stored == item_size(item)


def test_compression_that_saves_bytes_but_no_unit_is_left_out():
    seen = set()
    for length in range(1100, 2000):
        event = fixed(text=NOISE[:length])
        item, stored = a_commit(event)
        text = encode_events([event])
        rest = item_size({**item, "events": {"S": ""}})
        plain, packed = rest + len(text), rest + len(compress(text))
        assert packed < plain
        if packed <= 1024 < plain <= 2048:  # one unit instead of two
            assert (list(item["events"]), stored) == (["B"], packed)
            seen.add("saves")
        elif 1024 < packed < plain <= 2048:  # two either way
            assert (list(item["events"]), stored) == (["S"], plain)
            seen.add("does not save")
    assert seen == {"saves", "does not save"}


def test_the_margin_is_below_the_limit_of_an_item():
    assert SAFE_ITEM_BYTES == MAX_ITEM_BYTES - 1024 == 400 * 1024 - 1024


# Items of others


def stored(**changes):
    item, _ = a_commit(fixed(n=1))
    return {name: value for name, value in (item | changes).items() if value is not None}


ROW = [f"{1:032x}", "2024-02-29T23:59:59", "Drawn", {}, {}]


def rows(*rows):
    return {"S": json.dumps(rows)}


UNREADABLE = {
    "broken JSON": {"S": '[["'},
    "no JSON": {"S": ""},
    "broken zlib": {"B": b"\x78\x9cno"},
    "no zlib": {"B": b""},
    "zlib of broken JSON": {"B": zlib.compress(b"[[")},
    "zlib of no UTF-8": {"B": zlib.compress(b'[["\xff"]]')},
    "an unknown kind": {"N": "5"},
    "another unknown kind": {"L": [{"S": "x"}]},
    "two kinds": {"S": "[]", "B": b""},
    "a number": {"S": "5"},
    "null": {"S": "null"},
    "an object": {"S": '{"abcde": 1}'},
    "an empty object": {"S": "{}"},
    "an empty text": {"S": '""'},
    "a row that is no list": rows(5),
    "a row that is too short": rows(ROW[:4]),
    "a row that is too long": rows([*ROW, 1]),
    "a row that is an object": {"S": '[{"0": 1, "1": 2, "2": 3, "3": 4, "4": 5}]'},
    "a row that is a text": rows("abcde"),
    "a row that is empty": rows([]),
    "a name that is a number": rows([*ROW[:2], 5, {}, {}]),
    "a uuid that is none": rows(["x", *ROW[1:]]),
    "a uuid that is null": rows([None, *ROW[1:]]),
    "a time that is none": rows([ROW[0], "yesterday", *ROW[2:]]),
    "a time that is a number": rows([ROW[0], 5, *ROW[2:]]),
    "a name that is empty": rows([*ROW[:2], "", {}, {}]),
    "data that is no object": rows([*ROW[:3], 5, {}]),
    "a context that is no object": rows([*ROW[:4], []]),
    "more than a commit takes": {"B": zlib.compress(bytes(40 * 1024 * 1024))},
    "zlib without its end": {"B": zlib.compress(json.dumps([ROW]).encode())[:-6]},
    "absent": None,
}


@pytest.mark.parametrize("events", UNREADABLE.values(), ids=UNREADABLE)
def test_events_that_this_release_did_not_write_are_an_error_of_the_item(events):
    with pytest.raises(StoredItemError) as caught:
        decode_events(stored(events=events), STREAM, 1)
    assert (caught.value.stream_key, caught.value.version) == (KEY, "1")
    # Neither quotes what is stored.
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
    assert "yesterday" not in str(caught.value)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", *ROW[:3]]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.just("a"), inner),
)


@given(st.lists(st.tuples(*(st.just(part) | ANY_JSON for part in ROW)) | ANY_JSON) | ANY_JSON)
def test_any_json_makes_events_or_is_an_error_of_the_item(found):
    try:
        made = decode_events(stored(events={"S": json.dumps(found)}), STREAM, 1)
    except StoredItemError:
        return
    assert [
        [event.uuid.hex, event.created_at.isoformat(), event.name, event.data, event.context]
        for event in made
    ] == [list(row) for row in found]
    assert [event.version for event in made] == list(range(1, len(made) + 1))


@pytest.mark.parametrize("form", ["{0.hex}", "{0}", "urn:uuid:{0}", "{{{0}}}"])
def test_a_uuid_is_read_in_any_form(form):
    uuid = UUID(int=0xABC << 96)
    (made,) = decode_events(stored(events=rows([form.format(uuid), *ROW[1:]])), STREAM, 1)
    assert made.uuid == uuid
    assert type(made.uuid) is UUID


@pytest.mark.parametrize("uuid", [5, [], {}, True])
def test_a_uuid_that_is_no_text_is_an_error_of_the_item(uuid):
    with pytest.raises(StoredItemError):
        decode_events(stored(events=rows([uuid, *ROW[1:]])), STREAM, 1)


@pytest.mark.parametrize("attribute", ["version", "generation", "event_count"])
@pytest.mark.parametrize(
    "value",
    [None, {"S": "secret"}, {"N": "secret"}, {"N": "1.5"}, {"N": "-1"}, {"N": "9" * 38}],
)
def test_a_commit_that_this_release_did_not_write_is_an_error_of_the_item(attribute, value):
    with pytest.raises(StoredItemError, match=f"its {attribute} is not") as caught:
        read_commit(stored(**{attribute: value}))
    assert "If a newer release of dynamo_es wrote it, upgrade this program" in str(caught.value)
    assert "secret" not in caught.value.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": {"N": "0"}}, "its version is not"),
        ({"event_count": {"N": "0"}}, "its event_count is not"),
        ({"event_count": {"N": "1000001"}}, "its event_count is above 1,000,000"),
        ({"version": {"N": str(SNAPSHOT_VERSION)}}, "its last version is not below"),
        ({"item_format": {"N": "2"}}, "a newer release wrote it"),
    ],
)
def test_figures_that_no_commit_has_are_an_error_of_the_item(changes, reason):
    with pytest.raises(StoredItemError, match=reason):
        read_commit(stored(**changes))


def test_the_largest_figures_are_read():
    last = SNAPSHOT_VERSION - 1
    commit = read_commit(stored(version={"N": str(last)}, generation={"N": str(last)}))
    assert (commit.version, commit.last, commit.generation) == (last, last, last)


def test_what_a_commit_may_take_uncompressed_is_the_callers_to_set():
    item, _ = a_commit(*(fixed(x="y" * 900) for _ in range(10)))
    assert "B" in item["events"]
    size = len(encode_events(decode_events(item, STREAM, 1)))
    assert len(decode_events(item, STREAM, 1, size)) == 10
    with pytest.raises(StoredItemError, match=f"more than {size - 1:,} bytes"):
        decode_events(item, STREAM, 1, size - 1)

from __future__ import annotations

from itertools import chain, count
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo_es.cli.history.importing import Chunk, Cutter, Defaults, parse_line
from dynamo_es.cli.history.importing import chunks as chunks_module
from tests.cli.history.histories import a_line, history


def cut(lines: list[bytes], most: int = 100, *, gather: bool = False) -> list[Chunk]:
    cutter = Cutter(most, gather=gather)
    parsed = [parse_line(text, number, Defaults()) for number, text in enumerate(lines, 1)]
    return [*chain.from_iterable(map(cutter.add, parsed)), *cutter.flush()]


def outline(chunks: list[Chunk]) -> list[tuple[str | None, int, int]]:
    return [(c.stream.id.name, c.first, c.first + len(c.events) - 1) for c in chunks]


def test_what_is_consecutive_becomes_one_chunk():
    assert outline(cut(history("aabaab"))) == [
        ("a", 1, 2),
        ("b", 1, 1),
        ("a", 3, 4),
        ("b", 2, 2),
    ]


def test_a_chunk_has_no_more_events_than_asked_for():
    assert outline(cut(history("aaaaab"), most=2)) == [
        ("a", 1, 2),
        ("a", 3, 4),
        ("a", 5, 5),
        ("b", 1, 1),
    ]


def test_gathering_brings_a_streams_events_together():
    assert outline(cut(history("abacabba"), most=3, gather=True)) == [
        ("a", 1, 3),
        ("b", 1, 3),
        ("c", 1, 1),
        ("a", 4, 4),
    ]


def test_a_chunk_knows_the_lines_of_its_events():
    chunks = cut(history("abaab"), most=2, gather=True)
    assert [chunk.lines for chunk in chunks] == [[1, 3], [2, 5], [4]]
    rest = chunks[1].after(1)
    assert rest is not None
    assert (rest.first, rest.lines, rest.events) == (2, [5], chunks[1].events[1:])
    assert rest.after(1) is None


def test_category_and_tenant_make_another_stream():
    lines = [a_line(), a_line(category="order"), a_line(category=None), a_line(tenant="globex")]
    assert [chunk.first for chunk in cut(lines)] == [1, 1, 1, 1]


def test_times_with_and_without_a_zone_are_not_mixed_in_one_chunk():
    lines = [a_line(at=at) for at in ("2024-01-01T00:00", "2024-01-02T00:00Z", "2024-01-03T00:00Z")]
    assert outline(cut(lines)) == [("a", 1, 1), ("a", 2, 3)]


def test_many_bytes_are_cut_into_several_chunks(monkeypatch):
    monkeypatch.setattr(chunks_module, "MAX_CHUNK_BYTES", 2 * len(a_line()) + 10)
    assert outline(cut(history("aaaaa"))) == [("a", 1, 2), ("a", 3, 4), ("a", 5, 5)]


def test_what_waits_is_bounded(monkeypatch):
    monkeypatch.setattr(chunks_module, "MAX_WAITING_BYTES", 3 * len(a_line()) + 10)
    chunks = cut(history("abcdea"), gather=True)
    assert outline(chunks) == [
        ("a", 1, 1),
        ("b", 1, 1),
        ("c", 1, 1),
        ("d", 1, 1),
        ("e", 1, 1),
        ("a", 2, 2),
    ]


def test_chunks_that_would_not_fill_a_request_wait_for_more():
    cutter = Cutter(1, streams=100, waiting=50)
    lines = [parse_line(a_line(f"{n}"), n, Defaults()) for n in range(1, 51)]
    extra = [parse_line(a_line("51", tenant="globex"), 51, Defaults())]

    *before, taken = map(cutter.add, [*extra, *lines[:49]])

    assert (sum(map(len, before)), len(taken)) == (0, 25), "of the 49 streams of one tenant"
    assert [len(cutter.take()) for _ in range(3)] == [24, 1, 0]


def ids(lines: list[bytes], **how: int | bool) -> list[UUID]:
    return [event.uuid for chunk in cut(lines, **how) for event in chunk.events]  # type: ignore[arg-type]


def test_event_ids_do_not_depend_on_the_cuts():
    lines = history("abcab" * 3)
    assert sorted(ids(lines)) == sorted(ids(lines, most=2, gather=True))
    assert len(set(ids(lines))) == len(lines)


def test_equal_lines_of_one_stream_are_different_events():
    assert len(set(ids([a_line(), a_line()]))) == 2


def test_event_ids_stay_the_same_for_ever():
    # Another id for the same line would import every history a second time.
    line = a_line("readme", at="2015-08-25T13:35:29+00:00", data={"b": 1, "a": "é"})
    spaced = line.replace(b": ", b" :  ")
    assert ids([line]) == ids([spaced]) == [UUID("f44cbaa1-31a0-5720-a54e-c810e651400e")]


@pytest.mark.parametrize(
    "change",
    [
        {"tenant": "b"},
        {"category": "b"},
        {"category": None},
        {"stream": "b"},
        {"type": "B"},
        {"at": "2024-01-01T00:00:00+01:00"},
        {"data": {"number": 0.0}},
    ],
)
def test_any_other_content_is_another_event(change):
    assert ids([a_line()]) != ids([a_line(**{"stream": "a", **change})])


@given(
    st.text("abcd", max_size=40),
    st.integers(min_value=1, max_value=5),
    st.booleans(),
)
def test_every_line_comes_out_once_and_in_the_order_of_its_stream(streams, most, gather):
    chunks = cut(history(streams), most, gather=gather)

    numbers = [number for chunk in chunks for number in chunk.lines]
    assert sorted(numbers) == list(range(1, len(streams) + 1))
    versions = {stream: count(1) for stream in streams}
    last = dict.fromkeys(streams, 0)
    for chunk in chunks:
        name = chunk.stream.id.name
        for number, event in zip(chunk.lines, chunk.events, strict=True):
            assert event.version == next(versions[name])
            assert number > last[name]
            last[name] = number
    if not gather:
        assert numbers == sorted(numbers)

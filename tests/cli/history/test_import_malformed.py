"""Importing a history with malformed lines, and again after a correction."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import MemoryBackend
from tests.cli.history.histories import a_line, expected, history, import_lines, stored


@pytest.fixture
def storage():
    return MemoryBackend().storage


def is_stored(storage, lines):
    wanted = expected(lines)
    return stored(storage, wanted) == wanted


@pytest.mark.parametrize("gather", [False, True])
def test_a_malformed_line_ends_its_stream_and_the_others_go_on(storage, gather):
    lines = history("ababcab")
    lines[2] = a_line("a", 2, data=None)

    summary, problems = import_lines(storage, [*lines, b"\n"], gather=gather)

    kept = [lines[0], lines[1], lines[3], lines[4], lines[6]]
    assert is_stored(storage, kept)
    ((line, reason, stream),) = [(one.line, one.reason, str(one.stream)) for one in problems]
    assert (line, reason, stream) == (3, "the field 'data': Field required", "acme/file/a")
    assert (summary.malformed, summary.skipped, summary.events) == (1, 1, 5)
    assert not summary.clean


@pytest.mark.parametrize("field", ["tenant", "category"])
def test_a_stream_that_no_storage_can_have_ends_before_its_first_line(storage, field):
    long = a_line("a", 1, **{field: "é#" * 700})

    summary, problems = import_lines(storage, [long, *history("bcb"), long])

    assert is_stored(storage, history("bcb"))
    assert [one.line for one in problems] == [1, 5]
    assert "use shorter ones" in problems[0].reason
    assert (summary.malformed, summary.events) == (2, 3)


def test_a_malformed_line_that_tells_no_stream_ends_all_streams(storage):
    lines = history("abcab")
    lines[2] = lines[2][:20] + b"\n"
    lines[4] = a_line("b", 4, at="soon")

    summary, problems = import_lines(storage, lines)

    assert is_stored(storage, lines[:2])
    assert [(one.line, one.stream and str(one.stream)) for one in problems] == [
        (3, None),
        (5, "acme/file/b"),
    ]
    assert (summary.malformed, summary.skipped, summary.events) == (2, 1, 2)


DAMAGES = {
    "cut": lambda line: line[: len(line) // 2] + b"\n",
    "a list": lambda _: b"[]\n",
    "no data": lambda line: line.replace(b'"data"', b'"date"'),
    "no time": lambda line: line.replace(b'"at": "', b'"at": "x'),
    "NaN": lambda line: line.replace(b'"number": ', b'"number": NaN, "n": '),
    "a huge integer": lambda line: line.replace(b'"number": ', b'"number": 1' + b"0" * 5000),
    "not UTF-8 in the data": lambda line: line.replace(b'"number"', b'"\xff"'),
    "not UTF-8 in the name": lambda line: line.replace(b'"stream": "', b'"stream": "\xff'),
    "a number for a tenant": lambda line: line.replace(b'"acme"', b"5"),
    "a huge number for a tenant": lambda line: line.replace(b'"acme"', b"5" * 5000),
}


@settings(max_examples=60)
@given(
    streams=st.text("abc", min_size=1, max_size=20),
    damages=st.dictionaries(st.integers(0, 19), st.sampled_from(sorted(DAMAGES)), min_size=1),
    cuts=st.tuples(st.integers(1, 5), st.booleans(), st.integers(1, 2)),
)
def test_after_its_damaged_lines_are_repaired_a_file_is_imported_whole(streams, damages, cuts):
    storage = MemoryBackend().storage
    lines = history(streams)
    damaged = list(lines)
    for number, damage in damages.items():
        if number < len(lines):
            damaged[number] = DAMAGES[damage](lines[number])
    most, gather, workers = cuts

    first, reported = import_lines(
        storage, damaged, workers=workers, events_per_commit=most, gather=gather
    )
    second, problems = import_lines(storage, lines, workers=1)

    assert [one.line for one in reported] == sorted(n + 1 for n in damages if n < len(lines))
    assert first.events + first.malformed + first.skipped == first.lines == len(lines)
    assert problems == []
    assert is_stored(storage, lines)
    assert (second.already_stored, second.events) == (first.events, len(lines) - first.events)


@pytest.mark.parametrize("damage", ["no data", "no time", "NaN", "a huge integer"])
def test_damage_outside_of_a_stream_s_name_does_not_end_other_streams(storage, damage):
    lines = history("abab")
    lines[0] = DAMAGES[damage](lines[0])

    import_lines(storage, lines)

    assert is_stored(storage, [lines[1], lines[3]])

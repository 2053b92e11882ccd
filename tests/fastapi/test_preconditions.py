"""Entity tags and conditions, by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo_es import MemoryBackend, Repository, StoredVersion
from dynamo_es.exceptions import InvalidVersioningError
from dynamo_es.fastapi import Aggregates, EntityTags, Preconditions, ProblemError, etag_of
from tests.fastapi.bank import Account

AT_3 = StoredVersion(3, 7)
MISSING = StoredVersion(0, 0)


def tags(*lines: str) -> EntityTags:
    found = EntityTags.parse("If-Match", lines)
    assert found is not None
    return found


def test_a_tag_names_generation_and_version():
    assert etag_of(AT_3) == '"7-3"'


def test_without_the_header_there_are_no_tags():
    assert EntityTags.parse("If-Match", []) is None


@pytest.mark.parametrize(
    ("header", "strong", "weak"),
    [
        ('"a"', {'"a"'}, set()),
        ('""', {'""'}, set()),
        ('"a","b"', {'"a"', '"b"'}, set()),
        (' , "a" ,, W/"b" , ', {'"a"'}, {'"b"'}),
        ('"a,b"', {'"a,b"'}, set()),
        ('"*"', {'"*"'}, set()),
        ('"\xe4"', {'"\xe4"'}, set()),
    ],
)
def test_a_list_of_tags_is_read(header, strong, weak):
    assert tags(header) == EntityTags(any=False, strong=frozenset(strong), weak=frozenset(weak))


@given(st.lists(st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF)), min_size=1))
def test_a_tag_is_read_whatever_is_around_it(texts):
    texts = [text.replace('"', "").replace("\x7f", "") for text in texts]
    texts = ["".join(one for one in text if not 0x7F <= ord(one) < 0x80) for text in texts]

    found = tags(", ".join(f'"{text}"' for text in texts))

    assert found.strong == {f'"{text}"' for text in texts}


@given(st.text(st.characters(max_codepoint=0xFF)))
def test_any_header_is_read_or_refused_with_400(header):
    try:
        found = tags(header)
    except ProblemError as refused:
        assert refused.status == 400
    else:
        assert found.any or found.strong or found.weak


def test_a_long_malformed_header_is_refused_at_once():
    for header in ('"a"' + " " * 100_000 + "x", "," * 100_000 + "x", '"' + "a" * 100_000):
        with pytest.raises(ProblemError):
            tags(header)


@pytest.mark.parametrize(
    ("header", "matches", "matches_weakly"),
    [
        ('"7-3"', True, True),
        ('W/"7-3"', False, True),
        ("*", True, True),
        ('"6-3"', False, False),
        ('"7-2"', False, False),
        ('"3"', False, False),
        ('"7-03"', False, False),
    ],
)
def test_a_tag_matches_its_own_version_only(header, matches, matches_weakly):
    assert tags(header).match(AT_3) is matches
    assert tags(header).match(AT_3, weakly=True) is matches_weakly


@pytest.mark.parametrize("header", ["*", '"0-0"', '"7-3"'])
def test_nothing_matches_a_stream_that_does_not_exist(header):
    assert not tags(header).match(MISSING, weakly=True)


def refusal(conditions: Preconditions, version: StoredVersion, *, query: bool = False) -> int:
    check = conditions.check_query if query else conditions.check
    try:
        assert check(version) is version
    except ProblemError as refused:
        return refused.status
    return 0


@pytest.mark.parametrize(
    ("conditions", "of_existing", "of_missing", "of_query"),
    [
        (Preconditions(), 0, 0, 0),
        (Preconditions(if_match=tags('"7-3"')), 0, 412, 0),
        (Preconditions(if_match=tags('"7-2"')), 412, 412, 412),
        (Preconditions(if_match=tags("*")), 0, 412, 0),
        (Preconditions(if_none_match=tags("*")), 412, 0, 304),
        (Preconditions(if_none_match=tags('W/"7-3"')), 412, 0, 304),
        (Preconditions(if_none_match=tags('"7-2"')), 0, 0, 0),
        (Preconditions(tags('"7-2"'), tags('"7-3"')), 412, 412, 412),
        (Preconditions(tags('"7-3"'), tags('"7-3"')), 412, 412, 304),
    ],
)
def test_conditions_hold_or_refuse(conditions, of_existing, of_missing, of_query):
    assert refusal(conditions, AT_3) == of_existing
    assert refusal(conditions, MISSING) == of_missing
    assert refusal(conditions, AT_3, query=True) == of_query


def test_a_stream_without_versions_is_refused():
    with pytest.raises(InvalidVersioningError, match="versionless stream has no version"):
        Preconditions().check(None)


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
def test_headers_are_found_in_any_case(change):
    headers = {"if-match": '"7-3"', "if-none-match": '"7-2"', "idempotency-key": "k"}
    store = MemoryBackend().event_store

    found = Aggregates.of_request(
        Repository(store, Account), {change(name): value for name, value in headers.items()}
    )

    assert found.idempotency_key == "k"
    assert found.preconditions == Preconditions(tags('"7-3"'), tags('"7-2"'))

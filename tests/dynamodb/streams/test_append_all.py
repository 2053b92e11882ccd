"""After a lost reply, an append to several streams does not repeat writes that may be stored."""

from __future__ import annotations

import pytest

from dynamo_es.dynamodb.streams.append_all import append_to_all
from dynamo_es.dynamodb.streams.append_part import PartAppend
from dynamo_es.exceptions import AppendOutcomeUnknownError
from dynamo_es.testing.conformance.language import events
from tests.dynamodb.machine import (
    NEW,
    NEXT_GENERATION,
    OTHERS,
    RANGE,
    STREAM,
    a_commit,
    a_stream,
    at,
    lost,
    page,
    play,
    put,
    reading_head,
)

OURS = a_commit(NEW, 4)


def append_one():
    return append_to_all([PartAppend(a_stream(at(3)), NEW, 3, versionless=False)])


def test_a_stream_that_is_deleted_during_the_search_leaves_a_lost_append_open():
    reborn = a_commit(events(STREAM, 2), 1, NEXT_GENERATION)
    with pytest.raises(AppendOutcomeUnknownError):
        play(
            append_one(),
            (put(OURS), lost()),
            *reading_head(a_commit(OTHERS, 6)),
            (RANGE, page(reborn)),
        )


def test_a_stream_created_again_without_versions_leaves_a_lost_append_open():
    with pytest.raises(AppendOutcomeUnknownError):
        play(
            append_one(),
            (put(OURS), lost()),
            *reading_head(a_commit(OTHERS, 1, NEXT_GENERATION, versionless=True)),
        )

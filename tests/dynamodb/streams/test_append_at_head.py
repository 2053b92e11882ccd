"""Appending at the end of a stream, and refusing to mix versions with none."""

from __future__ import annotations

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import (
    ConcurrentStreamWriteError,
    ExpectedVersionUsedOnVersionlessStream,
    NoExpectedVersionGivenOnVersionedStream,
)
from dynamo_es.testing.conformance.language import events
from tests.dynamodb.machine import (
    DONE,
    LAST_GENERATION,
    NEW,
    NEXT_GENERATION,
    OTHERS,
    STREAM,
    a_commit,
    a_fence,
    a_stream,
    append,
    at,
    head_of,
    play,
    put,
    reading_head,
    refused,
)

BOTH = pytest.mark.parametrize("versioning", [ANY_VERSION, NO_VERSIONING], ids=repr)


def commit(new, version, versioning, *generation):
    return a_commit(new, version, *generation, versionless=versioning is NO_VERSIONING)


def head(version, versioning, *generation):
    return at(version, *generation, versionless=versioning is NO_VERSIONING)


# Lost races


@BOTH
def test_it_goes_on_right_after_the_item_that_came_back_without_a_read(versioning):
    stream = a_stream(head(3, versioning))
    play(
        append(stream, versioning),
        (put(commit(NEW, 4, versioning)), refused(commit(OTHERS, 4, versioning))),
        (put(commit(NEW, 6, versioning)), DONE),
    )
    assert head_of(stream) == head(7, versioning)


@BOTH
def test_every_second_lost_race_it_reads_how_far_the_others_are(versioning):
    stream = a_stream(head(3, versioning))
    play(
        append(stream, versioning),
        (put(commit(NEW, 4, versioning)), refused(commit(OTHERS, 4, versioning))),
        (put(commit(NEW, 6, versioning)), refused(commit(OTHERS, 6, versioning))),
        *reading_head(commit(OTHERS, 20, versioning)),
        (put(commit(NEW, 22, versioning)), refused(commit(OTHERS, 22, versioning))),
        (Pause(3), DONE),
        (put(commit(NEW, 24, versioning)), refused(commit(OTHERS, 24, versioning))),
        (Pause(4), DONE),
        *reading_head(commit(OTHERS, 30, versioning)),
        (put(commit(NEW, 32, versioning)), DONE),
    )
    assert head_of(stream) == head(33, versioning)


@BOTH
def test_it_goes_on_in_the_generation_that_is_live(versioning):
    stream = a_stream(head(3, versioning))
    play(
        append(stream, versioning),
        (put(commit(NEW, 4, versioning)), refused(a_fence(4))),
        *reading_head(a_fence(4), commit(OTHERS, 1, versioning, NEXT_GENERATION)),
        (put(commit(NEW, 3, versioning, NEXT_GENERATION)), DONE),
    )
    assert head_of(stream) == head(4, versioning, NEXT_GENERATION)


@BOTH
def test_it_begins_a_generation_when_none_is_live(versioning):
    play(
        append(a_stream(head(3, versioning)), versioning),
        (put(commit(NEW, 4, versioning)), refused(a_fence(4))),
        *reading_head(a_fence(4), a_fence(1)),
        *reading_head(a_fence(4), a_fence(1)),
        (put(commit(NEW, 1, versioning, NEXT_GENERATION)), DONE),
    )


@BOTH
def test_a_creation_that_another_process_won_goes_on_after_it(versioning):
    there = commit(OTHERS, 1, versioning)
    play(
        append(a_stream(), versioning),
        *reading_head(),
        (put(commit(NEW, 1, versioning, NEXT_GENERATION)), refused(there)),
        *reading_head(there),
        (put(commit(NEW, 3, versioning)), DONE),
    )


# Mixing


@pytest.mark.parametrize("expected", [2, 3, ANY_VERSION])
def test_a_version_on_a_stream_without_is_refused_after_the_read(expected):
    there = a_commit(OTHERS, 1, versionless=True)
    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        play(append(a_stream(), expected), *reading_head(there))


def test_no_version_on_a_stream_with_versions_is_refused_after_the_read():
    with pytest.raises(NoExpectedVersionGivenOnVersionedStream):
        play(append(a_stream(), NO_VERSIONING), *reading_head(a_commit(OTHERS, 1)))


def test_a_creation_with_versions_of_a_stream_without_is_refused():
    there = a_commit(OTHERS, 1, versionless=True)
    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        play(
            append(a_stream(), 0),
            (put(a_commit(NEW, 1, NEXT_GENERATION)), refused(there)),
            *reading_head(there),
        )


def test_a_creation_without_versions_of_a_stream_with_them_is_refused():
    there = a_commit(OTHERS, 1)
    with pytest.raises(NoExpectedVersionGivenOnVersionedStream):
        play(
            append(a_stream(), NO_VERSIONING),
            *reading_head(),
            (put(a_commit(NEW, 1, NEXT_GENERATION, versionless=True)), refused(there)),
            *reading_head(there),
        )


def test_a_next_generation_of_another_kind_is_refused_as_mixing():
    there = a_commit(OTHERS, 1, NEXT_GENERATION, versionless=True)
    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        play(
            append(a_stream(at(3)), 3),
            (put(a_commit(NEW, 4)), refused(a_fence(4))),
            *reading_head(a_fence(4), there),
        )


@BOTH
def test_a_generation_of_another_kind_that_is_over_is_no_mixing(versioning):
    # Another process has deleted it, and created it anew without versions, or with.
    remembered = at(3, LAST_GENERATION, versionless=versioning is not NO_VERSIONING)
    play(
        append(a_stream(remembered), versioning),
        *reading_head(a_fence(4, LAST_GENERATION), commit(OTHERS, 1, versioning)),
        (put(commit(NEW, 3, versioning)), DONE),
    )


@pytest.mark.parametrize("expected", [2, 3])
def test_a_version_is_not_refused_because_of_a_generation_without_any_that_is_over(expected):
    remembered = at(expected, LAST_GENERATION, versionless=True)
    with pytest.raises(ConcurrentStreamWriteError) as caught:
        play(
            append(a_stream(remembered), expected),
            *reading_head(a_fence(4, LAST_GENERATION), a_commit(events(STREAM, 1), 1)),
        )
    assert caught.value.actual == 1

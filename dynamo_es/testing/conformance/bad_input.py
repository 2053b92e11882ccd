"""Wrong arguments are refused with the right error, before anything is written."""

from dataclasses import replace
from datetime import UTC
from uuid import uuid4

import pytest

from dynamo_es import (
    ANY_VERSION,
    NO_VERSIONING,
    ExplicitVersioning,
    StreamId,
    UnknownEvent,
    WrappedEvent,
)
from dynamo_es.contracts import StreamAppend
from dynamo_es.exceptions import (
    CommitTooLargeError,
    InvalidEventError,
    InvalidRangeError,
    InvalidStreamIdError,
    InvalidVersioningError,
)
from dynamo_es.testing.conformance.language import (
    Then,
    When,
    a_snapshot,
    an_event,
    events,
    numbered,
)

VERSIONINGS = [ExplicitVersioning(1), ANY_VERSION]


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


BAD_FIELDS = {
    "uuid": ["not a uuid", None, 7],
    "created_at": ["2024-01-01T00:00:00", None, 0],
    "name": ["", None, 7, "\ud800"],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, bad in BAD_FIELDS.items() for value in bad]
)
def test_field_of_the_wrong_kind_is_refused(given, when, then, stream, field, value):
    given.stream(stream).with_commits_of(1)

    when.appending(an_event(stream), an_event(stream, **{field: value}), to=stream, expecting=1)
    then.it_is_refused(InvalidEventError)
    when.saving(replace(a_snapshot(stream, 1), **{field: value}))
    then.it_is_refused(InvalidEventError)


@pytest.mark.parametrize("event", [None, {}, "event"])
def test_what_is_no_event_is_refused(when, then, stream, event):
    when.appending(event, to=stream, expecting=0)

    then.it_is_refused(InvalidEventError)


@pytest.mark.parametrize("versions", [(1, 2), (2, 4), (3, 2), (2, 2), (0, 1), (None, 2), (4, None)])
def test_versions_that_contradict_the_expected_one_are_refused(given, when, then, stream, versions):
    stored = given.stream(stream).with_commits_of(1)
    first, second = events(stream, 2)
    appended = [replace(first, version=versions[0]), replace(second, version=versions[1])]

    when.appending(*appended, to=stream, expecting=1)

    then.it_is_refused(InvalidEventError, stream_id=str(stream))
    then.stream(stream).is_(stored)


@pytest.mark.parametrize("versioning", [ANY_VERSION, NO_VERSIONING])
def test_versions_without_an_expected_one_are_refused(when, then, stream, versioning):
    when.appending(*numbered(events(stream, 2)), to=stream, expecting=versioning)

    then.it_is_refused(InvalidEventError)
    then.stream(stream).is_missing()


@pytest.mark.parametrize("versioning", VERSIONINGS)
@pytest.mark.parametrize("aware_first", [True, False])
def test_naive_and_aware_times_in_one_append_are_refused(
    given, when, then, stream, versioning, aware_first
):
    stored = given.stream(stream).with_commits_of(1)
    naive = an_event(stream)
    aware = an_event(stream, created_at=naive.created_at.replace(tzinfo=UTC))
    appended = [aware, naive] if aware_first else [naive, aware]

    when.appending(*appended, to=stream, expecting=versioning)

    then.it_is_refused(InvalidEventError, stream_id=str(stream))
    then.stream(stream).is_(stored)


@pytest.mark.parametrize("versioning", VERSIONINGS)
def test_same_uuid_twice_in_one_append_is_refused(given, when, then, stream, versioning):
    stored = given.stream(stream).with_commits_of(1)
    first, second = events(stream, 2)

    when.appending(
        first, second, an_event(stream, uuid=first.uuid), to=stream, expecting=versioning
    )

    then.it_is_refused(InvalidEventError, stream_id=str(stream))
    then.stream(stream).is_(stored)


@pytest.mark.parametrize("versioning", VERSIONINGS)
def test_event_of_another_stream_is_refused(given, when, then, stream, versioning):
    stored = given.stream(stream).with_commits_of(1)
    others = [
        StreamId(category=stream.category),
        StreamId(uuid=stream, category="Invoice"),
        StreamId(uuid=stream),
    ]

    for other in others:
        when.appending(an_event(stream), an_event(other), to=stream, expecting=versioning)
        then.it_is_refused(InvalidEventError, stream_id=str(stream))
        then.stream(other).is_missing()

    then.stream(stream).is_(stored)


@pytest.mark.parametrize("given_as", [iter, set, dict.fromkeys, tuple.__iter__])
def test_events_that_can_be_iterated_once_or_have_no_order_are_refused(
    given, then, stream, given_as
):
    with pytest.raises(InvalidEventError, match="must be a list or a tuple"):
        given.storage.insert_events(stream, ANY_VERSION, given_as(()))

    then.stream(stream).is_missing()


@pytest.mark.parametrize("versioning", [None, 0, 1, "any", True, ExplicitVersioning])
def test_what_is_no_versioning_is_refused(given, then, stream, versioning):
    with pytest.raises(InvalidVersioningError):
        given.storage.insert_events(stream, versioning, [an_event(stream)])

    then.stream(stream).is_missing()


@pytest.mark.parametrize("version", [None, 0, -1, 1.0, True, "1"])
def test_snapshot_without_a_version_of_1_or_more_is_refused(given, when, then, stream, version):
    stored = given.stream(stream).with_commits_of(2)

    when.saving(a_snapshot(stream, version))

    then.it_is_refused(InvalidEventError, stream_id=str(stream))
    then.stream(stream).loads(*stored)


@pytest.mark.parametrize("bound", [0, -1, 1.0, True, "1"])
def test_range_below_1_is_refused(given, when, then, stream, bound):
    given.stream(stream).with_commits_of(2)

    for start, stop in [(bound, None), (None, bound), (bound, 2), (1, bound), (bound, bound)]:
        when.loading(stream, start, stop)
        then.it_is_refused(InvalidRangeError)
    assert issubclass(InvalidRangeError, ValueError)


def test_range_below_1_of_a_missing_stream_is_refused(when, then, stream):
    when.loading(stream, 0)

    then.it_is_refused(InvalidRangeError)


@pytest.mark.parametrize("stream_id", ["order-1", uuid4(), None])
def test_what_is_no_stream_id_is_refused(given, stream_id):
    storage = given.storage

    with pytest.raises(InvalidStreamIdError):
        storage.fetch_events(stream_id)
    with pytest.raises(InvalidStreamIdError):
        storage.insert_events(stream_id, ExplicitVersioning(0), [an_event(stream_id)])
    with pytest.raises(InvalidStreamIdError):
        storage.save_snapshot(a_snapshot(stream_id, 1))
    with pytest.raises(InvalidStreamIdError):
        storage.delete_stream(stream_id)


def refused_everywhere(when: When, then: Then, stream: StreamId) -> None:
    when.loading(stream)
    then.it_is_refused(InvalidStreamIdError)
    when.appending(an_event(stream), to=stream, expecting=0)
    then.it_is_refused(InvalidStreamIdError)
    when.saving(a_snapshot(stream, 1))
    then.it_is_refused(InvalidStreamIdError)
    when.deleting(stream)
    then.it_is_refused(InvalidStreamIdError)


def test_category_that_is_no_text_to_encode_is_refused(when, then):
    refused_everywhere(when, then, StreamId(category="order\ud800"))


@pytest.mark.parametrize("tenant", [None, 7, b"tenant", "tenant\ud800"])
def test_tenant_that_is_no_text_to_encode_is_refused(given, tenant):
    with pytest.raises(InvalidStreamIdError):
        given.storage.scoped_for_tenant(tenant)


@pytest.mark.parametrize(
    ("tenant", "category"),
    [("", "c" * 2_100), ("t" * 2_100, ""), ("t" * 1_010, "c" * 1_010), ("é" * 400, "#" * 500)],
    ids=["category", "tenant", "both", "as encoded"],
)
def test_key_past_the_limit_is_refused(when, then, tenant, category):
    stream = StreamId(category=category)

    refused_everywhere(when.in_tenant(tenant), then, stream)


def test_a_projector_of_a_stream_whose_key_is_past_the_limit_is_refused(engine):
    stream = StreamId(category="c" * 2_100)
    projector = engine.fresh_process().projector("long", lambda event, stream_id: None)
    event = WrappedEvent(UnknownEvent("x", {}), 1)

    with pytest.raises(InvalidStreamIdError, match="DynamoDB takes 2,048"):
        projector.project(event, stream)


@pytest.fixture
def storage(engine):
    return engine.fresh_process().storage


@pytest.mark.parametrize(
    ("name", "event_name"),
    [(None, "x" * 40_000), (None, "é" * 16_385), ("s" * 40_000, "x"), ("s" * 32_767, "xx")],
    ids=["event", "event, as encoded", "stream", "both"],
)
@pytest.mark.parametrize("before", [0, 2])
def test_names_past_the_limit_are_refused(storage, name, event_name, before):
    stream = StreamId(name=name, category=str(uuid4()))
    appended = [*events(stream, before), an_event(stream, name=event_name)]
    if name is not None and len(name) < 40_000:
        appended = appended[-1:]  # the others' own names would be too long as well

    for versioning in (ExplicitVersioning(0), NO_VERSIONING, ANY_VERSION):
        with pytest.raises(CommitTooLargeError, match="of names: use shorter ones"):
            storage.insert_events(stream, versioning, appended)
        with pytest.raises(CommitTooLargeError) as caught:
            storage.append_cost(stream, versioning, appended)
        assert caught.value.limit == 32 * 1024
    with pytest.raises(CommitTooLargeError):
        storage.insert_all([StreamAppend(stream, ExplicitVersioning(0), appended)])

    assert storage.head(stream) is None


def test_names_at_the_limit_are_taken(storage):
    stream = StreamId(name="s" * 32_000, category=str(uuid4()))
    storage.insert_events(stream, NO_VERSIONING, [an_event(stream, name="x" * 768)])

    assert [len(event.name) for event in storage.fetch_events(stream)] == [768]

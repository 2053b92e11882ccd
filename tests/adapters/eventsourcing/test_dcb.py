"""DCB recorders: what the library's own cases leave out, and the requests that we promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.exceptions import ReadTimeoutError
from eventsourcing.persistence import IntegrityError
from hypothesis import given
from hypothesis import strategies as st

from dynamo_es import MemoryBackend
from dynamo_es.adapters.eventsourcing import DynamoDCBRecorder
from dynamo_es.adapters.eventsourcing.dcb_coding import encode_tag
from dynamo_es.adapters.eventsourcing.versions import (
    IS_10,
    DataError,
    DCBQuery,
    ProgrammingError,
)
from dynamo_es.contracts.boundaries.strategy import boundary_stream
from dynamo_es.values import Query, Tag, tags_of
from dynamo_es.values.tags import command_tag
from tests.adapters.eventsourcing.engine import query, sent, tagged, unless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.adapters.eventsourcing import DynamoFactory

ten = pytest.mark.skipif(not IS_10, reason="events of 9.5 have no uuid and no metadata")

COURSE = query("course:c1")


@pytest.fixture
def factory(tables: Any) -> DynamoFactory:
    factory: DynamoFactory = tables.factory("school")
    return factory


@pytest.fixture
def on_dynamodb(factory: DynamoFactory) -> DynamoDCBRecorder:
    return factory.dcb_recorder()


@pytest.fixture
def recorder() -> Iterator[DynamoDCBRecorder]:
    with MemoryBackend() as backend:
        yield DynamoDCBRecorder(backend.storage, boundary_stream("school"), 0.05)


def names(recorder: Any, *args: Any, **kwargs: Any) -> list[str]:
    return [found.event.type for found in recorder.read(*args, **kwargs)]


def test_twelve_appends_take_twelve_requests(factory, on_dynamodb):
    requests = sent(factory)
    head = on_dynamodb.read(COURSE).head
    for number in range(12):
        head = on_dynamodb.append([tagged(f"T{number}", "course:c1")], unless(COURSE, head))

    assert requests == ["Query", *["PutItem"] * 12]
    assert head == 12


@pytest.mark.ci
def test_a_decision_takes_one_read_and_one_put(factory, on_dynamodb):
    on_dynamodb.append([tagged("Defined", "course:c1")])
    factory.dcb_recorder().append([tagged("Joined", "course:c1", "student:s1")])
    requests = sent(factory)

    found = on_dynamodb.read(COURSE)
    assert [one.event.type for one in found] == ["Defined", "Joined"]
    on_dynamodb.append([tagged("Joined", "course:c1", "student:s2")], unless(COURSE, found.head))

    assert requests == ["Query", "PutItem"]


@pytest.mark.ci
def test_an_append_after_others_that_do_not_match_takes_one_request_more(tables, factory):
    ours = factory.dcb_recorder()
    head = ours.append([tagged("Defined", "course:c1")])
    tables.dcb_recorder("school").append([tagged("Defined", "course:c2")])
    requests = sent(factory)

    assert ours.append([tagged("Joined", "course:c1")], unless(COURSE, head)) == 3
    assert requests == ["PutItem", "PutItem"]


@pytest.mark.ci
def test_an_append_after_one_that_matches_is_refused(tables, factory):
    ours = factory.dcb_recorder()
    head = ours.append([tagged("Defined", "course:c1")])
    tables.dcb_recorder("school").append([tagged("Joined", "course:c1")])
    requests = sent(factory)

    with pytest.raises(IntegrityError, match="after version 1"):
        ours.append([tagged("Joined", "course:c1")], unless(COURSE, head))
    assert requests == ["PutItem"]
    assert ours.head() == 2


@pytest.mark.ci
def test_a_page_of_a_subscription_takes_one_request(factory, on_dynamodb):
    for number in range(4):
        on_dynamodb.append([tagged(f"T{number}", "a"), tagged(f"U{number}", "b")])
    requests = sent(factory)

    assert names(on_dynamodb, query("a"), after=3, limit=2) == ["T2", "T3"]
    assert names(on_dynamodb, query("a"), after=8, limit=2) == []
    assert names(on_dynamodb, limit=0) == []
    assert requests == ["Query", "Query"]


def test_a_lost_reply_is_no_conflict(factory, on_dynamodb):
    on_dynamodb.append([tagged("Defined", "course:c1")])
    client = factory.runtime.client()
    put_item = client.put_item
    factory.runtime.gateway._methods.clear()
    lost: list[int] = []

    def lose(**params: Any) -> Any:
        from dynamo_es.dynamodb.wire.attempts.watching import attempts

        reply = put_item(**params)
        if not lost:
            lost.append(1)
            attempts.maybe_landed = True
            raise ReadTimeoutError(endpoint_url="http://x")
        return reply

    client.put_item = lose
    assert on_dynamodb.append([tagged("Joined", "course:c1")], unless(COURSE, 1)) == 2
    assert names(on_dynamodb) == ["Defined", "Joined"]


@pytest.mark.ci
def test_applications_and_tenants_have_boundaries_of_their_own(tables):
    one, two = tables.dcb_recorder("one"), tables.dcb_recorder("two")
    other = tables.dcb_recorder("one", DYNAMO_ES_TENANT="acme")

    assert [each.append([tagged("T", "a")]) for each in (one, two, other)] == [1, 1, 1]
    assert one.append([tagged("U", "a")], unless(query("a"), 1)) == 2
    assert names(two) == ["T"]


@pytest.mark.ci
def test_a_boundary_shares_tables_with_aggregates(tables):
    factory = tables.factory("school")
    factory.dcb_recorder().append([tagged("T", "a")])

    assert factory.application_recorder().select_notifications(1, 10) == []


@pytest.mark.ci
def test_a_subscription_sees_what_another_process_appends(tables):
    ours = tables.dcb_recorder("school")
    with ours.subscribe(query("a")) as subscription:
        other = tables.dcb_recorder("school")
        other.append([tagged("T", "a"), tagged("U", "b"), tagged("V", "a")])
        assert [next(subscription).event.type for _ in range(2)] == ["T", "V"]


def test_a_deleted_boundary_refuses_positions_that_it_has_not_reached(recorder):
    recorder.append([tagged("T", "a"), tagged("U", "a")])
    found = recorder.read(query("a"))
    recorder.storage.delete_stream(boundary_stream("school"))

    for limit in (None, 1):
        with pytest.raises(IntegrityError, match="deleted"):
            recorder.read(query("a"), after=found.head, limit=limit)
    with pytest.raises(IntegrityError, match="deleted"):
        recorder.append([tagged("V", "a")], unless(query("b"), found.head))


def test_a_head_of_a_boundary_that_was_begun_again_is_refused(recorder):
    recorder.append([tagged("T", "a")])
    found = recorder.read(query("a"))
    (event,) = found
    recorder.storage.delete_stream(boundary_stream("school"))
    recorder.append([tagged("U", "b"), tagged("V", "b")])

    for after in (found.head, event.position):
        for limit in (None, 1):
            for wanted in (query("a"), query("b")):
                with pytest.raises(IntegrityError, match="deleted"):
                    recorder.read(wanted, after=after, limit=limit)
        with pytest.raises(IntegrityError, match="deleted"):
            recorder.append([tagged("W", "a")], unless(query("a"), after))


def test_a_subscription_to_a_deleted_boundary_says_so(recorder):
    recorder.append([tagged("T", "a")])
    with recorder.subscribe() as subscription:
        assert next(subscription).position == 1
        recorder.storage.delete_stream(boundary_stream("school"))
        with pytest.raises(IntegrityError, match="deleted"):
            next(subscription)


def test_an_append_without_events_is_refused(recorder):
    with pytest.raises(ProgrammingError):
        recorder.append([])


def test_an_event_that_cannot_be_stored_is_named(recorder):
    with pytest.raises(DataError, match="name"):
        recorder.append([tagged("")])
    with pytest.raises(DataError, match="surrogate"):
        recorder.append([tagged("T", "\ud800")])
    assert recorder.head() is None


def test_a_query_without_items_and_an_item_without_anything_match_all(recorder):
    recorder.append([tagged("T", "a"), tagged("U")])

    assert names(recorder, DCBQuery()) == names(recorder, query()) == ["T", "U"]
    with pytest.raises(IntegrityError):
        recorder.append([tagged("V")], unless(DCBQuery(), 1))
    assert recorder.append([tagged("V")], unless(DCBQuery(), 2)) == 3


def test_tags_come_back_in_their_order(recorder):
    tags = ["b", "course:c1", "a", "tag:a", "a", "", ":x", "50%:x", "50%25:x"]
    recorder.append([tagged("T", *tags)])

    (found,) = recorder.read(query("tag:a", ""))
    assert found.event.tags == tags


def test_a_tag_with_a_name_is_the_same_tag_to_this_store(recorder):
    recorder.append([tagged("T", "course:c1")])

    wanted = Query(tags=[Tag("course", "c1")])
    (event,) = recorder.storage.fetch_matching(boundary_stream("school"), wanted).events
    assert tags_of(event) == {"course:c1"}


TEXT = st.text(st.sampled_from("atg:%25")) | st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(TEXT, unique=True, min_size=2, max_size=2))
def test_no_two_tags_are_stored_alike(tags):
    one, two = map(encode_tag, tags)
    assert one.text != two.text
    assert Tag.of_text(one.text) == one


def test_a_tag_with_a_name_of_this_library_is_another_one(recorder):
    recorder.append([tagged("T", "$command:1", "$x:1", "$")])

    (found,) = recorder.read(query("$command:1", "$x:1"))
    assert set(found.event.tags) == {"$command:1", "$x:1", "$"}
    (stored,) = recorder.storage.fetch_events(boundary_stream("school"))
    assert tags_of(stored) == {"tag:$command:1", "tag:$x:1", "tag:$"}
    assert command_tag("1").text not in tags_of(stored)


@ten
def test_uuid_and_metadata_come_back(recorder):
    event = tagged("T", "a", metadata={"correlation_id": "c1", "$tags": "theirs"})
    recorder.append([event])

    (found,) = recorder.read()
    assert found.event == event
    with recorder.subscribe() as subscription:
        assert next(subscription).event == event


@ten
def test_appending_again_under_a_condition_returns_the_position_of_the_first_time(recorder):
    recorder.append([tagged("T", "a")])
    batch = [tagged("U", "a"), tagged("V", "b")]
    assert recorder.append(batch, unless(query("a"), 1)) == 3
    recorder.append([tagged("W", "a")])

    assert recorder.append(batch, unless(query("a"), 1)) == 3
    assert names(recorder) == ["T", "U", "V", "W"]
    for others in ([*batch, tagged("X")], batch[::-1], [batch[0], tagged("X")], [tagged("X")]):
        with pytest.raises(IntegrityError):
            recorder.append(others, unless(query("a"), 1))
    assert recorder.head() == 4


@ten
def test_appending_again_without_a_condition_appends_again(recorder):
    event = tagged("T", "a", uuid=uuid4())
    assert [recorder.append([event]), recorder.append([event])] == [1, 2]
    assert {found.event.uuid for found in recorder.read()} == {event.uuid}

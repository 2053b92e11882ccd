"""The inspector: lists of tenants, categories and streams, and the items of a stream."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, DynamoBackend, RawEvent, StreamId
from dynamo_es.dynamodb.log import listing
from dynamo_es.dynamodb.log.listing import scan_for_categories
from dynamo_es.dynamodb.maintenance import inspection
from dynamo_es.dynamodb.maintenance.inspection import Inspector
from dynamo_es.dynamodb.maintenance.repair import repair
from dynamo_es.exceptions import InvalidStreamIdError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.contracts import OperationReport
    from dynamo_es.values import Versioning


class Store:
    """A backend on the emulator, its inspector, and the requests that the inspector sent."""

    def __init__(self, backend: DynamoBackend, tenant: str = "") -> None:
        self.everything = backend
        self.tenant = tenant
        self.backend = backend.in_tenant(tenant)
        self.reports: list[OperationReport] = []
        self.inspector = Inspector(backend.config, lambda: backend.client, self.reports.append)

    def append(
        self,
        stream: StreamId,
        *names: str,
        tenant: str | None = None,
        versioning: Versioning = ANY_VERSION,
        data: Any = None,
    ) -> None:
        events = [
            RawEvent(uuid4(), stream, datetime(2026, 3, 1, tzinfo=UTC), name, data or {}, {})
            for name in names
        ]
        backend = self.backend if tenant is None else self.everything.in_tenant(tenant)
        backend.storage.insert_events(stream, versioning, events)

    @property
    def requests(self) -> int:
        count = sum(report.requests for report in self.reports)
        self.reports.clear()
        return count


@pytest.fixture(scope="module")
def shared() -> Iterator[DynamoBackend]:
    with DynamoBackend.local() as backend:
        yield backend


@pytest.fixture
def store(shared: DynamoBackend) -> Store:
    """A tenant of its own for each test."""
    return Store(shared, uuid4().hex)


@pytest.fixture
def empty() -> Iterator[Store]:
    """A backend of its own."""
    with DynamoBackend.local() as backend:
        yield Store(backend)


def all_streams(store: Store, category: str | None, **options: Any) -> list[StreamId]:
    found: list[StreamId] = []
    after = None
    while True:
        piece = store.inspector.streams(category, store.tenant, after=after, **options)
        found += [one.stream_id for one in piece.items]
        after = piece.next
        if after is None:
            return found


def test_lists_every_category_once_also_in_small_replies(empty, monkeypatch):
    wanted = {("", None), ("", ""), ("a#b", "x"), ("a", "b#x"), ("%", "%"), ("T", "long " * 50)}
    for tenant, category in wanted:
        for number in range(5):
            empty.append(StreamId(name=str(number), category=category), "E", tenant=tenant)
    assert set(empty.inspector.categories().items) == wanted
    # Replies of a few items each: the scan jumps over what is left of each partition.

    def few(*given: Any) -> Any:
        request = scan_for_categories(*given)
        request.params["Limit"] = 2
        return request

    monkeypatch.setattr(listing, "scan_for_categories", few)
    assert set(empty.inspector.categories(most_requests=1_000).items) == wanted


def test_a_list_of_categories_is_bounded_and_goes_on(empty, monkeypatch):
    for number in range(20):
        empty.append(StreamId(name="one", category=str(number)), "E")

    def few(*given: Any) -> Any:
        request = scan_for_categories(*given)
        request.params["Limit"] = 2
        return request

    monkeypatch.setattr(listing, "scan_for_categories", few)
    found = []
    after = None
    while True:
        piece = empty.inspector.categories(after, most_requests=3)
        assert empty.requests <= 3
        found += piece.items
        after = piece.next
        if after is None:
            break
    assert sorted(found) == sorted(("", str(number)) for number in range(20))


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_lists_every_stream_of_a_category_once(store, limit):
    streams = {StreamId(name=f"s{number}", category="c") for number in range(20)}
    for stream in streams:
        store.append(stream, "E")
    store.append(StreamId(name="elsewhere", category="d"), "E")
    found = all_streams(store, "c", limit=limit)
    assert len(found) == len(streams)
    assert set(found) == streams
    assert {one.name for one in found} == {one.name for one in streams}


def test_a_page_of_streams_costs_a_bounded_number_of_requests(store):
    for number in range(50):
        store.append(StreamId(name=str(number), category="c"), "E")
    assert len(store.inspector.streams("c", store.tenant, limit=10).items) == 10
    assert store.requests <= 5
    store.inspector.streams("c", store.tenant, limit=100)
    assert store.requests <= 18


def test_finds_streams_by_the_beginning_of_their_id(store):
    streams = [StreamId(name=str(number), category="c") for number in range(30)]
    for stream in streams:
        store.append(stream, "E")
    prefix = str(streams[0])[:2]
    wanted = {one for one in streams if str(one).startswith(prefix)}
    assert set(all_streams(store, "c", id_prefix=prefix)) == wanted
    assert set(all_streams(store, "c", id_prefix=prefix, limit=1)) == wanted
    assert all_streams(store, "c", id_prefix=str(streams[3])) == [streams[3]]


def test_lists_a_deleted_stream_as_deleted_and_one_created_again_as_existing(store):
    gone, again = StreamId(name="gone", category="c"), StreamId(name="again", category="c")
    for stream in (gone, again):
        store.append(stream, "E", "E", "E")
        store.backend.storage.delete_stream(stream)
    store.append(again, "E")
    listed = {one.stream_id: one for one in store.inspector.streams("c", store.tenant).items}
    assert not listed[gone].exists
    assert listed[again].exists
    assert (listed[gone].version, listed[again].version) == (3, 1)
    generations = store.inspector.generations(store.tenant, again)
    assert [one.version for one in generations] == [1, 3]
    assert generations[0].generation > generations[1].generation


def test_many_generations_are_one_stream(store):
    stream, other = StreamId(name="many", category="c"), StreamId(name="other", category="c")
    for _ in range(6):
        store.append(stream, "E")
        store.backend.storage.delete_stream(stream)
    store.append(other, "E")
    assert sorted(all_streams(store, "c", limit=1)) == sorted([stream, other])


def test_a_part_of_a_list_has_the_newest_generation_also_after_many_others(store):
    stream = StreamId(name="many", category="c")
    for count in range(1, 7):
        store.append(stream, *["E"] * count)
        if count < 6:
            store.backend.storage.delete_stream(stream)
    newest = store.inspector.generations(store.tenant, stream)[0]
    (listed,) = store.inspector.streams("c", store.tenant, limit=1).items
    assert (listed.version, listed.generation, listed.exists) == (6, newest.generation, True)
    assert [one.version for one in store.backend.log.streams("c", store.tenant)] == [6]


def test_refuses_a_place_that_is_no_id(store):
    for after in ("", "x", "A" * 32, str(UUID(int=1)).upper() + "x"):
        with pytest.raises(InvalidStreamIdError):
            store.inspector.streams("c", store.tenant, after=after)


def test_tells_which_streams_exist(store):
    one, two = StreamId(name="one", category="c"), StreamId(name="two", category="c")
    store.append(one, "E", tenant="t")
    gone = StreamId(name="gone")
    store.append(gone, "E", tenant="t")
    store.everything.in_tenant("t").storage.delete_stream(gone)
    unnamed = StreamId(UUID(int=one.int), category="c")
    asked = [("t", unnamed), ("other", one), ("t", two), ("t", gone)]
    found = store.inspector.existing(asked)
    assert found == [("t", one)]
    assert found[0][1].name == "one"
    assert store.requests == 1


def test_shows_commits_with_their_sizes_from_the_newest_down(store):
    stream = StreamId(name="one", category="c")
    store.append(stream, "A", "B", data={"text": "x" * 2_000})
    store.append(stream, "C")
    newest, oldest = store.inspector.items(store.tenant, stream)
    assert store.requests == 1
    assert (newest.kind, newest.first, newest.last) == ("commit", 3, 3)
    assert (oldest.kind, oldest.first, oldest.last) == ("commit", 1, 2)
    assert [event.name for event in oldest.events] == ["A", "B"]
    assert oldest.events[0].stream_id.name == "one"
    assert oldest.compressed
    assert not newest.compressed
    assert newest.write_units == 1
    assert newest.size < 300
    assert store.inspector.items(store.tenant, stream, below=3) == [oldest]
    assert store.inspector.items(store.tenant, stream, below=1) == []


def test_shows_a_snapshot_first(store):
    stream = StreamId(name="one", category="c")
    store.append(stream, "A", "B")
    now = datetime(2026, 3, 1, tzinfo=UTC)
    snapshot = RawEvent(uuid4(), stream, now, "State", {"sum": 5}, {}, version=2)
    store.backend.storage.save_snapshot(snapshot)
    first, _ = store.inspector.items(store.tenant, stream)
    assert (first.kind, first.first) == ("snapshot", 2)
    assert first.events[0].data == {"sum": 5}


def test_shows_what_a_deletion_left(store):
    stream = StreamId(name="one", category="c")
    store.append(stream, "A", "B")
    store.append(stream, "C")
    store.backend.storage.delete_stream(stream)
    fences = store.inspector.items(store.tenant, stream)
    assert {item.kind for item in fences} == {"fence"}
    assert [item.place for item in fences] == [4, 3, 1]
    assert all(item.expires_at for item in fences)
    assert {item.generation for item in fences} == {
        store.inspector.generations(store.tenant, stream)[0][1]
    }


def test_shows_an_item_that_cannot_be_read_with_the_reason(store):
    stream = StreamId(name="one", category="c")
    store.append(stream, "A")
    key = {"stream_key": {"S": f"{store.tenant}#c#{stream}"}, "version": {"N": "1"}}
    store.backend.client.update_item(
        TableName="events",
        Key=key,
        UpdateExpression="SET events = :e",
        ExpressionAttributeValues={":e": {"S": "not JSON"}},
    )
    (item,) = store.inspector.items(store.tenant, stream)
    assert item.kind == "unreadable"
    assert "not in the form" in item.reason


def test_a_stream_without_versions_counts_its_events(store):
    stream = StreamId(name="one", category="c")
    store.append(stream, "A", versioning=NO_VERSIONING)
    store.append(stream, "B", versioning=NO_VERSIONING)
    newest, _ = store.inspector.items(store.tenant, stream)
    assert (newest.first, newest.versioned, newest.events[0].version) == (2, False, None)


def test_finds_the_position_of_an_event_from_the_end_of_the_log(store, shared):
    one, two = StreamId(name="one"), StreamId(name="two")
    for _ in range(5):
        store.append(one, "A", "B")
        store.append(two, "C")
    generation = store.inspector.generations(store.tenant, one)[0].generation
    store.reports.clear()
    found = store.inspector.find_position(store.tenant, one, generation=generation, version=4)
    assert found.position == (shared.log.last_position or 0) - 10
    assert store.requests == 1
    wrong = store.inspector.find_position(store.tenant, one, generation=generation + 1, version=4)
    assert wrong == (None, 1)


def test_a_search_for_a_position_is_bounded_and_goes_on(empty, monkeypatch):
    monkeypatch.setattr(inspection, "_PAGES_A_REQUEST", 2)
    stream = StreamId(name="one")
    for _ in range(8):
        empty.append(stream, "A")  # a page each
    generation = empty.inspector.generations(empty.tenant, stream)[0].generation
    looked = empty.inspector.find_position(
        empty.tenant, stream, generation=generation, version=1, most_requests=2
    )
    assert looked == (None, 5)
    found = empty.inspector.find_position(
        empty.tenant, stream, generation=generation, version=1, before=looked.looked_back_to
    )
    assert found.position == 1


def test_a_stream_without_position_is_found_nowhere():
    with DynamoBackend.local(sequencing="stream") as backend:
        store = Store(backend)
        stream = StreamId(name="one")
        store.append(stream, "A")
        assert store.inspector.categories().items == []
        assert store.inspector.streams(None, store.tenant).items == []
        assert (
            store.inspector.find_position(store.tenant, stream, generation=1, version=1).position
            is None
        )
        repair(backend.config, lambda: backend.client)
        assert len(store.inspector.streams(None, store.tenant).items) == 1

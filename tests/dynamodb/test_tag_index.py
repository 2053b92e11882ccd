"""A read by the tag index returns what the stream has, however late the index is."""

from __future__ import annotations

import random
from itertools import count
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, StreamId
from dynamo_es.contracts.boundaries.states import Part
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend
from dynamo_es.dynamodb.storage import DynamoStorage
from dynamo_es.dynamodb.streams.boundaries import matching
from dynamo_es.dynamodb.tag_index import items, reading, writing
from dynamo_es.dynamodb.wire.sizes import MAX_ITEM_BYTES, item_size
from dynamo_es.dynamodb.wire.steps import Pause, Together
from dynamo_es.exceptions import InputError
from dynamo_es.testing.conformance.language import an_event
from dynamo_es.values import Query, StoredVersion, Tag, matches_event
from tests.engine import Capability, all_items, needs
from tests.recording import recording

pytestmark = needs(Capability.REQUESTS)

C1, C2, S1 = Tag("course", "c1"), Tag("course", "c2"), Tag("student", "s#1%")
QUERIES = [
    Query(tags=[C1]),
    Query(tags=[C1, S1]),
    Query(types=["Enrolled"], tags=[S1]),
    Query(types=["Left"], tags=[C2]) | Query(tags=[S1, C2]),
    Query(tags=[C1]) | Query(tags=[C2]),
    Query(types=["Enrolled"]),
    Query.everything(),
    Query(tags=[Tag("course", "none")]),
]


class Processes:
    """A boundary as processes see it that remember nothing."""

    def __init__(self, engine):
        self.engine = engine
        self.stream = StreamId(category="$boundary")
        self.random = random.Random(7)

    def cold(self, **config):
        changed = self.engine.config_with(tag_index=True, **config)
        return DynamoBackend(changed, self.engine.client).storage

    def plain(self):
        return DynamoBackend(self.engine.config_with(), self.engine.client).storage

    def event(self, *tags, name="Enrolled"):
        texts = [tag.text for tag in tags]
        return an_event(self.stream, name=name, context={"$tags": texts} if texts else {})

    def append(self, *events):
        [result] = self.cold().insert_unless(self.stream, [ConditionalAppend(events)])
        assert isinstance(result, StoredVersion)

    def grow(self, commits):
        for _ in range(commits):
            self.append(
                *(
                    self.event(
                        *self.random.sample([C1, C2, S1], self.random.randrange(4)),
                        name=self.random.choice(["Enrolled", "Left"]),
                    )
                    for _ in range(self.random.choice([1, 1, 3]))
                )
            )

    def index(self, most=1000):
        return self.cold().index_tags(self.stream, most)

    def is_exact(self):
        """What cold processes read by the index is what the stream holds."""
        stored = self.plain().fetch_matching(self.stream, Query.everything())
        for query in QUERIES:
            for after in (None, 0, 2):
                if after == 2 and stored.head < after:
                    continue
                found = self.cold().fetch_matching(self.stream, query, after)
                assert found.events == tuple(
                    event
                    for event in stored.events
                    if (event.version or 0) > (after or 0) and matches_event(query, event)
                )
                assert (found.head, found.head.generation) == (
                    stored.head,
                    stored.head.generation,
                )

    def parts_are_exact(self):
        """Whether reads of two parts, with beginnings of their own, are those without an index."""
        head = self.plain().head(self.stream)
        assert head is not None
        for first, second in zip(QUERIES, [*QUERIES[1:], QUERIES[0]], strict=True):
            for _ in range(2):
                afters = [
                    self.random.choice([None, StoredVersion(version, head.generation)])
                    for version in (self.random.randint(0, head.length) for _ in range(2))
                ]
                parts = [Part(first, afters[0]), Part(second, afters[1])]
                found = self.cold().fetch_parts(self.stream, parts)
                wanted = self.plain().fetch_parts(self.stream, parts)
                assert found.events == wanted.events
                assert (found.head, found.head.generation) == (head.length, head.generation)

    def delete_alone(self):
        """Delete the boundary by a process that dies before it deletes the index."""
        with patch.object(DynamoStorage, "_remove_index"):
            self.plain().delete_stream(self.stream)

    def items(self):
        """Return the items of the index."""
        found = all_items(self.engine.client, self.engine.config_with().log_table)
        return [item for item in found if str(self.stream) in item["log_key"]["S"]]


@pytest.fixture
def boundary(engine, monkeypatch):
    monkeypatch.setattr(reading, "_READ_UNIT", 1)  # Else a short stream is read as a whole.
    return Processes(engine)


def test_without_an_index_reads_are_exact(boundary):
    boundary.is_exact()
    boundary.grow(5)
    boundary.is_exact()


@pytest.mark.parametrize("most", [1, pytest.param(3, marks=pytest.mark.ci), 1000])
def test_an_index_that_is_late_misses_nothing(boundary, most):
    boundary.grow(6)
    while boundary.index(most):
        boundary.is_exact() if most > 1 else None
    boundary.grow(4)
    boundary.is_exact()
    assert boundary.index(most) >= 1
    boundary.is_exact()


def test_parts_by_an_index_are_those_of_the_stream(boundary, monkeypatch):
    monkeypatch.setattr(writing, "_PAGE_ENTRIES", 3)
    monkeypatch.setattr(writing, "_EXTENDED_BYTES", 300)
    for most in (4, 1000):
        boundary.grow(6)
        boundary.index(most)
        boundary.parts_are_exact()
    boundary.grow(3)
    boundary.parts_are_exact()


@pytest.mark.ci
@pytest.mark.parametrize("broken", ["the page at the version", "the lower part of the tail"])
def test_what_a_part_would_miss_is_noticed(boundary, monkeypatch, broken):
    if broken == "the page at the version":
        right: Any = items.pages_above
        monkeypatch.setattr(items, "pages_above", lambda *given: right(*given)[1:])
    else:
        monkeypatch.setattr(reading, "min", lambda found: found[0], raising=False)
    with pytest.raises((AssertionError, TypeError)):
        test_parts_by_an_index_are_those_of_the_stream(boundary, monkeypatch)


def test_a_part_after_a_state_reads_no_pages_below_it(boundary, engine, monkeypatch):
    monkeypatch.setattr(writing, "_EXTENDED_BYTES", 0)
    for _ in range(5):
        boundary.append(*(boundary.event(C1) for _ in range(4)))
        boundary.index()
    generation = boundary.plain().head(boundary.stream).generation
    parts = [Part(Query(tags=[C1]), StoredVersion(10, generation))]

    with recording(engine.client) as sent:
        found = boundary.cold().fetch_parts(boundary.stream, parts)

    assert [event.version for event in found.events] == [*range(11, 21)]
    assert sent.operations == ["GetItem", "Query", "Query", "Query", "BatchGetItem"]
    [wanted] = sent.calls[-1][1]["RequestItems"].values()
    assert [key["version"]["N"] for key in wanted["Keys"]] == ["9", "13", "17"]


def test_a_deleted_boundary_shows_nothing_of_the_old_index(boundary):
    boundary.grow(8)
    boundary.index()
    boundary.delete_alone()
    boundary.is_exact()
    boundary.grow(9)
    boundary.is_exact()
    old = len(boundary.items())
    assert boundary.index() >= 9
    boundary.is_exact()
    assert len(boundary.items()) <= old
    editions = {item["place"]["S"].split("#")[0] for item in boundary.items()}
    assert len(editions - {"checkpoint"}) == 1


def test_a_run_after_a_deletion_deletes_the_index(boundary):
    boundary.grow(8)
    boundary.index(3)
    boundary.index()
    boundary.delete_alone()
    assert boundary.items() != []

    assert boundary.index() == 0
    assert boundary.items() == []


def test_a_cold_read_by_the_index_takes_four_requests(boundary, engine):
    for number in range(30):
        boundary.append(boundary.event(C1 if number % 10 == 0 else C2))
    boundary.index()
    for _ in range(40):  # However late the index is, the tail is one request.
        boundary.append(boundary.event(C2))
    storage = boundary.cold()

    with recording(engine.client) as sent:
        found = storage.fetch_matching(boundary.stream, Query(tags=[C1]))

    assert sent.operations == ["GetItem", "Query", "Query", "BatchGetItem"]
    assert [event.version for event in found.events] == [1, 11, 21]
    assert found.head == 70
    with recording(engine.client) as sent:
        storage.insert_unless(
            boundary.stream, [ConditionalAppend([boundary.event(C1)], Query(tags=[C1]), 70)]
        )
    assert sent.operations == ["PutItem"]


def test_pages_and_checkpoint_are_read_consistently(boundary, engine):
    boundary.append(boundary.event(C1, S1))
    boundary.index()
    with recording(engine.client) as sent:
        boundary.cold().fetch_matching(boundary.stream, Query(tags=[C1, S1]))
    of_index = [
        params
        for _, params in sent.calls
        if params.get("TableName") == engine.config_with().log_table
    ]
    assert len(of_index) == 4
    assert all(each["ConsistentRead"] for each in of_index)


def test_an_index_of_a_stream_that_was_restored_is_begun_anew(boundary, monkeypatch):
    boundary.grow(5)
    boundary.index()
    boundary.append(boundary.event(C1))
    monkeypatch.setattr(items, "read_checkpoint", _once(items.read_checkpoint))
    assert boundary.index() >= 6
    monkeypatch.undo()
    boundary.is_exact()


def _once(read):
    times = count()

    def other(item):
        found = read(item)
        return found._replace(uuid="other") if next(times) == 0 else found

    return other


def test_a_hot_tag_takes_several_pages(boundary, monkeypatch):
    monkeypatch.setattr(writing, "_PAGE_ENTRIES", 4)
    monkeypatch.setattr(writing, "_EXTENDED_BYTES", 300)
    for _ in range(3):
        boundary.append(*(boundary.event(C1, S1) for _ in range(7)))
        boundary.index()
    assert len([i for i in boundary.items() if i["log_key"]["S"].endswith("c1")]) >= 3
    boundary.is_exact()


def test_a_tag_longer_than_a_key_is_found(boundary):
    long = Tag("course", "x" * 3000)
    boundary.append(boundary.event(long))
    boundary.append(boundary.event(C2))
    boundary.index()
    [found] = boundary.cold().fetch_matching(boundary.stream, Query(tags=[long])).events
    assert found.version == 1


@pytest.mark.parametrize("most", [0, -1, True, 1.0, "1"])
def test_the_number_of_events_is_checked(boundary, most):
    with pytest.raises(InputError, match="most must be"):
        boundary.index(most)


OVER = object()


def _steps(process):
    """Return a storage whose index runs are stepped through, request by request."""
    storage = process.cold()
    stream = storage._stream(process.stream)
    return storage, stream


def _driven(process, most=4):
    """Run the index one request at a time; each `next` sends one."""
    storage, stream = _steps(process)
    keys = items.IndexKeys.of(process.engine.config_with().log_table, stream.key)
    steps: Any = writing.index_tags(stream, keys, most)

    def one(request):
        def alone():
            return (yield request)

        return storage._run("index_tags", process.stream, alone())

    reply, error = None, None
    while True:
        try:
            request = steps.throw(error) if error is not None else steps.send(reply)
        except StopIteration:
            return
        reply = error = None
        if not isinstance(request, Pause):
            try:
                if isinstance(request, Together):
                    reply = storage._run("index_tags", process.stream, _all(request.requests))
                else:
                    reply = one(request)
            except Exception as raised:  # noqa: BLE001 - the run gets it
                error = raised
        yield


def _all(requests):
    from dynamo_es.dynamodb.wire.steps import together

    return (yield from together(requests))


@pytest.mark.ci
def test_a_crash_at_any_request_is_made_good(boundary):
    boundary.grow(6)
    for crash in range(1, 12):
        run = _driven(boundary)
        for _ in range(crash):
            next(run, None)
        run.close()
        boundary.is_exact() if crash % 3 == 0 else None
        boundary.grow(1)
    while boundary.index(5):
        pass
    boundary.is_exact()


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(s, marks=pytest.mark.ci) for s in range(4, 12))]
)
def test_two_writers_appends_and_deletions_in_any_order(boundary, seed):
    chance = random.Random(seed)
    runs = [_driven(boundary), _driven(boundary)]
    for _ in range(40):
        match chance.choice("aaiiiiiiir" + "dc" * (chance.random() < 0.2)):
            case "a":
                boundary.grow(1)
            case "d":
                boundary.plain().delete_stream(boundary.stream)
            case "c":
                boundary.delete_alone()
            case "r":
                _reads_one(boundary, chance)
            case _:
                place = chance.randrange(2)
                if next(runs[place], OVER) is OVER or chance.random() < 0.05:
                    runs[place] = _driven(boundary, chance.choice([1, 3, 50]))
    boundary.is_exact()
    while boundary.index():
        pass
    boundary.is_exact()


def _reads_one(boundary, chance):
    query = chance.choice(QUERIES)
    found = boundary.cold().fetch_matching(boundary.stream, query)
    wanted = boundary.plain().fetch_matching(boundary.stream, query)
    assert (found.events, found.head) == (wanted.events, wanted.head)


def test_an_index_read_as_if_complete_is_caught(boundary, monkeypatch):
    def checkpoint_taken_as_head(stream, version, lowest):
        newest, tail = yield from genuine(stream, version, lowest)
        return newest, tail[:1]

    genuine = matching.read_after
    boundary.grow(6)
    boundary.index()
    boundary.append(boundary.event(C1))
    boundary.is_exact()
    monkeypatch.setattr(reading, "read_after", checkpoint_taken_as_head)
    with pytest.raises(AssertionError):
        boundary.is_exact()


def fits(request):
    return item_size(request.params["Item"]) <= MAX_ITEM_BYTES


def unlike(length, seed):
    """Return text that compression makes little smaller."""
    chance = random.Random(seed)
    return "".join(chr(chance.randrange(0x20000, 0x2A000)) for _ in range(length))


def test_any_number_of_tags_is_listed_in_items_that_fit():
    tags = [Tag("order", UUID(int=random.Random(n).getrandbits(128))).text for n in range(20_000)]
    keys = items.IndexKeys("log", "tenant#tags#$boundary#1")

    puts = list(items.put_tags(keys, "edition", 0, 20_000, tags))

    assert all(map(fits, puts))
    listed = [items.read_tags(put.params["Item"]) for put in puts]
    assert [tag for part in listed for tag in part] == sorted(tags)
    places = [put.params["Item"]["place"]["S"] for put in puts]
    assert len(set(places)) == len(puts) > 1
    assert all(place.startswith("edition#") for place in places)


def test_pages_fit_however_long_the_tags_and_names_are():
    entries = [items.Entry(n, n, unlike(10_000, n), (unlike(1_000, -n),)) for n in range(1, 41)]
    keys = items.IndexKeys("log", "tenant#tags#$boundary#1")
    pages: list[items.TagPage] = []

    complete = False
    while not complete:
        put, complete = writing._next_put(
            keys, "edition", "tag", pages[-1] if pages else None, entries
        )
        assert put is not None
        assert fits(put)
        pages.append(items.read_page(put.params["Item"], item_size(put.params["Item"])))

    assert [entry.version for page in pages for entry in page.entries] == [*range(1, 41)]
    assert len(pages) > 1


def test_an_event_with_many_tags_is_found_by_each_of_them(boundary):
    """Its entries do not list them: that would take their number squared."""
    many = [Tag("parcel", number) for number in range(20)]
    boundary.append(boundary.event(C1, *many), boundary.event(*many, name="Left"))
    boundary.append(boundary.event(C1, Tag("text", "x" * 2_000)), boundary.event(C1, S1))
    boundary.index()

    for query, versions in (
        (Query(tags=[many[7]]), [1, 2]),
        (Query(types=["Left"], tags=[many[7]]), [2]),
        (Query(tags=[many[7], C1]), [1]),
        (Query(tags=[many[7], S1]), []),
        (Query(tags=[C1]), [1, 3, 4]),
    ):
        found = boundary.cold().fetch_matching(boundary.stream, query)
        assert [event.version for event in found.events] == versions


@pytest.mark.parametrize("requests", [4, 5, 6])
def test_a_late_run_leaves_nothing_of_an_index_that_was_deleted(boundary, requests):
    boundary.grow(4)
    late = _driven(boundary, 50)
    for _ in range(requests):  # its list of tags is the sixth
        next(late)
    boundary.plain().delete_stream(boundary.stream)
    assert boundary.index() == 0
    for _ in late:
        pass

    assert boundary.items() == []


def test_a_deletion_deletes_the_index_for_one_request_more_where_there_is_none(boundary, engine):
    boundary.grow(3)
    with recording(engine.client) as sent:
        boundary.plain().delete_stream(boundary.stream)
    assert sent.operations[-1] == "GetItem"
    assert sent.calls[-1][1]["TableName"] == engine.config_with().log_table
    boundary.grow(3)
    boundary.index()

    boundary.plain().delete_stream(boundary.stream)

    assert boundary.items() == []
    boundary.grow(3)
    boundary.index()
    boundary.delete_alone()
    boundary.plain().delete_stream(boundary.stream)  # It finishes what crashed.
    assert boundary.items() == []
    ordinary = StreamId(category="order")
    boundary.plain().insert_events(ordinary, ANY_VERSION, [an_event(ordinary)])
    with recording(engine.client) as sent:
        boundary.plain().delete_stream(ordinary)
    assert not any(
        params.get("TableName") == engine.config_with().log_table for _, params in sent.calls
    )


def test_a_slow_deletion_leaves_the_index_of_the_next_generation(boundary, engine):
    """The boundary is begun again, and indexed, before the deletion looks for the index."""
    boundary.grow(3)
    boundary.index()
    boundary.delete_alone()
    boundary.grow(4)
    boundary.index()
    indexed = boundary.items()
    storage, stream = _steps(boundary)

    storage._remove_index(stream)

    assert boundary.items() == indexed
    boundary.is_exact()


def test_the_same_event_again_after_a_deletion_does_not_make_the_old_index_true(boundary):
    last = boundary.event(C2)
    boundary.append(boundary.event(C2))
    boundary.append(last)
    boundary.index()
    boundary.delete_alone()
    boundary.append(boundary.event(C1))
    boundary.append(last)

    [found] = boundary.cold().fetch_matching(boundary.stream, Query(tags=[C1])).events

    assert found.version == 1

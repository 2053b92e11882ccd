"""Exporting a store, and importing it into another one: both hold the same afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import (
    ANY_VERSION,
    NO_VERSIONING,
    ExplicitVersioning,
    MemoryBackend,
    RawEvent,
    StreamId,
)
from dynamo_es.cli.history.exporting import Exporter, ExportError, Wanted, Written
from dynamo_es.cli.history.importing import Importer, Settings, open_source
from dynamo_es.event_store.serde import ENCRYPTED
from tests.cli.history.histories import SAMPLE, import_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.facade.backend import Backend

HOSTILE = ["", "a", "a/b", "#", "\x00\x1b[31m", "\u2028é\U0001f600", " ", '"\\\n\r', "x" * 300]
TENANTS = ["", "acme", "ac#me", "\n"]
CATEGORIES = [None, "", "file", "\u202e#"]


def an_event(stream_id: StreamId, number: int, **changes: Any) -> RawEvent:
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    uuid = uuid5(UUID(int=stream_id.int), f"{stream_id.category}{number}")
    return replace(RawEvent(uuid, stream_id, at, "Changed", {"n": number}, {}), **changes)


def fill(backend: Backend, tenant: str, stream_id: StreamId, events: int, **changes: Any) -> None:
    storage = backend.in_tenant(tenant).storage
    head = storage.head(stream_id)
    begin = 0 if head is None else head.length
    for number in range(begin, begin + events):
        storage.insert_events(stream_id, ANY_VERSION, [an_event(stream_id, number, **changes)])


def lines_of(backend: Backend, written: Written | None = None, **wanted: Any) -> list[bytes]:
    exporter = Exporter(backend, Wanted(**wanted), written or Written(), sleep=lambda _: None)
    return b"".join(exporter.run()).splitlines(keepends=True)


def content(backend: Backend) -> dict[Any, Any]:
    """Return everything a store holds, with its types, times and names."""
    found = {}
    for tenant in backend.log.tenants():
        storage = backend.in_tenant(tenant).storage
        for category in backend.log.categories(tenant):
            for stream_id, _ in backend.log.streams(category, tenant):
                loaded = storage.fetch_events(stream_id), storage.fetch_events(stream_id, start=1)
                found[tenant, category, stream_id.int] = [
                    (e.stream_id.name, e, e.created_at.isoformat(), repr(e.data))
                    for events in loaded
                    for e in events
                ]
    return found


def copied(lines: list[bytes], **how: Any) -> MemoryBackend:
    copy = MemoryBackend()
    summary, problems = import_lines(copy.storage, lines, **how)
    assert problems == []
    assert summary.clean
    return copy


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab$é", max_size=3), inner),
    max_leaves=6,
)
times = st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=5, minutes=45))))
streams = st.tuples(
    st.sampled_from(TENANTS),
    st.sampled_from(CATEGORIES),
    st.sampled_from([*HOSTILE, None]),
    st.integers(0, 2),
)
events = st.tuples(
    streams,
    st.dictionaries(st.text("ab", max_size=2), json_values, max_size=2),
    st.dictionaries(st.text("ab", max_size=2), json_values, max_size=1),
    times | st.datetimes(),
    st.sampled_from(["append", "append", "append", "snapshot", "delete"]),
)


def apply(backend: Backend, steps: Iterable[Any], begin: int = 0) -> None:
    """Append events to streams; every third stream has no versions."""
    for number, ((tenant, category, name, kind), data, context, at, step) in enumerate(
        steps, begin
    ):
        uuid = UUID(int=kind + 1) if name is None else None
        stream_id = StreamId(uuid, name, category=category)
        versionless = kind == 2 and name is None
        storage = backend.in_tenant(tenant).storage
        event = an_event(stream_id, number, data=data, context=context, created_at=at)
        head = storage.head(stream_id)
        if step == "delete":
            storage.delete_stream(stream_id)
        elif step == "snapshot" and head is not None and head.versioned:
            storage.save_snapshot(replace(event, version=head.length))
        else:
            versioning = NO_VERSIONING if versionless else ANY_VERSION
            storage.insert_events(stream_id, versioning, [event])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(events, max_size=12), st.lists(events, max_size=6), st.booleans(), st.integers(1, 3)
)
def test_a_copy_holds_what_the_store_holds_and_so_does_one_that_goes_on(
    first, second, gather, most
):
    store, written = MemoryBackend(), Written()
    apply(store, first)

    lines = lines_of(store, written)
    copy = copied(lines, gather=gather, events_per_commit=most)
    assert content(copy) == content(store)

    apply(store, [step for step in second if step[-1] != "delete"], begin=100)
    lines += lines_of(store, written)
    summary, problems = import_lines(copy.storage, lines, gather=gather)

    assert (problems, summary.malformed) == ([], 0)
    assert content(copy) == content(store)
    assert lines_of(store, written) == []


def test_a_line_holds_what_is_stored():
    store = MemoryBackend()
    stream_id = StreamId(name="a", category="file")
    fill(store, "acme", stream_id, 1, context={"by": "Ann"})

    (line,) = lines_of(store)

    assert json.loads(line) == {
        "tenant": "acme",
        "category": "file",
        "stream": "a",
        "stream_id": str(stream_id),
        "id": str(an_event(stream_id, 0).uuid),
        "type": "Changed",
        "at": "2024-01-01T00:00:00+00:00",
        "data": {"n": 0},
        "version": 1,
        "context": {"by": "Ann"},
        "position": 1,
        "generation": 1,
    }


def test_events_come_in_the_order_of_the_log_and_are_imported_in_it():
    store = MemoryBackend()
    for name in "abacb":
        fill(store, "", StreamId(name=name), 1)

    lines = lines_of(store)

    assert [json.loads(line)["stream"] for line in lines] == [*"abacb"]
    copy = copied(lines, workers=1)
    records = copy.log.reader(0).read()
    assert [record.entry.stream_id.name for record in records] == [*"abacb"]


@pytest.fixture
def store():
    store = MemoryBackend()
    for tenant in ("", "acme"):
        for category in (None, "file", "order"):
            fill(store, tenant, StreamId(name="a", category=category), 2)
            fill(store, tenant, StreamId(name="b", category=category), 1)
    return store


@pytest.mark.parametrize(
    ("wanted", "events"),
    [
        ({}, 18),
        ({"tenant_id": "acme"}, 9),
        ({"tenant_id": ""}, 9),
        ({"category": "file"}, 6),
        ({"tenant_id": "acme", "category": "file"}, 3),
        ({"tenant_id": "acme", "stream_id": StreamId(name="a", category="file")}, 2),
        ({"stream_id": StreamId(name="b")}, 1),
        ({"stream_id": StreamId(name="none")}, 0),
    ],
)
def test_a_part_of_the_store_can_be_chosen(store, wanted, events):
    assert len(lines_of(store, **wanted)) == events


def test_a_stream_goes_on_after_its_exported_part(store):
    stream_id, written = StreamId(name="a"), Written()
    lines_of(store, written, stream_id=stream_id)
    fill(store, "", stream_id, 3)

    lines = lines_of(store, written, stream_id=stream_id)

    assert [json.loads(line)["version"] for line in lines] == [3, 4, 5]


def test_snapshots_are_left_out_on_request(store):
    stream_id = StreamId(name="a")
    store.storage.save_snapshot(an_event(stream_id, 9, name="State", version=1))

    (snapshot,) = [line for line in lines_of(store) if b'"snapshot":true' in line]

    assert (json.loads(snapshot)["type"], json.loads(snapshot)["version"]) == ("State", 1)
    assert len(lines_of(store)) == len(lines_of(store, snapshots=False)) + 1


def test_a_deleted_generation_is_not_exported(store):
    stream_id = StreamId(name="a")
    store.storage.delete_stream(stream_id)
    assert len(lines_of(store)) == 16
    fill(store, "", stream_id, 1)
    assert content(copied(lines_of(store))) == content(store)


def test_a_stream_created_again_does_not_go_on_in_the_same_file(store):
    written = Written()
    lines_of(store, written)
    store.storage.delete_stream(StreamId(name="a"))
    fill(store, "", StreamId(name="a"), 3)

    with pytest.raises(ExportError, match="the stream was deleted in the meantime"):
        lines_of(store, written)


def test_nor_does_one_without_versions_though_it_has_as_many_events():
    store, stream_id, written = MemoryBackend(), StreamId(name="log"), Written()
    store.storage.insert_events(stream_id, NO_VERSIONING, [an_event(stream_id, 0)])
    lines_of(store, written)
    store.storage.delete_stream(stream_id)
    store.storage.insert_events(stream_id, NO_VERSIONING, [an_event(stream_id, 1)])

    with pytest.raises(ExportError, match="the stream was deleted in the meantime"):
        lines_of(store, written)


def test_what_is_appended_during_an_export_waits_for_the_next_one(store, monkeypatch):
    written = Written()
    with monkeypatch.context() as earlier:
        earlier.setattr(type(store.log), "last_position", property(lambda _: 5))
        assert len(lines_of(store, written)) == 5
    assert len(lines_of(store, written)) == 18 - 5


def test_another_store_is_not_exported_into_the_same_file(store):
    written = Written()
    lines_of(store, written)
    other, shorter = MemoryBackend(), MemoryBackend()
    fill(other, "", StreamId(name="other"), 30)

    for another in (other, shorter):
        with pytest.raises(ExportError, match="the file belongs to another store"):
            lines_of(another, written)


def test_encrypted_fields_are_copied_as_stored_on_request_only(store):
    marked = {ENCRYPTED: {"email": "Ann"}}
    fill(store, "", StreamId(name="secret"), 1, context=marked)

    with pytest.raises(ExportError, match=r"has encrypted fields.*export with --encrypted"):
        lines_of(store)
    lines = lines_of(store, encrypted=True)

    _, (problem,) = import_lines(MemoryBackend().storage, lines)
    assert "import with --encrypted" in problem.reason
    assert content(copied(lines, encrypted=True)) == content(store)


def test_events_without_a_position_are_waited_for(store, monkeypatch):
    looks = iter([True, True, False])
    monkeypatch.setattr(type(store.log), "unsequenced", lambda _: next(looks))
    assert len(lines_of(store)) == 18

    monkeypatch.setattr(type(store.log), "unsequenced", lambda _: True)
    with pytest.raises(ExportError, match="dynamo-es sequence --once"):
        lines_of(store)


def test_an_export_waits_for_events_that_reads_do_not_show_yet(monkeypatch):
    store = MemoryBackend()
    fill(store, "", StreamId(name="a"), 3)
    reader = type(store.log.reader(0))
    read, late = reader.read, [1, 1]
    monkeypatch.setattr(reader, "read", lambda one: [] if late and late.pop() else read(one))

    assert len(lines_of(store)) == 3

    late += [1] * 3
    with pytest.raises(ExportError, match="no event after 0, so the export would lack"):
        lines_of(store)


def test_a_commit_that_cannot_be_read_ends_the_export(store, monkeypatch):
    reader = type(store.log.reader(0))
    monkeypatch.setattr(reader, "passed_over", property(lambda _: 1))
    with pytest.raises(ExportError, match="dynamo-es log verify"):
        lines_of(store)


def test_an_import_of_versionless_events_goes_on_after_a_crash():
    store, stream_id = MemoryBackend(), StreamId(name="log")
    for number in range(6):
        store.storage.insert_events(stream_id, NO_VERSIONING, [an_event(stream_id, number)])
    lines, copy = lines_of(store), MemoryBackend()
    import_lines(copy.storage, lines[:4], events_per_commit=3)

    summary, problems = import_lines(copy.storage, lines, events_per_commit=2)

    assert (summary.already_stored, summary.events, problems) == (4, 2, [])
    assert content(copy) == content(store)


def test_versionless_events_do_not_go_into_a_stream_with_versions():
    store, copy, stream_id = MemoryBackend(), MemoryBackend(), StreamId(name="log")
    store.storage.insert_events(stream_id, NO_VERSIONING, [an_event(stream_id, 0)])
    copy.storage.insert_events(stream_id, ExplicitVersioning(0), [an_event(stream_id, 0)])

    _, (problem,) = import_lines(copy.storage, lines_of(store))

    assert problem.line == 1


def test_an_id_that_a_stream_holds_twice_is_copied():
    store, stream_id = MemoryBackend(), StreamId(name="a")
    for number in (0, 1, 0):
        store.storage.insert_events(stream_id, ANY_VERSION, [an_event(stream_id, number)])
    assert content(copied(lines_of(store))) == content(store)


def test_a_version_that_is_missing_ends_its_stream(store):
    lines = lines_of(store, tenant_id="acme")
    del lines[0]

    copy = MemoryBackend()
    _, (problem,) = import_lines(copy.storage, lines)

    assert problem.reason == "the event has version 2, but the next one is 1"
    assert len(copy.log.reader(0).read()) == 7


def test_a_part_of_the_real_history_and_hostile_names_are_copied_there_and_back(
    engine, monkeypatch
):
    own, store = f"{uuid4()}", MemoryBackend()
    with open_source(SAMPLE) as source:  # type: ignore[arg-type]  # a file of the package
        lines = [line.replace(b'"tenant": "', f'"tenant": "{own}'.encode()) for line in source]
    import_lines(store.storage, lines[:120], events_per_commit=3, gather=True)
    for name in HOSTILE:
        fill(store, f"{own}#\n", StreamId(name=name, category="\u202e#"), 2)
    nameless = StreamId(UUID(int=7), category="")
    for number in range(3):
        store.in_tenant(own).storage.insert_events(
            nameless, NO_VERSIONING, [an_event(nameless, number)]
        )
    state = an_event(StreamId(name="a", category="\u202e#"), 9, name="State", version=2)
    store.in_tenant(f"{own}#\n").storage.save_snapshot(state)
    lines = lines_of(store)
    assert any(b'"State"' in line for line in lines)

    there = engine.fresh_process(inline=True)
    first = Importer(there.storage, Settings()).run(lines)
    again = Importer(engine.fresh_process(inline=True).storage, Settings()).run(lines)

    assert first.clean
    assert again.already_stored == len(lines) - 1
    # Other tests leave events without positions in the tables that all tests of an engine share.
    monkeypatch.setattr(type(there.log), "unsequenced", lambda _: False)
    tenants = {tenant for tenant, _, _ in content(store)}
    back = [line for tenant in tenants for line in lines_of(there, tenant_id=tenant)]
    assert content(copied(back)) == content(store)

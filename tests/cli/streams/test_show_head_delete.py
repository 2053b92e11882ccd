"""``dynamo-es show``, ``head`` and ``delete``: one stream."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from dynamo_es import (
    DEFAULT_TENANT,
    NO_VERSIONING,
    DynamoBackend,
    ExplicitVersioning,
    MemoryBackend,
    RawEvent,
    StreamId,
)
from dynamo_es.cli.history.importing import Meter
from dynamo_es.cli.streams import lookup
from tests.cli.history.histories import BEGIN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es import StorageStrategy


def an_event(stream_id: StreamId, number: int, **changes: object) -> RawEvent:
    fields = {"name": "Changed", "data": {"number": number}, "context": {"by": "a test"}}
    return RawEvent(uuid4(), stream_id, BEGIN, **{**fields, **changes})  # type: ignore[arg-type]


def fill(
    backend: DynamoBackend | MemoryBackend,
    stream_id: StreamId,
    commits: Iterable[int] = (2, 1),
    tenant: str = DEFAULT_TENANT,
) -> StorageStrategy:
    """Store a stream in commits of so many events."""
    storage: StorageStrategy = backend.in_tenant(tenant).storage
    version = 0
    for count in commits:
        events = [an_event(stream_id, version + index + 1) for index in range(count)]
        storage.insert_events(stream_id, ExplicitVersioning(version), events)
        version += count
    return storage


def documents(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_stream_is_shown_by_its_name(run, backend):
    fill(backend, StreamId(name="readme", category="file"), tenant="acme")

    ended = run("show", "readme", "--category", "file", "--tenant", "acme")

    assert ended.status == 0
    rows = [row.split() for row in ended.out.splitlines() if "Changed" in row]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert all(
        "2024-01-01 00:00:00+00:00" in row
        for row in ended.out.splitlines()
        if row.strip()[:1].isdigit()
    )
    assert '{"number": 3}' in ended.out
    assert "snapshot" not in ended.out


def test_a_stream_is_shown_as_json_lines(run, backend):
    stored = fill(backend, StreamId(name="é")).fetch_events(StreamId(name="é"))

    assert documents(run("show", "é", "--json").out) == [
        {
            "version": event.version,
            "uuid": str(event.uuid),
            "created_at": "2024-01-01T00:00:00+00:00",
            "name": "Changed",
            "data": event.data,
            "context": {"by": "a test"},
            "snapshot": False,
        }
        for event in stored
    ]


@pytest.mark.parametrize(
    ("options", "versions"),
    [
        (["--start", 2], [2, 3, 4, 5]),
        (["--stop", 3], [1, 2]),
        (["--start", 2, "--stop", 4], [2, 3]),
        (["--limit", 2], [1, 2]),
        (["--start", 3, "--limit", 2], [3, 4]),
        (["--start", 3, "--stop", 4, "--limit", 2], [3]),
        (["--start", 9], []),
        (["--stop", 1], []),
    ],
)
def test_a_range_is_shown(run, backend, options, versions):
    fill(backend, StreamId(name="a"), [2, 3])
    ended = run("show", "a", "--json", *options)
    assert ended.status == 0
    assert [document["version"] for document in documents(ended.out)] == versions
    assert ended.err == ("" if versions else "No events in this range.\n")


@pytest.mark.parametrize("version", [1, 3, 5])
def test_a_snapshot_is_marked_and_the_full_history_is_there(run, backend, version):
    stream_id = StreamId(name="a")
    storage = fill(backend, stream_id, [2, 3])
    storage.save_snapshot(an_event(stream_id, 0, name="State", version=version))

    shown = documents(run("show", "a", "--json").out)
    assert [document["version"] for document in shown] == list(range(version, 6))
    assert [document["snapshot"] for document in shown] == [True] + [False] * (5 - version)
    assert "State (snapshot)" in run("show", "a").out
    full = documents(run("show", "a", "--start", 1, "--json").out)
    assert [document["snapshot"] for document in full] == [False] * 5


@pytest.mark.parametrize("command", ["show", "head"])
@pytest.mark.parametrize("options", [[], ["--json"], ["--category", "other"]])
def test_a_missing_stream_is_an_error(run, backend, command, options):
    fill(backend, StreamId(name="a", category="file"))
    ended = run(command, "a", *options)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("dynamo-es: There is no stream a")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "options", "stream_id"),
    [
        ("readme", [], StreamId(name="readme")),
        ("readme", ["--name"], StreamId(name="readme")),
        ("b" * 32, [], StreamId(from_hex="b" * 32)),
        (str(StreamId(from_hex="b" * 32)), ["--uuid"], StreamId(from_hex="b" * 32)),
        ("b" * 32, ["--name"], StreamId(name="b" * 32)),
    ],
)
def test_text_that_can_be_a_uuid_is_one_unless_said_otherwise(
    run, backend, text, options, stream_id
):
    fill(backend, stream_id)
    assert json.loads(run("head", text, "--json", *options).out)["stream"] == str(stream_id)


@pytest.mark.parametrize("options", [["--name", "--uuid"], ["--uuid"]])
def test_a_stream_that_cannot_be_meant_is_wrong_usage(run, backend, options):
    assert run("head", "readme", *options).status == 2


def test_the_head_is_the_version_and_the_newest_event(run, backend):
    fill(backend, StreamId(name="a", category="file"), tenant="acme")
    where = ["a", "--category", "file", "--tenant", "acme"]

    ended = run("head", *where)
    document = json.loads(run("head", *where, "--json").out)

    assert "version  3" in ended.out
    assert '{"number": 3}' in ended.out
    assert document["version"] == document["event"]["version"] == 3
    assert document["event"]["data"] == {"number": 3}
    assert (document["name"], document["category"], document["tenant"]) == ("a", "file", "acme")


def test_the_name_of_a_stream_found_by_its_uuid_is_shown(run, backend):
    stream_id = StreamId(name="readme")
    fill(backend, stream_id)
    assert json.loads(run("head", stream_id, "--json").out)["name"] == "readme"


def test_the_head_of_a_long_stream_takes_two_requests_and_writes_nothing(backend):
    fill(backend, StreamId(name="a"), [1] * 50)
    meter = Meter()
    config = replace(backend.config, report_capacity=True)
    process = DynamoBackend(config, client=backend.client, observer=meter)

    found = lookup.find_head(process.storage, StreamId(name="a"))

    assert found is not None
    assert (found.version, found.event.data) == (50, {"number": 50})
    assert meter.requests == 2
    assert meter.write_units == 0


@pytest.mark.parametrize("kind", ["memory", "dynamodb"])
def test_the_head_of_a_stream_is_found_on_every_backend(backend, kind):
    store = backend if kind == "dynamodb" else MemoryBackend()
    versioned, versionless, missing = StreamId(), StreamId(), StreamId()
    storage = fill(store, versioned)
    events = [an_event(versionless, 1), an_event(versionless, 2)]
    storage.insert_events(versionless, NO_VERSIONING, events)

    assert lookup.find_head(storage, missing) is None
    for stream_id, version in ((versioned, 3), (versionless, 2)):
        found = lookup.find_head(storage, stream_id)
        assert found is not None
        assert (found.version, found.event.data) == (version, {"number": version})


def test_events_without_versions_are_shown(run, backend):
    stream_id = StreamId(name="a")
    backend.storage.insert_events(stream_id, NO_VERSIONING, [an_event(stream_id, 1)])
    (document,) = documents(run("show", "a", "--json").out)
    assert (document["version"], document["snapshot"]) == (None, False)
    assert run("show", "a").status == 0


def test_a_stream_is_deleted_when_that_is_confirmed(run, backend):
    storage = fill(backend, StreamId(name="a"))
    ended = run("delete", "a", stdin=b"y\n")
    assert ended.status == 0
    assert ended.out == "Deleted a: 3 events.\n"
    assert ended.err.startswith("Permanently delete 3 events of a?")
    assert storage.fetch_events(StreamId(name="a")) == []


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b""])
def test_nothing_is_deleted_without_confirmation(run, backend, answer):
    storage = fill(backend, StreamId(name="a"))
    ended = run("delete", "a", "--json", stdin=answer)
    assert (ended.status, ended.out) == (1, "")
    assert "Nothing was deleted." in ended.err
    assert len(storage.fetch_events(StreamId(name="a"))) == 3


def test_deleting_takes_the_stream_of_that_tenant_and_category_only(run, backend):
    stream_id, other = StreamId(name="a", category="file"), StreamId(name="a")
    acme = fill(backend, stream_id, tenant="acme")
    globex = fill(backend, stream_id, tenant="globex")
    fill(backend, other, tenant="acme")

    ended = run("delete", "a", "--category", "file", "--tenant", "acme", "--yes", "--json")

    assert json.loads(ended.out) == {"stream": str(stream_id), "existed": True, "version": 3}
    assert acme.fetch_events(stream_id) == []
    assert len(globex.fetch_events(stream_id)) == len(acme.fetch_events(other)) == 3


def test_deleting_a_missing_stream_is_no_error(run, backend):
    ended = run("delete", "a", "--json")
    assert ended.status == 0
    assert json.loads(ended.out)["existed"] is False


def test_control_characters_do_not_reach_the_terminal(run, backend):
    stream_id = StreamId(name="a\x1b[2J")
    event = an_event(stream_id, 1, name="Chan\x1b[31mged", data={"a": "\x1b[5m\x9b"})
    backend.storage.insert_events(stream_id, ExplicitVersioning(0), [event])

    shown = run("show", "a\x1b[2J")
    head = run("head", "a\x1b[2J")
    missing = run("show", "b\x1b[2J\nc")

    for text in (shown.out, head.out, missing.err):
        assert "\x1b" not in text
        assert "\x9b" not in text
    assert "Chan\\x1b[31mged" in shown.out


def test_ctrl_c_at_the_question_deletes_nothing(run, backend, monkeypatch):
    storage = fill(backend, StreamId(name="a"))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupt)
    ended = run("delete", "a")
    assert (ended.status, ended.out) == (130, "")
    assert len(storage.fetch_events(StreamId(name="a"))) == 3

"""The tag index of a boundary is no damage, no stream and no data: tools see no difference."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dynamo_es import ANY_VERSION, BoundaryIndex, DynamoBackend
from dynamo_es.cli.history.exporting import Exporter, Wanted, Written
from dynamo_es.contracts.boundaries.strategy import boundary_stream
from dynamo_es.testing.conformance.language import an_event
from tests.ui.conftest import TestClient, browse

if TYPE_CHECKING:
    from collections.abc import Callable

COURSES = boundary_stream("courses")
# Words of the keys of other items: none of them may be mistaken for such an item.
TAGS = ["course:c1", "streams:#streams#", "log:log", "cursor:#cursor#", "x:outbox#a"]
TENANTS = ["", "acme", "streams", "cursor"]
PAGES = ["/", "/streams", "/streams?tenant=acme&category=%24boundary", "/log", "/consumers"]


def fill(backend: DynamoBackend) -> None:
    """Give tenants a boundary whose events have tags, and positions."""
    config = replace(backend.config, sequencing="inline")
    for tenant in TENANTS:
        storage = DynamoBackend(config, client=backend.client).in_tenant(tenant).storage
        for _ in range(3):
            event = an_event(COURSES, name="Enrolled", context={"$tags": TAGS})
            storage.insert_events(COURSES, ANY_VERSION, [event])


def index(backend: DynamoBackend) -> None:
    for tenant in TENANTS:
        assert backend.in_tenant(tenant).boundary("courses").index.run_once() == 3


def items_of_index(backend: DynamoBackend, tenant: str = "") -> list[Any]:
    found = backend.client.scan(TableName=backend.config.log_table)["Items"]
    return [item for item in found if item["log_key"]["S"].startswith(f"{tenant}#tags#")]


COMMANDS = [
    "log verify --json",
    "log repair --json",
    "log set-aside --json",
    "streams --json",
    "streams --category $boundary --tenant acme --json",
    "head courses --category $boundary --json",
    "boundary read courses --tag course:c1 --json",
    "checkpoints list --json",
    "outbox list --json",
    "parked list --json",
    "export -",
]


def shown(run: Callable[..., Any]) -> dict[str, Any]:
    return {command: run(*command.split())[:2] for command in COMMANDS}


def test_commands_show_the_same_with_an_index_and_without(run, backend):
    fill(backend)
    before = shown(run)
    assert {status for status, _ in before.values()} == {0}
    index(backend)
    indexed = items_of_index(backend)

    assert len(indexed) == 2 + len(TAGS)
    assert shown(run) == before
    assert items_of_index(backend) == indexed


def test_pages_of_the_browser_show_the_same(backend):
    def shown() -> dict[str, str]:
        client: TestClient = browse(backend)
        pages = {}
        for address in PAGES:
            reply = client.get(address)
            assert reply.status_code == 200
            pages[address] = re.sub(r"This page cost [^<]*", "", reply.text)
        return pages

    fill(backend)
    before = shown()
    index(backend)

    assert shown() == before


def test_a_deletion_deletes_the_index_of_that_boundary_only(run, backend):
    fill(backend)
    index(backend)

    words = "delete courses --category $boundary --tenant acme --yes"
    assert run(*words.split()).status == 0

    assert items_of_index(backend, "acme") == []
    for tenant in ("", "streams", "cursor"):
        assert len(items_of_index(backend, tenant)) == 2 + len(TAGS)


def test_a_worker_indexes_until_all_is_done(run, backend):
    fill(backend)
    words = "boundary index courses --tenant acme --once --json"

    first, again = (run(*words.split()) for _ in range(2))

    assert json.loads(first.out) == {"boundary": "courses", "indexed": 3}
    assert json.loads(again.out) == {"boundary": "courses", "indexed": 0}
    assert "3 events indexed." in first.err
    assert len(items_of_index(backend, "acme")) == 2 + len(TAGS)
    assert items_of_index(backend) == []


def test_a_worker_that_is_interrupted_says_how_far_it_came(run, backend, monkeypatch):
    def stopped(self, stop):
        stop.set()
        return 7

    monkeypatch.setattr(BoundaryIndex, "run_forever", stopped)
    ended = run("boundary", "index", "courses")

    assert ended.status == 130
    assert "7 events indexed." in ended.err


def test_an_import_brings_no_index_and_the_worker_writes_it_anew(run, backend):
    fill(backend)
    index(backend)
    lines = b"".join(Exporter(backend, Wanted(), Written(), sleep=lambda _: None).run())
    assert b"#tags#" not in lines
    for tenant in TENANTS:
        backend.in_tenant(tenant).storage.delete_stream(COURSES)
        assert items_of_index(backend, tenant) == []

    ended = run("import", "-", stdin=lines)

    assert ended.status == 0, ended.err
    assert items_of_index(backend) == []
    assert backend.boundary("courses").index.run_once() == 3

"""Does what operators do: each command that looks into the tables, or repairs them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from dynamo_es import ANY_VERSION, StreamId
from dynamo_es.aws_lambda import publish_outbox
from dynamo_es.contracts.consumers.parked import ParkedFailure, ParkedKey, Place
from dynamo_es.dynamodb.log.logs import Logs
from dynamo_es.dynamodb.log.pages import page_item, read_any_page
from dynamo_es.dynamodb.log.requests import newest_page
from dynamo_es.dynamodb.maintenance.inspection import Inspector
from dynamo_es.dynamodb.maintenance.repair import read_set_aside, repair
from dynamo_es.dynamodb.maintenance.torn import plan_truncation, truncate
from dynamo_es.dynamodb.maintenance.verify import verify
from dynamo_es.exceptions import EventStoreError
from dynamo_es.testing.conformance.language import events
from tests.infra.kinds_of_streams import KINDS, another_process, make_all
from tests.infra.operations import RANGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es import DynamoBackend

_STREAM = StreamId(name="late 1", category="order")
_LOST = StreamId(name="lost 1", category="order")
_PARKED = ParkedKey("parking", "log", StreamId(category="order"), "")
_FAILED = ParkedFailure(Place(0, 5), 1, "RuntimeError", 0)


def prepare(backend: DynamoBackend) -> None:
    """Leave what operators find: failed events of an outbox, and what consumers set aside."""

    def fail(_: object) -> None:
        raise RuntimeError

    process = another_process(backend).with_outbox()
    process.storage.insert_events(_STREAM, ANY_VERSION, events(_STREAM, 3))
    repair(backend.config, lambda: backend.client)
    publish_outbox(process, fail, name="operated", attempts=1, keep_unknown=True)({})
    process.parked.park(_PARKED, _FAILED)
    process.parked.skip(_PARKED, _FAILED)
    process.projection("operated", lambda _: None, keep_unknown=True).run_once()


def operate(backend: DynamoBackend, damage: Callable[[Callable[[], None]], None]) -> None:
    """What an operator does.

    Args:
        backend: of all tenants.
        damage: calls a function whose requests are not the operator's.
    """
    process, config = another_process(backend), backend.config
    streams: list[StreamId] = []
    damage(lambda: streams.extend(make_all(backend.in_tenant("operated"), KINDS).values()))
    for stream in streams:
        for start, stop in RANGES:
            cold = another_process(backend.in_tenant("operated"))
            cold.storage.fetch_events(stream, start, stop)
    look(process)
    verify(config, lambda: backend.client)
    repair(config, lambda: backend.client)
    for kept in (1, 0):
        damage(lambda kept=kept: damage_newest_page(backend, kept))  # type: ignore[misc]
        repair(config, lambda: backend.client)
    damage(lambda: remove_what_is_set_aside(backend))
    repair(config, lambda: backend.client)
    verify(config, lambda: backend.client)
    read_set_aside(config, lambda: backend.client)
    by_hand(process)
    damage(lambda: lose_the_newest_commit(backend))
    plan = plan_truncation(config, lambda: backend.client)
    assert plan.cuts
    assert {one.kind for one in plan.put_back} >= {"marker", "checkpoint"}
    truncate(config, lambda: backend.client, plan)


def look(process: DynamoBackend) -> None:
    """What `dynamo-es ui`, `show`, `streams` and the lists read."""
    inspector = Inspector(process.config, lambda: process.client)
    inspector.categories()
    inspector.streams("order", "acme")
    inspector.existing([("", _STREAM)])
    inspector.generations("", _STREAM)
    inspector.find_position("", _STREAM, generation=1, version=1)
    inspector.items("", _STREAM)
    list(process.log.tenants())
    process.consumers.find()
    process.storage.fetch_events(_STREAM)
    process.checkpoints.all()
    process.parked.all()
    process.parked.skipped()


def by_hand(process: DynamoBackend) -> None:
    """What operators change by hand."""
    outbox = process.outbox.named("operated")
    entries = outbox.entries()
    assert entries
    outbox.retry(entries[0].position)
    outbox.retry(entries[0].position)
    outbox.skip(entries[0].position)
    outbox.reset(0)
    projection = process.projection("operated", lambda _: None, keep_unknown=True)
    with suppress(EventStoreError):
        projection.pause()
        projection.resume()
    process.checkpoints.reset("operated", 0)
    process.parked.forget_skipped(_PARKED, _FAILED.place)
    process.parked.drop(_PARKED)


def damage_newest_page(backend: DynamoBackend, kept: int) -> None:
    """Put commits that no stream can have into the newest page, beside some that it keeps."""
    log = Logs.of(backend.config).shared.keys
    [item] = backend.client.query(**newest_page(log).params)["Items"]
    page = read_any_page(item)
    never = page.pointers[0]._replace(first_version=10**37)
    changed = page._replace(pointers=(*page.pointers[:kept], never))
    backend.client.put_item(TableName=backend.config.log_table, Item=page_item(changed, log.prefix))


def lose_the_newest_commit(backend: DynamoBackend) -> None:
    """Let the log point to a commit that the events table lost, with a consumer after it."""
    process = another_process(backend)
    process.storage.insert_events(_LOST, ANY_VERSION, events(_LOST, 1))
    repair(backend.config, lambda: backend.client)
    process.projection("operated", lambda _: None, keep_unknown=True).run_once()
    key = {"stream_key": {"S": f"#order#{_LOST}"}, "version": {"N": "1"}}
    backend.client.delete_item(TableName=backend.config.events_table, Key=key)


def remove_what_is_set_aside(backend: DynamoBackend) -> None:
    """Delete the commits that cannot be read."""
    for entry in read_set_aside(backend.config, lambda: backend.client):
        key = {"stream_key": {"S": entry.stream_key}, "version": {"N": str(entry.version)}}
        backend.client.delete_item(TableName=backend.config.events_table, Key=key)

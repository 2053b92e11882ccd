"""Six writers, three kinds of sequencer and two subscribers at once, on the local engine.

Requests and replies are lost, late or doubled, and sequencers die between two requests.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

import pytest

from dynamo_es import DynamoBackend
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.pages import read_page
from dynamo_es.dynamodb.maintenance.verify import verify
from tests.engine import LOCAL
from tests.log.crowd import CATEGORIES, TENANTS, Crowd, Place, Seen
from tests.log.stores import Store, store_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es import RecordedRaw
    from dynamo_es.dynamodb.log.pages import Page

pytestmark = pytest.mark.endpoint

SEEDS: Final = (1, 2)
APPENDS: Final = 180
"""Of each writer."""


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if not request.config.getoption("--endpoint"):
        pytest.skip("needs an endpoint: the emulator serves one request at a time")
    with patch("botocore.endpoint.time.sleep"), store_on(LOCAL, request) as store:
        yield store


@pytest.mark.concurrent
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_missed_doubled_or_out_of_order(
    store: Store, request: pytest.FixtureRequest, seed: int
) -> None:
    appends = APPENDS * (10 if request.config.getoption("--long") else 1)
    crowd = Crowd(store.config, seed, appends)

    seen = crowd.work()

    assert len(seen.stored) > appends, "most appends succeed"
    assert seen.refused, "writers race"
    assert seen.deaths["poller"], "sequencers die"
    report = verify(store.config, lambda: store.client)
    assert report.sound, report.faults
    assert not report.not_sequenced
    assert report.foreign == 0

    assert_right(store, crowd, everything(store), seen.told, store.pages)


@pytest.mark.concurrent
def test_so_it_is_in_the_log_of_each_tenant(store: Store) -> None:
    crowd = Crowd(replace(store.config, log_scope="tenant"), SEEDS[0], APPENDS)
    store.config = replace(store.config, log_scope="tenant")

    seen = crowd.work()

    report = verify(store.config, lambda: store.client)
    assert report.sound, report.faults
    assert not report.not_sequenced
    log = everything(store)
    assert_what_was_stored_is_there(seen, log)
    for tenant in TENANTS:
        told = {name: of_tenant(tenant, one) for name, one in seen.told.items()}
        items = store.log_items(LogKeys("log", tenant_prefix(tenant)).pages)
        pages = [read_page(item) for item in items]
        assert_right(store, crowd, of_tenant(tenant, log), told, pages)


def of_tenant(tenant: str, records: list[RecordedRaw]) -> list[RecordedRaw]:
    return [one for one in records if one.tenant_id == tenant]


def assert_right(
    store: Store,
    crowd: Crowd,
    log: list[RecordedRaw],
    told: dict[str, list[RecordedRaw]],
    pages: list[Page],
) -> None:
    """Everything that is in a log is there once, in order, and was told to who listened."""
    assert_in_order(log)
    if store.config.log_scope == "table":
        assert_what_was_stored_is_there(crowd.seen, log)
    assert_told(told["all"], log)
    assert_told(told["orders"], log, CATEGORIES[0])
    missing = set(range(1, pages[-1].following)) - {one.position for one in log}
    assert missing <= positions_of_deleted(pages, crowd.places)


def everything(store: Store) -> list[RecordedRaw]:
    """Return what the log leads to, in its order."""
    backend = DynamoBackend(store.config, client=store.client)
    subscription = backend.subscriptions.subscribe_to_all(0, 1000, timedelta(seconds=0.1))
    return [recorded for batch in iter(partial(next, subscription), []) for recorded in batch]


def positions_of_deleted(pages: list[Page], places: list[Place]) -> set[int]:
    """Return the positions of events whose streams are sometimes deleted."""
    kept = {
        stream_key(tenant_prefix(place.tenant_id), place.stream_id)
        for place in places
        if not place.deleted
    }
    found: set[int] = set()
    for page in pages:
        position = page.first
        for pointer in page.pointers:
            if pointer.stream_key not in kept:
                found |= set(range(position, position + pointer.event_count))
            position += pointer.event_count
    return found


def assert_what_was_stored_is_there(seen: Seen, log: list[RecordedRaw]) -> None:
    """What was acknowledged is in the log, at its version; what was refused is not."""
    version_of = {recorded.entry.uuid: recorded.entry.version for recorded in log}
    for place, uuids, version in seen.stored:
        if not place.deleted:
            assert version_of.keys() >= set(uuids)
            assert not place.versioned or version_of[uuids[-1]] == version
    heard = {recorded.entry.uuid for told in seen.told.values() for recorded in told}
    assert not (version_of.keys() | heard) & set(seen.refused)


def assert_told(
    told: list[RecordedRaw], log: list[RecordedRaw], category: str | None = None
) -> None:
    """A consumer that listened all the time got what the log has, and events deleted since."""
    assert_in_order(told)
    expected = {
        one.position: one
        for one in log
        if category is None or one.entry.stream_id.category == category
    }
    heard = {one.position: one for one in told}
    assert expected == {position: heard.get(position) for position in expected}
    assert category is None or {one.entry.stream_id.category for one in told} == {category}


def assert_in_order(records: list[RecordedRaw]) -> None:
    """Positions rise, no event comes twice, and each generation of a stream is in version order."""
    positions = [recorded.position for recorded in records]
    assert positions == sorted(set(positions))
    counts = Counter(recorded.entry.uuid for recorded in records)
    assert counts.most_common(1)[0][1] == 1
    versions: dict[tuple[str, str, int], int] = {}
    for recorded in records:
        if recorded.entry.version is None:
            continue
        generation = (recorded.tenant_id, str(recorded.entry.stream_id), recorded.generation)
        assert recorded.entry.version > versions.get(generation, 0)
        versions[generation] = recorded.entry.version

"""A subscription reads each page once, and only the commits that it returns."""

from datetime import timedelta
from math import ceil

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, StreamId
from dynamo_es.contracts import Selection
from dynamo_es.dynamodb.maintenance.repair import repair
from dynamo_es.subscriptions.log_subscriptions import LogSubscriptions
from dynamo_es.testing.conformance.language import an_event, events

pytestmark = pytest.mark.ci

COMMITS = 1_000
PAGES = COMMITS // 100
RARE = 10


@pytest.fixture(scope="module")
def store():
    """A log of ten full pages; one commit of a hundred is of a category of its own."""
    with DynamoBackend.local(sequencing="stream") as backend:
        streams = [StreamId(category="Common") for _ in range(50)]
        for number in range(COMMITS):
            rare = number % 100 == 7
            stream = StreamId(category="Rare") if rare else streams[number % 50]
            backend.storage.insert_events(stream, ANY_VERSION, events(stream, 3))
        repair(backend.config, lambda: backend.client)
        yield backend


@pytest.fixture
def reports(store):
    """A process that counts, and what it has counted."""
    told = []
    return DynamoBackend(store.config, client=store.client, observer=told.append), told


def replay(backend, selection, batch_size, expected):
    subscription = LogSubscriptions(backend.log).subscribe(
        0, batch_size, timedelta(seconds=0.1), selection
    )
    records = []
    while len(records) < expected:
        records += next(subscription)
    return records


@pytest.mark.parametrize("batch_size", [1, 10, 1000])
def test_a_replay_takes_a_request_a_page_and_one_for_a_hundred_commits(reports, batch_size):
    backend, told = reports

    records = replay(backend, Selection(), batch_size, 3 * COMMITS)

    assert [record.position for record in records] == list(range(1, 3 * COMMITS + 1))
    requests = sum(report.requests for report in told)
    assert requests <= (PAGES + ceil(COMMITS / 100)) * 1.05


def test_a_filter_reads_little_more_than_what_it_lets_pass(reports, store):
    backend, _ = reports
    read = []
    store.client.meta.events.register(
        "provide-client-params.dynamodb.BatchGetItem",
        lambda params, **_: read.append(len(params["RequestItems"]["events"]["Keys"])),
        unique_id="count",
    )
    try:
        records = replay(backend, Selection(category="Rare"), 10, 3 * RARE)
    finally:
        store.client.meta.events.unregister(
            "provide-client-params.dynamodb.BatchGetItem", unique_id="count"
        )

    assert len(records) == 3 * RARE
    assert sum(read) == RARE
    assert len(read) == 1


def test_a_subscriber_at_the_end_sends_one_request_a_look(reports):
    backend, told = reports
    reader = backend.log.reader(3 * COMMITS)
    assert reader.read() == []
    before = len(told)

    for _ in range(5):
        assert reader.read() == []

    assert [(report.operation, report.requests) for report in told[before:]] == [
        ("read_log", 1)
    ] * 5


def test_a_new_commit_costs_two_requests():
    told = []
    with DynamoBackend.local(told.append) as backend:
        reader = backend.log.reader(0)
        assert reader.read() == []
        stream = StreamId()
        backend.storage.insert_events(stream, ANY_VERSION, [an_event(stream)])
        before = len(told)

        assert len(reader.read()) == 1
        assert sum(report.requests for report in told[before:]) == 2

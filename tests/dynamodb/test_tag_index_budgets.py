"""A cold read by the tag index costs what it finds, and what the index lacks; not the boundary."""

from __future__ import annotations

import math

from dynamo_es import DynamoBackend, StreamId
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend
from dynamo_es.dynamodb.wire.sizes import item_size
from dynamo_es.testing.conformance.language import an_event
from dynamo_es.values import Query, Tag
from tests.engine import Capability, needs
from tests.recording import recording

pytestmark = needs(Capability.BILLS, Capability.REQUESTS)

EVENTS, A_COMMIT, FOUND = 10_000, 25, 10
RARE = Query(tags=[Tag("course", "rare")])


class Boundary:
    """A boundary of 10,000 events, in commits of 25; ten commits have one event of a rare tag."""

    def __init__(self, engine):
        self.engine = engine
        self.stream = StreamId(category="$boundary")
        self.writer = DynamoBackend(engine.config_with(), engine.client).storage

    def grow(self, commits, rare=0):
        every = commits // rare if rare else commits + 1
        with recording(self.engine.client) as sent:
            for number in range(1, commits + 1):
                tags = ["rare" if number % every == 0 else "c0", *["c1", "c2"] * (A_COMMIT // 2)]
                events = [
                    an_event(self.stream, context={"$tags": [f"course:{tag}"]}) for tag in tags
                ]
                self.writer.insert_unless(self.stream, [ConditionalAppend(events)])
        return sum(map(item_size, sent.items))

    def index(self):
        while self.writer.index_tags(self.stream):
            pass

    def read(self, **config):
        """Return what a process finds that remembers nothing, its requests and its units."""
        reports = []
        changed = self.engine.config_with(report_capacity=True, **config)
        storage = DynamoBackend(changed, self.engine.client, reports.append).storage
        with recording(self.engine.client) as sent:
            found = storage.fetch_matching(self.stream, RARE)
        return found, sent.operations, sum(report.read_units for report in reports)


def test_one_tag_among_10_000_events(engine):
    boundary = Boundary(engine)
    size = boundary.grow(EVENTS // A_COMMIT, FOUND)
    boundary.index()

    by_index, requests, units = boundary.read(tag_index=True)
    plain, _, all_units = boundary.read()

    assert by_index == plain
    assert len(by_index.events) == FOUND
    assert requests == ["GetItem", "Query", "Query", "BatchGetItem"]
    a_commit = math.ceil(size / (EVENTS // A_COMMIT) / 4096)
    # The checkpoint, the tag's page, the tail; and half a unit for each 4 KB of the commits found.
    assert units <= 3 + a_commit + FOUND * a_commit / 2
    assert all_units >= size / 4096

    # What the index lacks costs its bytes.
    tail = boundary.grow(20)
    _, requests, late = boundary.read(tag_index=True)
    assert requests == ["GetItem", "Query", "Query", "BatchGetItem"]
    assert late <= units + tail / 4096 + 1

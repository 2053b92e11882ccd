"""Saved states on DynamoDB: what they cost, and what tools and other processes make of them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from dynamo_es import DynamoBackend, StreamId
from dynamo_es.contracts.boundaries.states import Part
from dynamo_es.contracts.boundaries.strategy import BOUNDARY_CATEGORY, ConditionalAppend
from dynamo_es.dynamodb.log.pointers import find_pointers
from dynamo_es.dynamodb.maintenance.verify import verify
from dynamo_es.dynamodb.streams.boundaries import state_items, states
from dynamo_es.dynamodb.streams.remembered.known_states import KnownStates
from dynamo_es.exceptions import BoundaryConflictError
from dynamo_es.testing.conformance.language import an_event
from dynamo_es.values import Query, StoredVersion, Tag
from tests.boundaries.test_saved_states import Command, Join
from tests.engine import Capability, all_items, needs
from tests.recording import recording

pytestmark = needs(Capability.REQUESTS)

ABOUT = Query(tags=[Tag("course", "c1")])


class Boundary:
    """A boundary as processes see it that remember nothing."""

    def __init__(self, engine):
        self.engine = engine
        self.stream = StreamId(category=BOUNDARY_CATEGORY)

    def storage(self, **config):
        return DynamoBackend(self.engine.config_with(**config), self.engine.client).storage

    def append(self):
        event = an_event(self.stream, context={"$tags": ["course:c1"]})
        [result] = self.storage().insert_unless(self.stream, [ConditionalAppend([event])])
        assert isinstance(result, StoredVersion)
        return result

    def state(self, version, **changes):
        changes.setdefault("version", int(version))
        return an_event(self.stream, name="Left", generation=version.generation, **changes)

    def saved(self, *keys):
        """Save states of the present version; return that."""
        version = self.append()
        for key in keys:
            self.storage().save_state(key, self.state(version))
        return version

    def items(self):
        """Return the items of the saved states."""
        found = all_items(self.engine.client, self.engine.config_with().events_table)
        return [
            item
            for item in found
            if state_items.STATES_CATEGORY in item["stream_key"]["S"]
            and str(self.stream) in item["stream_key"]["S"]
        ]


@pytest.fixture
def name():
    return f"clubs {uuid4()}"


@pytest.fixture
def boundary(engine):
    return Boundary(engine)


class TestRequests:
    def test_states_are_read_in_one_request_at_half_the_price(self, boundary, engine):
        boundary.saved("a", "b")
        with recording(engine.client) as sent:
            found = boundary.storage().fetch_states(boundary.stream, ["a", "none", "b"])
        assert [state is None for state in found] == [False, True, False]
        [(operation, params)] = sent.calls
        assert operation == "BatchGetItem"
        [wanted] = params["RequestItems"].values()
        assert (len(wanted["Keys"]), wanted["ConsistentRead"]) == (3, False)

    def test_a_process_asks_for_each_state_once(self, boundary, engine):
        boundary.saved("a")
        storage = boundary.storage()
        storage.fetch_parts(boundary.stream, [Part(ABOUT)])
        with recording(engine.client) as sent:
            for _ in range(3):
                assert [s is None for s in storage.fetch_states(boundary.stream, ["a", "b"])] == [
                    False,
                    True,
                ]
        assert sent.operations == ["BatchGetItem"]

    def test_a_process_remembers_what_it_saved(self, boundary, engine):
        version = boundary.saved("a")
        storage = boundary.storage()
        storage.fetch_parts(boundary.stream, [Part(ABOUT)])
        with recording(engine.client) as sent:
            storage.save_state("b", boundary.state(version))
            assert storage.fetch_states(boundary.stream, ["b"]) != [None]
        assert sent.operations == ["PutItem"]

    def test_after_a_silence_states_are_read_again(self, boundary, engine):
        boundary.saved("a")
        now = [1_000.0]
        backend = DynamoBackend(engine.config_with(), engine.client, clock=lambda: now[0])
        for _ in range(2):
            backend.storage.fetch_parts(boundary.stream, [Part(ABOUT)])
            backend.storage.fetch_states(boundary.stream, ["a"])
        now[0] += 11
        with recording(engine.client) as sent:
            backend.storage.fetch_states(boundary.stream, ["a"])
        assert sent.operations == ["BatchGetItem"]

    def test_a_decision_on_a_state_takes_one_request_more_in_a_new_process(self, engine, name):
        def process():
            backend = DynamoBackend(engine.config_with(), engine.client)
            return backend.boundary(name, snapshot_every=3)

        for number in range(6):
            process().decide(Join, Command(str(number)))
        boundary = process()
        with recording(engine.client) as sent:
            boundary.decide(Join, Command("6"))
        assert sent.operations == ["BatchGetItem", "Query", "PutItem", "PutItem"]
        [query] = [params for operation, params in sent.calls if operation == "Query"]
        bounds = query["ExpressionAttributeValues"]
        assert bounds[":lowest"] == {"N": "4"}  # the state is of version 3
        with recording(engine.client) as sent:
            boundary.decide(Join, Command("warm"))
        assert sent.operations == ["Query", "PutItem"]
        assert Join.applied == ["6"]


class TestDeletion:
    def test_it_leaves_no_state(self, boundary):
        boundary.saved(*map(str, range(5)))
        assert len(boundary.items()) == 5
        boundary.storage().delete_stream(boundary.stream)
        assert boundary.items() == []

    def test_a_deletion_that_crashed_is_finished_with_its_states(self, boundary, monkeypatch):
        boundary.saved("a", "b")

        def crash(*_):
            raise KeyboardInterrupt
            yield

        with monkeypatch.context() as patch:
            patch.setattr(states, "delete_states", crash)
            with pytest.raises(KeyboardInterrupt):
                boundary.storage().delete_stream(boundary.stream)
        assert len(boundary.items()) == 2
        boundary.storage().delete_stream(boundary.stream)
        assert boundary.items() == []

    def test_a_slow_deletion_leaves_the_states_of_the_next_generation(self, boundary):
        old = boundary.saved("a")
        boundary.storage().delete_stream(boundary.stream)
        boundary.saved("b")
        storage = boundary.storage()
        steps = states.delete_states(storage._stream(boundary.stream), old.generation)
        storage._run("delete", boundary.stream, steps)
        assert [item["state_key"]["S"] for item in boundary.items()] == ["b"]

    def test_other_streams_cost_no_request_more(self, boundary, engine):
        stream = StreamId(category="account")
        storage = boundary.storage()
        storage.insert_unless(stream, [ConditionalAppend([an_event(stream)])])
        with recording(engine.client) as sent:
            storage.delete_stream(stream)
        assert not any("boundary-states" in str(params) for _, params in sent.calls)

    def test_a_process_that_deletes_forgets(self, boundary):
        storage = boundary.storage()
        version = boundary.saved("a")
        storage.fetch_parts(boundary.stream, [Part(ABOUT)])
        storage.save_state("a", boundary.state(version, data={"new": True}))
        storage.delete_stream(boundary.stream)
        assert storage.fetch_states(boundary.stream, ["a"]) == [None]

    def test_a_state_of_a_known_dead_generation_is_not_saved(self, boundary):
        old = boundary.saved()
        boundary.storage().delete_stream(boundary.stream)
        boundary.append()
        storage = boundary.storage()
        storage.fetch_parts(boundary.stream, [Part(ABOUT)])
        storage.save_state("a", boundary.state(old))
        assert boundary.items() == []

    def test_a_refused_state_is_forgotten(self, boundary):
        late = boundary.storage()
        old = boundary.saved("a")
        late.fetch_parts(boundary.stream, [Part(ABOUT)])
        assert late.fetch_states(boundary.stream, ["a"]) != [None]
        boundary.storage().delete_stream(boundary.stream)
        boundary.append()
        with pytest.raises(BoundaryConflictError):
            late.fetch_parts(boundary.stream, [Part(ABOUT, old)])
        assert late.fetch_states(boundary.stream, ["a"]) == [None]


class TestItems:
    def test_a_state_expires_so_that_queries_that_nobody_asks_leave_nothing(self, boundary, engine):
        version = boundary.saved()
        backend = DynamoBackend(engine.config_with(), engine.client, clock=lambda: 5_000.0)
        backend.storage.save_state("a", boundary.state(version))
        [item] = boundary.items()
        assert item["expires_at"] == {"N": str(5_000 + states.STATE_SECONDS)}

    def test_a_state_of_another_key_at_the_same_place_is_not_used(self, boundary, monkeypatch):
        monkeypatch.setattr(state_items, "place_of", lambda _: "7")
        boundary.saved("a")
        assert boundary.storage().fetch_states(boundary.stream, ["b"]) == [None]

    @pytest.mark.parametrize("wrong", [{"S": "[]"}, {"S": "no JSON"}, {"N": "5"}])
    def test_an_item_that_cannot_be_read_is_no_state(self, boundary, engine, wrong):
        boundary.saved("a")
        [item] = boundary.items()
        table = engine.config_with().events_table
        engine.client.put_item(TableName=table, Item=item | {"events": wrong})
        assert boundary.storage().fetch_states(boundary.stream, ["a"]) == [None]

    def test_tools_take_a_state_for_no_commit(self, boundary):
        boundary.saved("a", "b")
        found = find_pointers(boundary.items())
        assert (found.pointers, found.damaged, found.foreign) == ([], [], [])

    def test_the_key_of_the_states_begins_with_the_tenant(self):
        assert state_items.states_key("acme%23#$boundary#id") == "acme%23#$boundary-states#id"


def test_a_table_with_states_is_sound(engine, name):
    backend = DynamoBackend(engine.config_with(sequencing="inline"), engine.client)
    for number in range(5):
        backend.boundary(name, snapshot_every=2).decide(Join, Command(str(number)))
    report = verify(engine.config_with(), lambda: engine.client)
    assert not [fault for fault in (*report.faults, *report.unreadable) if "states" in fault]


class TestMemory:
    def test_it_is_bounded_and_the_oldest_go_first(self):
        known = KnownStates(2_000)
        for number in range(6):
            known.remember("s", str(number), {"events": {"S": "x" * 300}}, 0)
            known.get("s", "0", 0)
        held = [key for key in map(str, range(6)) if known.get("s", key, 0) is not None]
        assert held == ["0", "4", "5"]

    def test_an_absent_state_is_remembered_too(self):
        known = KnownStates()
        known.remember("s", "a", None, 0)
        entry: Any = known.get("s", "a", 0)
        assert entry.item is None
        assert known.get("s", "b", 0) is None

    def test_what_was_seen_before_a_silence_is_not_used(self):
        known = KnownStates()
        known.remember("s", "a", None, 3)
        assert known.get("s", "a", 4) is None

    def test_a_boundary_is_forgotten_alone(self):
        known = KnownStates()
        for stream in "st":
            known.remember(stream, "a", None, 0)
        known.forget("s")
        assert known.get("s", "a", 0) is None
        assert known.get("t", "a", 0) is not None
        known.clear()
        assert known.get("t", "a", 0) is None

    def test_with_no_memory_nothing_is_remembered(self):
        known = KnownStates(0)
        known.remember("s", "a", None, 0)
        assert known.get("s", "a", 0) is None

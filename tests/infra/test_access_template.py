"""infra/access.yaml: each policy allows what the operations of its role send, and no more."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import timedelta
from fnmatch import fnmatchcase
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import pytest
from cfnlint.api import lint_file  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import (
    ANY_VERSION,
    NO_VERSIONING,
    DataSubject,
    DynamoBackend,
    Encrypted,
    Event,
    StreamId,
)
from dynamo_es.aws_lambda import project_log, project_streams, publish_outbox, sequence_events
from dynamo_es.dynamodb.keys import tenant_prefix
from dynamo_es.dynamodb.template import CHECKOUT, parse_yaml
from dynamo_es.exceptions import ConcurrentStreamWriteError
from tests.aws_lambda.lambdas import records_of
from tests.bdd import a_snapshot, an_event, events
from tests.log.hostile import a_victim

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = CHECKOUT.with_name("access.yaml")
TEMPLATE = parse_yaml(PATH.read_text(encoding="utf-8"))
PARTITION_KEYS = {"events": "stream_key", "log": "log_key", "keys": "tenant"}
TABLES = {
    "${EventStore}-EventsTableArn": "events",
    "${EventStore}-LogTableArn": "log",
    "${EventStore}-KeysTableArn": "keys",
}


class Joined(Event):
    __event_name__ = "member.joined"

    member: Annotated[str, DataSubject]
    email: Annotated[str | None, Encrypted(mask_value=None)]


class Call(NamedTuple):
    """One item's part of a request, as IAM sees it."""

    table: str
    action: str
    key: str | None


class Statement(NamedTuple):
    table: str
    actions: frozenset[str]
    keys: tuple[str, ...] | None

    def allows(self, call: Call, tenant: str = "") -> bool:
        """Whether it allows a call, of a session with that tag."""
        if (call.table != self.table) or call.action not in self.actions:
            return False
        if self.keys is None:
            return True
        patterns = [key.replace("${aws:PrincipalTag/tenant}", tenant) for key in self.keys]
        return call.key is not None and any(fnmatchcase(call.key, one) for one in patterns)


def statements(policy: str) -> list[Statement]:
    document = TEMPLATE["Resources"][policy]["Properties"]["PolicyDocument"]
    found = []
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        keys = None
        if condition := statement.get("Condition"):
            (operator,) = condition.keys() - {"Null"}
            assert operator.startswith("ForAllValues:")
            assert condition["Null"]["dynamodb:LeadingKeys"] == "false"
            keys = tuple(condition[operator]["dynamodb:LeadingKeys"])
        found.append(
            Statement(
                TABLES[statement["Resource"]["Fn::ImportValue"]["Fn::Sub"]],
                frozenset(
                    action.removeprefix("dynamodb:")
                    for action in ([actions] if isinstance(actions, str) else actions)
                ),
                keys,
            )
        )
    return found


@contextmanager
def calls_of(backend: DynamoBackend) -> Iterator[list[Call]]:
    """Note what a backend sends within the context."""
    noted: list[Call] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        noted.extend(_calls(model.name, params))

    event = "provide-client-params.dynamodb"
    backend.client.meta.events.register(event, note, unique_id="calls")
    try:
        yield noted
    finally:
        backend.client.meta.events.unregister(event, unique_id="calls")


def _calls(action: str, params: dict[str, Any]) -> Iterator[Call]:
    if action == "TransactWriteItems":
        for part in params["TransactItems"]:
            ((kind, inner),) = part.items()
            name = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
            yield from _calls(name, inner)
    elif action == "BatchGetItem":
        for table, wanted in params["RequestItems"].items():
            for key in wanted["Keys"]:
                yield Call(table, action, key[PARTITION_KEYS[table]]["S"])
    else:
        table = params["TableName"]
        item = params.get("Item") or params.get("Key")
        if item is not None:
            yield Call(table, action, item[PARTITION_KEYS[table]]["S"])
        elif action == "Query":
            (key,) = (
                value["S"]
                for name, value in params["ExpressionAttributeValues"].items()
                if f"{PARTITION_KEYS[table]} = {name}" in params["KeyConditionExpression"]
            )
            yield Call(table, action, key)
        else:
            yield Call(table, action, None)


def lose_replies(backend: DynamoBackend, action: str) -> Any:
    """Let the replies of an operation be lost, as often as the SDK tries."""
    from tests.faults import Fault, Network

    network = Network(backend.client)
    network.plan(lambda _: Fault.LOST_REPLY)
    return network.between()


def write(backend: DynamoBackend, stream: StreamId) -> None:
    """What a writer does: one of each kind of append, conflicts, loads, a snapshot."""
    storage = backend.storage
    storage.insert_events(stream, ANY_VERSION, events(stream, 3))
    cold = DynamoBackend(backend.config, client=backend.client)
    cold = cold.in_tenant(backend._tenant_id)
    with suppress(ConcurrentStreamWriteError):
        cold.event_store.append(Joined(member="m", email="m@x"), stream_id=stream)
    cold.event_store.append(
        Joined(member="m", email="m@x"), stream_id=stream, expected_version=ANY_VERSION
    )
    backend.event_store.load_stream(stream, keep_unknown=True)
    storage.fetch_events(stream, 2, 5)
    storage.save_snapshot(a_snapshot(stream, 3))
    storage.fetch_events(stream)
    other = StreamId(category=stream.category)
    storage.insert_events(other, NO_VERSIONING, events(other, 1))


def erase(backend: DynamoBackend, stream: StreamId) -> None:
    """What a deleter does."""
    backend.storage.delete_stream(stream)
    backend.encryption.shred("m")


def run_role(role: str, backend: DynamoBackend) -> list[Call]:
    """Return what the operations of a role send."""
    stream = StreamId(category="order")
    sequencer = sequence_events(backend)
    if role == "Writers":
        with calls_of(backend) as calls:
            write(backend, stream)
            with lose_replies(backend, "PutItem"), suppress(Exception):
                backend.storage.insert_events(stream, ANY_VERSION, events(stream, 1))
        return calls
    backend.with_outbox()
    write(backend, stream)
    if role == "Deleters":
        with calls_of(backend) as calls:
            erase(backend, stream)
        return calls
    if role == "Sequencers":
        with calls_of(backend) as calls:
            sequencer({"Records": records_of(backend, "events")[1:]})
            sequence_events(backend)({"Records": records_of(backend, "events")})
            damaged = a_victim(event_count={"N": "0"})
            backend.client.put_item(TableName="events", Item=damaged)
            calls.pop()  # a tenant's put, not the sequencer's
            sequence_events(backend)({"Records": records_of(backend, "events")[-1:]})
        assert Call("log", "PutItem", "set-aside") in calls
        return calls
    sequencer({"Records": records_of(backend, "events")})
    # By a process that has read nothing yet.
    fresh = DynamoBackend(backend.config, client=backend.client)
    if role == "Readers":
        with calls_of(backend) as calls:
            fresh.event_store.load_stream(stream, keep_unknown=True)
            fresh.storage.fetch_events(stream, 2, 5)
            _ = fresh.log.last_position
            next(fresh.subscriptions.subscribe_to_all(0, 10, timedelta(seconds=0.1)))
            list(fresh.log.streams("order", ""))
        return calls
    with calls_of(backend) as calls:
        project_log(fresh, "log", keep_unknown=True)(lambda _: None)({})
        records = records_of(backend, "events")
        handler = project_streams(fresh, "streams", keep_unknown=True)(lambda _: None)
        handler({"Records": records[1:]})
        fresh.checkpoints.all()
        fresh.projector("x", lambda *_: None)
        failing = publish_outbox(fresh, fail, keep_unknown=True, attempts=1)
        failing({})
        fresh.outbox.retry_all()
        publish_outbox(fresh, lambda _: None, keep_unknown=True, attempts=2)({})
    return calls


def fail(_: Any) -> None:
    raise RuntimeError("down")


RARE = {
    # A page whose reply was lost.
    "Sequencers": {("log", "GetItem")},
}


def test_cfn_lint_has_no_findings():
    assert lint_file(PATH) == []


@pytest.mark.parametrize("role", ["Writers", "Readers", "Deleters", "Sequencers", "Consumers"])
def test_a_role_may_do_what_its_operations_send_and_no_more(role):
    with DynamoBackend.local(sequencing="stream") as backend:
        calls = run_role(role, backend)

    allowed = statements(role)
    for call in calls:
        assert any(statement.allows(call) for statement in allowed), call
    sent = {(call.table, call.action) for call in calls} | RARE.get(role, set())
    granted = {(one.table, action) for one in allowed for action in one.actions}
    assert granted == sent


def test_nobody_scans_and_writers_delete_nothing():
    for policy in TEMPLATE["Resources"]:
        actions = {action for one in statements(policy) for action in one.actions}
        assert "Scan" not in actions
        assert not any("*" in action for action in actions)
    for policy in ("Writers", "OneTenant", "Readers", "Sequencers"):
        assert not any("DeleteItem" in one.actions for one in statements(policy))


def test_consumers_and_sequencers_keep_out_of_each_others_items():
    def writes(policy: str) -> Statement:
        (found,) = (one for one in statements(policy) if one.keys is not None)
        return found

    for key in ("log", "streams#acme#order#7"):
        assert writes("Sequencers").allows(Call("log", "PutItem", key))
        assert not writes("Consumers").allows(Call("log", "PutItem", key))
    for key in ("checkpoint#x", "consumers", "cursor#x#acme#order#7", "outbox#outbox"):
        assert writes("Consumers").allows(Call("log", "PutItem", key))
        assert not writes("Sequencers").allows(Call("log", "PutItem", key))


texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.text("#%*?$a{}:", max_size=8)


@settings(max_examples=25)
@given(tenant=texts, category=st.none() | texts)
def test_whatever_a_tenant_is_called_its_requests_begin_with_it(shared, tenant, category):
    backend = shared.in_tenant(tenant)
    stream = StreamId(category=category)

    with calls_of(shared) as calls:
        write(backend, stream)
        erase(backend, stream)

    assert {call.table for call in calls} == {"events", "keys"}
    wall = tenant_prefix(tenant)
    assert all(call.key is not None and call.key.startswith(wall) for call in calls)
    # And of no other tenant: the wall's end is not part of any tenant's name.
    assert all(call.key is not None and call.key.index("#") == len(wall) - 1 for call in calls)


def test_an_append_of_several_items_stays_behind_the_wall(shared):
    stream = StreamId()
    large = [an_event(stream, data={"text": Random(n).randbytes(150_000).hex()}) for n in range(3)]

    with calls_of(shared) as calls:
        shared.in_tenant("acme").storage.insert_events(stream, ANY_VERSION, large)

    assert calls[-2:] == [Call("events", "PutItem", f"acme##{stream}")] * 2


def test_one_tenant_may_do_what_a_writer_does_in_its_own_streams_only(shared):
    with calls_of(shared) as calls:
        write(shared.in_tenant("acme"), StreamId(category="order"))

    allowed = statements("OneTenant")
    assert {(call.table, call.action) for call in calls} <= {
        (one.table, action) for one in allowed for action in one.actions
    }
    for call in calls:
        assert any(one.allows(call, "acme") for one in allowed)
        for other in ("acm", "acme2", "", "umbrella"):
            assert not any(one.allows(call, other) for one in allowed)
    assert statements("OneTenant")[0].actions == statements("Writers")[0].actions
    for statement in TEMPLATE["Resources"]["OneTenant"]["Properties"]["PolicyDocument"][
        "Statement"
    ]:
        assert statement["Condition"]["Null"]["aws:PrincipalTag/tenant"] == "false"


@pytest.fixture(scope="module")
def shared() -> Iterator[DynamoBackend]:
    with DynamoBackend.local(sequencing="stream") as backend:
        yield backend

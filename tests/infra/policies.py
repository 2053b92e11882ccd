"""Compares what infra/access.yaml allows with what a backend sends."""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dynamo_es.dynamodb.tables.template import CHECKOUT, parse_yaml
from dynamo_es.dynamodb.wire.partiql.statements import table_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dynamo_es import DynamoBackend

PATH = CHECKOUT.with_name("access.yaml")
TEMPLATE = parse_yaml(PATH.read_text(encoding="utf-8"))
# It allows no request to a table, but the use of the key that encrypts them.
KEY_USERS = TEMPLATE["Resources"].pop("KeyUsers")
PERMISSIONS = PATH.parents[1] / "docs" / "reference" / "permissions.md"
PARTITION_KEYS = {"events": "stream_key", "log": "log_key", "keys": "tenant"}
TABLES = {
    "${EventStore}-EventsTableArn": "events",
    "${EventStore}-LogTableArn": "log",
    "${EventStore}-KeysTableArn": "keys",
    "${EventStore}-EventsStreamArn": "events' stream",
}


class Call(NamedTuple):
    """One item's part of a request, as IAM sees it."""

    table: str
    action: str
    key: str | None
    attributes: frozenset[str] | None = None


class Statement(NamedTuple):
    table: str
    actions: frozenset[str]
    keys: tuple[str, ...] | None
    tag: str = "*"
    attributes: frozenset[str] | None = None

    def allows(self, call: Call, tenant: str = "") -> bool:
        """Whether it allows a call, of a session with that tag."""
        if (call.table != self.table) or call.action not in self.actions:
            return False
        if not fnmatchcase(tenant, self.tag):
            return False
        if self.attributes is not None and not (
            call.attributes is not None and call.attributes <= self.attributes
        ):
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
        keys, attributes = None, None
        if condition := statement.get("Condition"):
            (operator,) = condition.keys() - {"Null", "StringLike"}
            assert operator.startswith("ForAllValues:")
            assert condition["Null"]["dynamodb:LeadingKeys"] == "false"
            keys = tuple(condition[operator]["dynamodb:LeadingKeys"])
            if "dynamodb:Attributes" in condition[operator]:
                assert condition["Null"]["dynamodb:Attributes"] == "false"
                attributes = frozenset(condition[operator]["dynamodb:Attributes"])
        found.append(
            Statement(
                TABLES[statement["Resource"]["Fn::ImportValue"]["Fn::Sub"]],
                frozenset(
                    action.removeprefix("dynamodb:")
                    for action in ([actions] if isinstance(actions, str) else actions)
                ),
                keys,
                statement.get("Condition", {})
                .get("StringLike", {})
                .get("aws:PrincipalTag/tenant", "*"),
                attributes,
            )
        )
    return found


def refused(policies: Iterable[str], calls: Iterable[Call]) -> set[Call]:
    """Return the calls that these policies together do not allow."""
    allowed = [statement for policy in policies for statement in statements(policy)]
    return {call for call in calls if not any(one.allows(call) for one in allowed)}


def unused(policy: str, calls: Iterable[Call]) -> set[tuple[str, str]]:
    """Return the actions and the patterns of keys that a policy allows, and that no call needs."""
    calls = list(calls)
    found: set[tuple[str, str]] = set()
    for one in statements(policy):
        used = [call for call in calls if one.allows(call)]
        found |= {(one.table, action) for action in one.actions - {call.action for call in used}}
        for pattern in one.keys or ():
            if not any(fnmatchcase(call.key or "", pattern) for call in used):
                found.add((one.table, pattern))
    return found


POLICIES: Final = [name for name in TEMPLATE["Resources"] if name != "KeyUsers"]
"""The policies about tables; the other one is about a key of KMS."""

SENT_BY: Final = {"OneTenant": "Writers", "OneTenantLog": "Session"}
"""Whose requests a policy is for, where it is not the role of the same name."""


def rows_of(sent: Mapping[str, Iterable[Call]]) -> list[str]:
    """Return the rows of a table of the actions that each role's operations send, by table."""
    rows = ["| policy | table | actions that its operations send |", "|---|---|---|"]
    for policy in POLICIES:
        calls = set(sent[SENT_BY.get(policy, policy)])
        for table in TABLES.values():
            allowed = {
                action for one in statements(policy) if one.table == table for action in one.actions
            }
            actions = sorted(allowed & {call.action for call in calls if call.table == table})
            if actions:
                rows.append(f"| `{policy}` | {table} | {' '.join(f'`{one}`' for one in actions)} |")
    return rows


@contextmanager
def calls_of(backend: DynamoBackend) -> Iterator[list[Call]]:
    """Note what a backend, and others with its clients, send within the context."""
    noted: list[Call] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        noted.extend(_calls(model.name, params))

    events = [client.meta.events for client in (backend.client, backend._streams_client())]
    for one, service in zip(events, ("dynamodb", "dynamodbstreams"), strict=True):
        one.register(f"provide-client-params.{service}", note, unique_id="calls")
    try:
        yield noted
    finally:
        for one, service in zip(events, ("dynamodb", "dynamodbstreams"), strict=True):
            one.unregister(f"provide-client-params.{service}", unique_id="calls")


def _call_of(statement: dict[str, Any]) -> Call:
    # IAM has an action for each kind of statement.
    kind = statement["Statement"].split()[0].capitalize()
    table = table_of(statement)
    key = target_of(statement, [PARTITION_KEYS[table]])
    return Call(table, f"PartiQL{kind}", key[PARTITION_KEYS[table]]["S"])


def _calls_of_part(part: dict[str, Any]) -> Iterator[Call]:
    ((kind, inner),) = part.items()
    # A table of the program's own is a matter of the program's own policy.
    if inner["TableName"] in PARTITION_KEYS:
        name = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
        yield from _calls(name, inner)


def _calls(action: str, params: dict[str, Any]) -> Iterator[Call]:
    if action == "TransactWriteItems":
        for part in params["TransactItems"]:
            yield from _calls_of_part(part)
    elif action == "BatchExecuteStatement":
        yield from map(_call_of, params["Statements"])
    elif action == "BatchGetItem":
        for table, wanted in params["RequestItems"].items():
            for key in wanted["Keys"]:
                yield Call(table, action, key[PARTITION_KEYS[table]]["S"])
    elif "TableName" not in params:
        yield Call("events' stream", action, None)
    elif params["TableName"] not in PARTITION_KEYS:
        yield Call(params["TableName"], action, None)
    else:
        yield _call_to(params["TableName"], action, params)


def _call_to(table: str, action: str, params: dict[str, Any]) -> Call:
    item = params.get("Item") or params.get("Key")
    if item is not None:
        projected = params.get("ProjectionExpression")
        attributes = None if projected is None else frozenset(projected.split(", "))
        return Call(table, action, item[PARTITION_KEYS[table]]["S"], attributes)
    if action == "Query":
        (key,) = (
            value["S"]
            for name, value in params["ExpressionAttributeValues"].items()
            if f"{PARTITION_KEYS[table]} = {name}" in params["KeyConditionExpression"]
        )
        return Call(table, action, key)
    return Call(table, action, None)

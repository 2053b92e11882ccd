"""Each function of the example may do its work, by the shipped policies and a few of its own."""

from __future__ import annotations

import json
import runpy
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es.dynamodb.tables.template import CHECKOUT, parse_yaml
from tests.examples.fronts import EXAMPLE, request_of
from tests.infra.policies import Call, calls_of, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

READ_MODEL = "read-model"
TEMPLATE = parse_yaml((EXAMPLE / "template.yaml").read_text(encoding="utf-8"))
PROJECTION = parse_yaml(CHECKOUT.with_name("projection.yaml").read_text(encoding="utf-8"))
ROLES = {
    "Command": TEMPLATE["Resources"]["CommandRole"],
    "Query": TEMPLATE["Resources"]["QueryRole"],
    # The nested stacks'.
    "Balances": PROJECTION["Resources"]["Role"],
    "Activity": PROJECTION["Resources"]["Role"],
}


def shipped(role: dict[str, Any]) -> list[str]:
    """Return which policies of infra/access.yaml a role has."""
    managed = [each.get("Fn::ImportValue", {}) for each in role["Properties"]["ManagedPolicyArns"]]
    names = [each["Fn::Sub"].partition("-")[2] for each in managed if each]
    return [name.removesuffix("Policy") for name in names]


def own(function: str) -> set[str]:
    """Return the actions on the read models' table that the example's own policies allow."""
    if function in {"Balances", "Activity"}:
        parameters = TEMPLATE["Resources"][function]["Properties"]["Parameters"]
        assert parameters["ReadModelPolicyArn"] == {"Ref": "WriteReadModel"}
        policies = [TEMPLATE["Resources"]["WriteReadModel"]["Properties"]]
    else:
        policies = ROLES[function]["Properties"].get("Policies", [])
    found: set[str] = set()
    for policy in policies:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Resource"] == {"Fn::GetAtt": ["ReadModel", "Arn"]}
            found |= {action.removeprefix("dynamodb:") for action in statement["Action"]}
    return found


@pytest.fixture(scope="module")
def sent() -> Iterator[dict[str, set[Call]]]:
    """What the functions send, in all that can become of them: conflicts, gaps, repetitions."""
    path = list(sys.path)
    local = runpy.run_path(str(EXAMPLE / "local.py"))["Local"]()
    application = local.application
    sequencer, balances, activity = local._mappings
    found: dict[str, set[Call]] = defaultdict(set)

    def noted(function: str, *calls: Any) -> None:
        with calls_of(local.backend) as seen:
            for call in calls:
                call()
        found[function] |= set(seen)

    def commands() -> None:
        for account in ("ann", "bob"):
            for command in ("open", "deposit", "withdraw"):
                body = json.dumps({"owner": "x", "amount": 5}).encode()
                place, key = f"/accounts/{account}/{command}", {"x-tenant": "acme"}
                for given in (key, key | {"idempotency-key": command}):
                    application.command_handler(request_of("POST", place, body, given))

    def queries() -> None:
        for place in ("/accounts/ann", "/accounts/ann/statement", "/activity", "/"):
            request = request_of("GET", place, headers={"x-tenant": "acme"})
            assert application.query_handler(request)["statusCode"] == 200

    handle = balances._function
    for round_ in range(2):
        noted("Command", commands)
        sequencer.poll()
        # The first round's records never come: the second one finds a gap.
        balances._function = handle if round_ else lambda _: {"batchItemFailures": []}
        noted("Balances", balances.poll, lambda: handle({"dynamo_es": "upkeep"}))
        noted("Activity", activity.poll, lambda: activity._function({"dynamo_es": "upkeep"}))
    noted("Query", queries)
    yield found
    sys.path[:] = path


@pytest.mark.parametrize("function", ROLES)
def test_a_function_may_send_what_it_sends(sent, function):
    # The stream is read by the event source mapping, which is a part of the emulator here.
    to_the_store = {
        call for call in sent[function] if call.table not in {READ_MODEL, "events' stream"}
    }

    assert to_the_store or function == "Query"
    assert refused(shipped(ROLES[function]), to_the_store) == set()


@pytest.mark.parametrize("function", ROLES)
def test_a_function_may_do_no_more_to_the_read_models_than_it_does(sent, function):
    done = {call.action for call in sent[function] if call.table == READ_MODEL}

    if function == "Activity":
        assert done == {"PutItem"}  # it shares the policy of the balances
    else:
        assert done == own(function)


def test_commands_reach_no_read_model_and_queries_no_event():
    assert shipped(ROLES["Command"]) == ["Writers"]
    assert own("Command") == set()
    assert shipped(ROLES["Query"]) == []

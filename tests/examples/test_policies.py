"""Each function of the example may do its work and nothing else."""

from __future__ import annotations

import json
import runpy
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from dynamo_es.dynamodb.tables.template import parse_yaml
from dynamo_es.dynamodb.wire.statements import table_of

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "accounts"
TABLES = {"events": "EventsTableArn", "log": "LogTableArn", "read-model": "ReadModel"}


RARE = {
    # Where a reply was lost, and where a record never came.
    "Sequencer": {("log", "GetItem"), ("events", "Query")},
}


def allowed() -> dict[str, set[tuple[str, str]]]:
    """Return what the template allows each function, by table."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    template = parse_yaml((EXAMPLE / "template.yaml").read_text(encoding="utf-8"))
    for name, resource in template["Resources"].items():
        for policy in resource["Properties"].get("Policies", ()):
            for statement in policy["Statement"]:
                (table,) = (
                    table
                    for table, words in TABLES.items()
                    if words in json.dumps(statement["Resource"])
                )
                actions = statement["Action"]
                for action in [actions] if isinstance(actions, str) else actions:
                    found[name].add((table, action.removeprefix("dynamodb:")))
    return found


@pytest.fixture(scope="module")
def sent() -> dict[str, set[tuple[str, str]]]:
    """What the functions send, in all that can become of them: conflicts, gaps, failures."""
    path = list(sys.path)
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    local = runpy.run_path(str(EXAMPLE / "local.py"))["Local"]()
    name = ""

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        body = json.loads(params["body"])
        if "Statements" in body:
            for statement in body["Statements"]:
                # IAM has an action for each kind of statement.
                kind = statement["Statement"].split()[0].capitalize()
                found[name].add((table_of(statement), f"PartiQL{kind}"))
            return
        for table in [body["TableName"]] if "TableName" in body else body["RequestItems"]:
            found[name].add((table, model.name))

    local.backend.client.meta.events.register("before-call.dynamodb", note)
    application = local.application
    for round_ in range(2):
        name = "Command"
        for account in ("ann", "bob"):
            for command in ("open", "deposit", "withdraw"):
                application.command_handler(request(account, command))
        name = ""
        events, also_events, log = local._mappings
        name = "Sequencer"
        events.poll()
        name = "Balances"
        also_events._function, function = (
            (lambda _: {"batchItemFailures": []}),
            also_events._function,
        )
        if round_:  # the first round was lost: there is a gap
            also_events._function = function
        also_events.poll()
        also_events._function = function
        name = "Activity"
        log.poll()
        name = "Query"
        application.query_handler(request("ann", ""))
        application.query_handler({**request("ann", ""), "pathParameters": None})
    sys.path[:] = path
    return found


def request(account: str, command: str) -> dict[str, Any]:
    return {
        "pathParameters": {"account": account, "command": command},
        "body": json.dumps({"owner": "x", "amount": 5}),
        "requestContext": {"authorizer": {"jwt": {"claims": {"tenant": "acme"}}}},
    }


@pytest.mark.parametrize("function", ["Command", "Query", "Sequencer", "Balances", "Activity"])
def test_a_function_is_allowed_what_it_sends_and_no_more(sent, function):
    assert allowed()[function] == sent[function] | RARE.get(function, set())

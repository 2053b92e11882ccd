"""infra/app.yaml has all that the other templates have, and is made from them."""

from __future__ import annotations

import runpy
import sys
from typing import Any

import pytest

from dynamo_es.dynamodb.tables.template import CHECKOUT, parse_yaml

INFRA = CHECKOUT.parent
APP = parse_yaml((INFRA / "app.yaml").read_text(encoding="utf-8"))
OTHERS = {
    path.stem: parse_yaml(path.read_text(encoding="utf-8"))
    for path in INFRA.glob("*.yaml")
    # These two take the place of the tables of one region.
    if path.stem not in {"app", "global-event-store", "existing-tables"}
}


@pytest.fixture(scope="module")
def script():
    """The script that makes the files."""
    path = list(sys.path)
    yield runpy.run_path(str(INFRA.parent / "scripts" / "_infra.py"))
    sys.path[:] = path


def test_what_is_made_from_the_templates_is_current(script):
    for path, text in script["made"]():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run scripts/infra"


def test_every_resource_of_every_template_is_there():
    kinds = sorted(each["Type"] for each in APP["Resources"].values())

    assert kinds == sorted(
        each["Type"] for other in OTHERS.values() for each in other["Resources"].values()
    )


def conditions(component: str) -> set[str | None]:
    return {
        resource.get("Condition")
        for name, resource in APP["Resources"].items()
        if name.startswith(component) and resource["Type"] != "AWS::IAM::ManagedPolicy"
    }


@pytest.mark.parametrize("component", ["Sequencer", "Outbox", "ReadModel"])
def test_a_function_is_there_only_if_it_is_asked_for(component):
    found = {str(each).partition("And")[0] for each in conditions(component)}
    assert found == {f"Has{component}"}


def test_tables_and_policies_are_always_there():
    assert conditions("EventsTable") == conditions("LogTable") == conditions("KeysTable") == {None}
    assert "Condition" not in APP["Resources"]["Writers"]


def test_nothing_is_imported_from_another_stack():
    assert "Fn::ImportValue" not in str(APP)
    assert not {"EventStore", "Access"} & APP["Parameters"].keys()


def test_every_reference_is_to_something_that_is_there():
    known = {*APP["Parameters"], *APP["Resources"]}
    for name in _referred(APP):
        assert name.startswith("AWS::") or name in known, name


def _referred(node: Any) -> Any:
    if isinstance(node, dict):
        if isinstance(node.get("Ref"), str):
            yield node["Ref"]
        if isinstance(node.get("Fn::GetAtt"), list):
            yield node["Fn::GetAtt"][0]
        node = list(node.values())
    if isinstance(node, list):
        for entry in node:
            yield from _referred(entry)


def test_every_parameter_has_a_default_so_that_one_command_deploys_it():
    assert [name for name, each in APP["Parameters"].items() if "Default" not in each] == []


def test_more_read_models_can_import_what_this_stack_exports():
    exported = {each["Export"]["Name"]["Fn::Sub"] for each in APP["Outputs"].values()}

    for name in ("EventsTableName", "LogStreamArn", "ConsumersPolicy"):
        assert f"${{AWS::StackName}}-{name}" in exported


@pytest.mark.parametrize("function", ["Sequencer", "Outbox", "ReadModel"])
def test_the_role_of_every_function_is_an_output(function):
    assert APP["Outputs"][f"{function}RoleName"]["Value"] == {"Ref": f"{function}Role"}


@pytest.mark.ci
def test_cfn_lint_has_no_findings():
    from cfnlint.api import lint_file  # type: ignore[import-untyped]  # takes a second to load

    assert lint_file(INFRA / "app.yaml") == []

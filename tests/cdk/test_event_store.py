"""The construct makes what infra/app.yaml defines, with your parameters."""

from __future__ import annotations

import json
import zipfile
from typing import Any

import pytest

cdk: Any = pytest.importorskip("aws_cdk", reason="scripts/cdk installs it, and runs this")

from aws_cdk import aws_iam  # noqa: E402
from aws_cdk.assertions import Match, Template  # noqa: E402

from dynamo_es.cdk import EventStore  # noqa: E402
from dynamo_es.dynamodb.tables.template import parse_yaml, template_path  # noqa: E402
from dynamo_es.exceptions import ConfigurationError  # noqa: E402

pytestmark = pytest.mark.ci
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0aa0a0a0-0000-0000-0000-000000000000"


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("app.py", "")
    return path


@pytest.fixture
def stack():
    return cdk.Stack(cdk.App(), "Shop")


def test_it_has_every_resource_of_the_template(stack, package):
    EventStore(stack, "Store", package=package)

    made = Template.from_stack(stack).to_json()["Resources"].values()

    defined = parse_yaml(template_path("app").read_text())["Resources"].values()
    assert sorted(each["Type"] for each in made) == sorted(each["Type"] for each in defined)


def test_parameters_and_variables_reach_the_functions(stack, package):
    EventStore(
        stack,
        "Store",
        package=package,
        parameters={"NamePrefix": "shop", "SequencerMemorySize": 1024, "KmsKeyArn": KEY},
        environment={"STAGE": "test"},
    )

    made = Template.from_stack(stack)
    made.has_resource_properties("AWS::DynamoDB::Table", {"TableName": {"Fn::Sub": "shop-events"}})
    functions = made.find_resources("AWS::Lambda::Function").values()
    sequencer, *_ = (each["Properties"] for each in functions)
    assert sequencer["Handler"] == "dynamo_es.aws_lambda.sequencer.handler"
    assert str(sequencer["MemorySize"]) == "1024"
    assert sequencer["Environment"]["Variables"]["STAGE"] == "test"
    assert KEY in json.dumps(made.to_json())


def test_the_package_becomes_an_asset_whose_key_is_its_content(stack, package):
    EventStore(stack, "Store", package=package)
    before = json.dumps(Template.from_stack(stack).to_json())
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr("more.py", "")
    other = cdk.Stack(cdk.App(), "Shop")
    EventStore(other, "Store", package=package)

    assert json.dumps(Template.from_stack(other).to_json()) != before


def test_tables_stay_when_the_stack_goes(stack):
    EventStore(stack, "Store")

    Template.from_stack(stack).all_resources(
        "AWS::DynamoDB::Table", {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    )


def test_without_a_package_the_sequencer_is_off(stack):
    EventStore(stack, "Store")

    conditions = Template.from_stack(stack).to_json()["Conditions"]
    (sequencer,) = [each for name, each in conditions.items() if "HasSequencer" in name]
    assert sequencer == {"Fn::Equals": ["false", "true"]}


def test_a_function_without_a_package_is_refused(stack):
    with pytest.raises(ConfigurationError, match="OutboxTargetArn asks for a function"):
        EventStore(stack, "Store", parameters={"OutboxTargetArn": "arn:aws:sqs:x:1:q"})


def test_a_role_gets_the_policy_of_its_task(stack):
    store = EventStore(stack, "Store")
    role = aws_iam.Role(stack, "Api", assumed_by=aws_iam.ServicePrincipal("lambda.amazonaws.com"))

    store.grant("Writers", role)

    made = Template.from_stack(stack)
    (policy,) = [name for name in made.to_json()["Resources"] if name.endswith("Writers")] or [""]
    roles = made.find_resources(
        "AWS::IAM::Role", {"Properties": {"ManagedPolicyArns": Match.any_value()}}
    )
    text = json.dumps(roles)
    assert "Writers" in text
    assert policy in text
    with pytest.raises(ConfigurationError, match="no policy 'Owners'"):
        store.grant("Owners", role)


def test_a_program_finds_the_tables_by_variables(stack):
    found = stack.resolve(EventStore(stack, "Store").variables)

    assert found.keys() == {f"DYNAMO_ES_{name}_TABLE" for name in ("EVENTS", "LOG", "KEYS")}
    assert all("Ref" in each for each in found.values())


def test_several_stores_fit_into_one_stack(stack):
    for name in ("shop", "bank"):
        EventStore(stack, name, parameters={"NamePrefix": name})

    assert len(Template.from_stack(stack).find_resources("AWS::DynamoDB::Table")) == 6

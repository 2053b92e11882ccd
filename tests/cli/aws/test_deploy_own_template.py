"""`dynamo-es deploy --template`: a template of your own, with its package and its nested stacks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynamo_es.cli.aws.account import Account
from dynamo_es.cli.aws.deploying import template
from dynamo_es.cli.aws.package_options import PackageOptions
from dynamo_es.exceptions import ConfigurationError
from tests.cli.aws.test_deploy import BUCKET, World, given, package, stack, summary

__all__ = ["package"]

OWN = """
# A comment of yours.
Parameters:
  Issuer: { Type: String, AllowedPattern: "https://.+", Description: Who issues the tokens. }
  CodeBucket: { Type: String }
  CodeKey: { Type: String }
  Runtime: { Type: String, Default: python3.13 }
Resources:
  Api:
    Type: AWS::Lambda::Function
    Properties: { Handler: app.handler, Code: { S3Bucket: !Ref CodeBucket, S3Key: !Ref CodeKey } }
"""
NESTED = """
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: parts/inner.yaml }
  Elsewhere:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: "https://s3.aws/mine/other.yaml" }
"""
ISSUER = {"Issuer": "https://a.example"}


@pytest.fixture
def own(tmp_path):
    """A template without nested stacks."""
    path = tmp_path / "api.yaml"
    path.write_text(OWN)
    return path


def test_it_gets_its_package_and_no_tables(package, own):
    world = World(describe_table={})

    world.prepare(package, template=own, parameters=ISSUER)

    (request,) = world.all_of("create_change_set")
    assert given(request) == {
        **ISSUER,
        "CodeBucket": BUCKET,
        "CodeKey": world.all_of("put_object")[0]["Key"],
        "Runtime": "python3.13",
    }
    assert world.all_of("describe_table") == []
    assert "CAPABILITY_AUTO_EXPAND" in request["Capabilities"]
    (_, uploaded) = world.all_of("put_object")
    assert uploaded["Key"].startswith("my-app/api-")
    assert uploaded["Body"].decode() == OWN


def test_a_later_deployment_keeps_the_values_and_the_variables(package, own):
    before = template.with_variables(template.load(own), {"STAGE": "test"}, own)
    world = World(describe_stacks=stack(**ISSUER), get_template={"TemplateBody": before})

    world.prepare(package, template=own, variables={"NEW": "1"})

    (request,) = world.all_of("create_change_set")
    assert given(request)["Issuer"] == "as before"
    (_, uploaded) = world.all_of("put_object")
    function = json.loads(uploaded["Body"])["Resources"]["Api"]["Properties"]
    assert function["Environment"]["Variables"] == {"STAGE": "test", "NEW": "1"}


def test_files_of_nested_stacks_are_uploaded_and_addresses_stay(package, tmp_path, own):
    own.write_text(OWN + NESTED)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "inner.yaml").write_text(
        "Resources:\n  Queue: { Type: AWS::SQS::Queue }\n"
        "  Deeper: { Type: AWS::CloudFormation::Stack, Properties: { TemplateURL: deeper.yaml } }\n"
    )
    (tmp_path / "parts" / "deeper.yaml").write_text(
        "Resources:\n  Topic: { Type: AWS::SNS::Topic }\n"
    )
    world = World()

    world.prepare(package, template=own, parameters=ISSUER)

    _, deeper, inner, outer = world.all_of("put_object")
    found = json.loads(outer["Body"])["Resources"]
    assert found["Inner"]["Properties"]["TemplateURL"].endswith(f"/{BUCKET}/{inner['Key']}")
    assert found["Elsewhere"]["Properties"]["TemplateURL"] == "https://s3.aws/mine/other.yaml"
    assert found["Api"]["Properties"]["Code"]["S3Key"] == {"Ref": "CodeKey"}
    deeper_address = json.loads(inner["Body"])["Resources"]["Deeper"]["Properties"]["TemplateURL"]
    assert deeper_address.endswith(deeper["Key"])
    assert deeper["Key"].startswith("my-app/deeper-")


@pytest.mark.parametrize(
    ("text", "wanted", "message"),
    [
        (OWN, {}, r"give --parameter Issuer=VALUE\. Who issues the tokens\."),
        (OWN, {"parameters": {"Issuer": "x"}}, "Issuer must be text like"),
        (OWN, {"parameters": {"Sequencer": "true"}}, "no parameter 'Sequencer'"),
        (OWN, {"parameters": ISSUER, "import_tables": True}, "--import-tables does not work"),
        (
            "Resources: {}",
            {"package_options": PackageOptions(extra=["encryption"])},
            "does not take a package",
        ),
        ("Resources: [", {}, "is not YAML"),
        ("Parameters: {}", {}, "has no Resources"),
        (OWN + NESTED, {"parameters": ISSUER}, r"inner\.yaml cannot be read"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_deployed(own, text, wanted, message):
    own.write_text(text)
    world = World(head_bucket={}, head_object={})

    with pytest.raises(ConfigurationError, match=message):
        world.prepare(None, template=own, **wanted)

    assert world.all_of("create_change_set") == []


def test_a_template_that_is_missing_is_named(own):
    with pytest.raises(ConfigurationError, match=r"none\.yaml cannot be read"):
        World().prepare(None, template=own.with_name("none.yaml"))


def test_a_teardown_does_not_say_that_a_table_stays_which_your_template_deletes(run, monkeypatch):
    tables = {"Kept": "Retain", "Derived": "Delete"}
    body = {
        "Resources": {
            name: {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": policy}
            for name, policy in tables.items()
        }
    }
    summaries: list[dict[str, Any]] = [
        summary(name, "AWS::DynamoDB::Table", name.lower()) for name in tables
    ]
    world = World(
        describe_stacks=[stack(), stack("DELETE_COMPLETE")],
        list_stack_resources={"StackResourceSummaries": summaries},
        get_template={"TemplateBody": body},
        describe_stack_events={"StackEvents": []},
    )
    monkeypatch.setattr(Account, "connect", lambda _: world.cloud)

    ended = run("teardown", "--stack", "my-app", "--yes")

    assert ended.out == "Deleted the stack my-app.\nkept stays.\n"

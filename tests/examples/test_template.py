"""The example's template: limits, releases that an alarm ends, logs that end, and alarms."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dynamo_es.dynamodb.tables.template import CHECKOUT, parse_yaml
from tests.examples.fronts import EXAMPLE

TEMPLATE = parse_yaml((EXAMPLE / "template.yaml").read_text(encoding="utf-8"))
APP = parse_yaml(CHECKOUT.with_name("app.yaml").read_text(encoding="utf-8"))
PROJECTION = parse_yaml(CHECKOUT.with_name("projection.yaml").read_text(encoding="utf-8"))
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
FUNCTIONS = ("Command", "Query")
each_function = pytest.mark.parametrize("name", FUNCTIONS)


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[name]["Properties"]
    return found


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in RESOURCES.items() if each["Type"] == kind}


@pytest.mark.ci
def test_cfn_lint_has_no_findings():
    from cfnlint.api import lint_file  # type: ignore[import-untyped]  # takes a second to load

    assert lint_file(EXAMPLE / "template.yaml") == []


def test_what_it_imports_is_exported_by_the_stack_that_one_command_deploys():
    text = json.dumps(TEMPLATE)
    imported = set(re.findall(r'"Fn::ImportValue": \{"Fn::Sub": "\$\{EventStore\}-(\w+)"', text))
    exported = {each["Export"]["Name"]["Fn::Sub"] for each in APP["Outputs"].values()}

    assert imported == {"EventsTableName", "LogTableName", "KeysTableName", "WritersPolicy"}
    assert {f"${{AWS::StackName}}-{name}" for name in imported} <= exported


@pytest.mark.parametrize("name", ["Balances", "Activity"])
def test_a_read_model_is_a_stack_of_the_shipped_template(name):
    assert (EXAMPLE / properties(name)["TemplateURL"]).resolve() == CHECKOUT.with_name(
        "projection.yaml"
    )
    given = properties(name)["Parameters"]
    assert given.keys() <= PROJECTION["Parameters"].keys()
    needed = {key for key, each in PROJECTION["Parameters"].items() if "Default" not in each}
    assert needed <= given.keys()
    assert given["Source"] == {"Balances": "events", "Activity": "log"}[name]
    variables = PROJECTION["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    assert variables["READ_MODEL_TABLE"]["Fn::If"][1] == {"Ref": "ReadModelTable"}


@pytest.mark.parametrize("name", ["Balances", "Activity"])
def test_what_a_read_model_gives_up_goes_to_a_queue_that_the_stack_names(name):
    output = TEMPLATE["Outputs"][f"{name}FailureQueueUrl"]["Value"]

    assert output == {"Fn::GetAtt": [name, "Outputs.FailureQueueUrl"]}
    assert "FailureQueueUrl" in PROJECTION["Outputs"]


@each_function
def test_callers_reach_the_alias_and_never_the_newest_code(name):
    alias = {"Ref": f"{name}Alias"}

    assert properties(f"{name}Integration")["IntegrationUri"] == alias
    assert properties(f"{name}Permission")["FunctionName"] == alias
    assert properties(f"{name}Alias")["FunctionVersion"] == {
        "Fn::GetAtt": [f"{name}Version", "Version"]
    }


@each_function
def test_a_change_of_code_or_settings_is_another_version_and_the_one_before_stays(name):
    (text,) = properties(f"{name}Version")["Description"].values()
    function = json.dumps(properties(f"{name}Function"))
    # Of a type that no version keeps.
    settings = set(re.findall(r'"Ref": "(\w+)"', function)) & TEMPLATE["Parameters"].keys()
    settings -= {"CodeBucket", "Architecture", "Concurrency"}

    assert set(re.findall(r"\$\{(\w+)\}", text)) == settings | {"ReadModel"}
    assert RESOURCES[f"{name}Version"]["UpdateReplacePolicy"] == "Retain"


@each_function
def test_a_release_comes_gradually_and_an_alarm_ends_it(name):
    update = RESOURCES[f"{name}Alias"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    release = properties(f"{name}Release")

    assert update == {
        "ApplicationName": {"Ref": "Releases"},
        "DeploymentGroupName": {"Ref": f"{name}Release"},
    }
    assert properties("Releases")["ComputePlatform"] == "Lambda"
    assert TEMPLATE["Parameters"]["Deployment"]["Default"] == "LambdaCanary10Percent5Minutes"
    assert release["DeploymentStyle"] == {
        "DeploymentType": "BLUE_GREEN",
        "DeploymentOption": "WITH_TRAFFIC_CONTROL",
    }
    assert "DEPLOYMENT_STOP_ON_ALARM" in release["AutoRollbackConfiguration"]["Events"]
    alarms = [each["Name"]["Ref"] for each in release["AlarmConfiguration"]["Alarms"]]
    assert alarms == [f"{name}Errors", "ApiErrors"]
    (of_function, of_alias) = properties(f"{name}Errors")["Dimensions"]
    assert of_function["Value"] == {"Ref": f"{name}Function"}
    assert of_alias["Value"] == {"Fn::Sub": f"${{{name}Function}}:live"}


def test_the_api_takes_a_limited_number_of_requests():
    settings = properties("Stage")["DefaultRouteSettings"]

    assert settings["ThrottlingRateLimit"] == {"Ref": "RequestsPerSecond"}
    assert settings["ThrottlingBurstLimit"] == {"Ref": "Burst"}
    assert "MaxWriteRequestUnits" in json.dumps(properties("ReadModel")["OnDemandThroughput"])


def test_every_route_but_the_page_needs_a_token():
    routes = {each["Properties"]["RouteKey"]: each for each in of_type(ROUTE).values()}
    free = [key for key, each in routes.items() if each["Properties"]["AuthorizationType"] != "JWT"]

    assert len(routes) == 5
    assert free == ["GET /"]


ROUTE = "AWS::ApiGatewayV2::Route"


def test_a_function_answers_each_route_before_the_api_gives_up():
    for name in FUNCTIONS:
        seconds = properties(f"{name}Function")["Timeout"]
        assert 1000 * seconds < properties(f"{name}Integration")["TimeoutInMillis"] <= 30_000
    for route in of_type(ROUTE).values():
        kind = "Command" if route["Properties"]["RouteKey"].startswith("POST") else "Query"
        assert kind + "Integration" in route["Properties"]["Target"]["Fn::Sub"]


def test_no_log_is_kept_forever_and_none_names_a_path_or_an_address():
    groups = of_type("AWS::Logs::LogGroup")
    for group in groups.values():
        assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert len(groups) == 3
    for name in FUNCTIONS:
        assert properties(f"{name}Function")["LoggingConfig"]["LogFormat"] == "JSON"
    logged = json.loads(properties("Stage")["AccessLogSettings"]["Format"])
    assert logged["request_id"] == "$context.requestId"
    assert not {"$context.path", "$context.identity.sourceIp"} & set(logged.values())


def test_every_alarm_names_what_to_do():
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    for alarm in of_type("AWS::CloudWatch::Alarm").values():
        assert (
            "docs/examples/accounts#when-an-alarm-goes-off"
            in (alarm["Properties"]["AlarmDescription"])
        )
        assert "AlarmTopicArn" in json.dumps(alarm["Properties"]["AlarmActions"])
    assert "## When an alarm goes off" in readme

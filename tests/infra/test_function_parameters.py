"""What you can choose about the functions of the templates, without editing a template."""

from __future__ import annotations

from typing import Any

import pytest

from dynamo_es.dynamodb.tables.template import CHECKOUT, parse_yaml

NAMES = ("sequencer", "projection", "outbox")
CONSUMERS = ("projection", "outbox")
TEMPLATES: dict[str, dict[str, Any]] = {
    name: parse_yaml(CHECKOUT.with_name(f"{name}.yaml").read_text(encoding="utf-8"))
    for name in NAMES
}
NOTHING = {"Ref": "AWS::NoValue"}

every_function = pytest.mark.parametrize("name", NAMES)


def properties(name: str, resource: str) -> dict[str, Any]:
    found: dict[str, Any] = TEMPLATES[name]["Resources"][resource]["Properties"]
    return found


def not_empty(parameter: str) -> dict[str, Any]:
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


def listed(parameter: str) -> dict[str, Any]:
    return {"Fn::Split": [",", {"Ref": parameter}]}


def statement(action: str, resource: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


@every_function
@pytest.mark.parametrize(
    ("parameter", "default"),
    [
        ("MemorySize", 512),
        ("Timeout", 60),
        ("BatchSize", 100),
        ("Layers", ""),
        ("SubnetIds", ""),
        ("SecurityGroupIds", ""),
        ("ExtraPolicyArn", ""),
        ("KmsKeyArn", ""),
        ("Tracing", "PassThrough"),
        ("LogFormat", "JSON"),
        ("LogLevel", "INFO"),
        ("LogRetentionDays", 30),
    ],
)
def test_a_parameter_has_a_default_that_changes_nothing(name, parameter, default):
    assert TEMPLATES[name]["Parameters"][parameter]["Default"] == default


@every_function
def test_memory_time_layers_and_tracing_are_those_that_you_choose(name):
    function = properties(name, "Function")

    assert function["MemorySize"] == {"Ref": "MemorySize"}
    assert function["Timeout"] == {"Ref": "Timeout"}
    assert function["Layers"] == {"Fn::If": ["HasLayers", listed("Layers"), NOTHING]}
    assert function["TracingConfig"] == {"Mode": {"Ref": "Tracing"}}


@every_function
def test_the_function_writes_to_its_log_group_in_the_format_that_you_choose(name):
    assert properties(name, "Function")["LoggingConfig"] == {
        "LogGroup": {"Ref": "Logs"},
        "LogFormat": {"Ref": "LogFormat"},
        "ApplicationLogLevel": {"Fn::If": ["LogsJson", {"Ref": "LogLevel"}, NOTHING]},
    }
    logs = properties(name, "Logs")
    assert logs["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    # With a name, it would be in the way of the next deployment, if Lambda wrote a last line.
    assert "LogGroupName" not in logs


@every_function
def test_a_function_in_a_vpc_has_the_permission_to_be_there(name):
    subnets = {name: listed(name) for name in ("SubnetIds", "SecurityGroupIds")}
    assert properties(name, "Function")["VpcConfig"] == {"Fn::If": ["HasVpc", subnets, NOTHING]}
    policies = [each["Fn::If"] for each in managed(name) if "Fn::If" in each]
    names = {condition: str(policy) for condition, policy, otherwise in policies}
    assert [otherwise for *_, otherwise in policies] == [NOTHING] * 3
    assert "AWSLambdaVPCAccessExecutionRole" in names["HasVpc"]
    assert "AWSXRayDaemonWriteAccess" in names["IsTraced"]
    assert names["HasExtraPolicy"] == str({"Ref": "ExtraPolicyArn"})


def managed(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = properties(name, "Role")["ManagedPolicyArns"]
    return found


@every_function
def test_with_your_kms_key_the_role_may_decrypt_and_without_it_the_statement_is_left_out(name):
    statements = properties(name, "Role")["Policies"][0]["PolicyDocument"]["Statement"]
    allowed = statement("kms:Decrypt", {"Ref": "KmsKeyArn"})

    assert {"Fn::If": ["HasKmsKey", allowed, NOTHING]} in statements
    assert TEMPLATES[name]["Conditions"]["HasKmsKey"] == not_empty("KmsKeyArn")


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_consumer_can_read_fields_whose_keys_your_kms_key_encrypts(name):
    statements = properties(name, "Role")["Policies"][0]["PolicyDocument"]["Statement"]
    allowed = statement("kms:Decrypt", {"Ref": "FieldKmsKeyArn"})

    assert {"Fn::If": ["HasFieldKey", allowed, NOTHING]} in statements
    variables = properties(name, "Function")["Environment"]["Variables"]
    assert variables["DYNAMO_ES_KMS_KEY_ID"] == {
        "Fn::If": ["HasFieldKey", {"Ref": "FieldKmsKeyArn"}, NOTHING]
    }


@every_function
def test_role_and_logs_are_outputs(name):
    outputs = TEMPLATES[name]["Outputs"]

    assert outputs["RoleName"]["Value"] == {"Ref": "Role"}
    assert outputs["LogGroupName"]["Value"] == {"Ref": "Logs"}


def test_for_your_own_roles_there_is_a_policy_for_your_kms_key():
    access = parse_yaml(CHECKOUT.with_name("access.yaml").read_text(encoding="utf-8"))

    policy = access["Resources"]["KeyUsers"]
    assert policy["Condition"] == "HasKmsKey"
    assert policy["Properties"]["PolicyDocument"]["Statement"] == [
        {"Sid": "TablesKey", **statement("kms:Decrypt", {"Ref": "KmsKeyArn"})}
    ]
    assert access["Conditions"]["HasKmsKey"] == not_empty("KmsKeyArn")

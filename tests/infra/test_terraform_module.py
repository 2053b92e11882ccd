"""The Terraform module: Terraform reads it, and computes what the template means.

The provider cannot be had here. So each resource becomes a value that Terraform itself computes,
and the names of properties are compared with those of the provider's documentation.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest

from dynamo_es.dynamodb.tables.template import CHECKOUT, parse_yaml

INFRA = CHECKOUT.parent
APP = parse_yaml((INFRA / "app.yaml").read_text(encoding="utf-8"))
TERRAFORM = shutil.which("terraform")

sys.path.insert(0, str(INFRA.parent / "scripts"))
try:
    _hcl: Any = import_module("_hcl")
    _terraform_module: Any = import_module("_terraform_module")
finally:
    sys.path.pop(0)

needs_terraform = pytest.mark.skipif(TERRAFORM is None, reason="terraform is not installed")
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0aa0a0a0-0000-0000-0000-000000000000"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:target"


# Names


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("SSESpecification", "sse_specification"),
        ("KMSMasterKeyId", "kms_master_key_id"),
        ("SSEEnabled", "sse_enabled"),
        ("S3Bucket", "s3_bucket"),
        ("PointInTimeRecoveryEnabled", "point_in_time_recovery_enabled"),
        ("MaximumBatchingWindowInSeconds", "maximum_batching_window_in_seconds"),
        ("BisectBatchOnFunctionError", "bisect_batch_on_function_error"),
        ("OKActions", "ok_actions"),
        ("ManagedPolicyArns", "managed_policy_arns"),
        ("RetentionInDays", "retention_in_days"),
        ("StreamArn", "stream_arn"),
    ],
)
def test_a_property_has_the_name_that_the_provider_documents(ours, theirs):
    assert _terraform_module.snake(ours) == theirs


def test_every_resource_and_every_parameter_of_the_template_is_there():
    text = "".join(path.read_text() for path in (INFRA / "terraform").glob("*.tf"))

    assert len(re.findall(r'^resource "awscc_', text, re.MULTILINE)) == len(APP["Resources"])
    for name in APP["Parameters"]:
        assert f'variable "{_terraform_module.snake(name)}"' in text
    for name in APP["Outputs"]:
        assert f'output "{_terraform_module.snake(name)}"' in text


def test_a_table_that_stays_with_cloudformation_stays_with_terraform():
    text = (INFRA / "terraform" / "main.tf").read_text()

    assert text.count("prevent_destroy = true") == 3


def test_a_text_is_never_taken_for_an_expression():
    assert _hcl.quoted("${aws:PrincipalTag/tenant}#%{x}") == '"$${aws:PrincipalTag/tenant}#%%{x}"'


@needs_terraform
@pytest.mark.ci
def test_terraform_formats_it_the_same_way():
    done = terraform(INFRA / "terraform", "fmt", "-check", "-diff")

    assert done.returncode == 0, done.stdout


# What Terraform computes


class Computed(_terraform_module.Module):  # type: ignore[misc]  # a script, not a package
    """The module with values in place of resources, and names in place of their attributes."""

    def _resources(self) -> Any:
        for name, resource in self._template["Resources"].items():
            value = _hcl.Expression.of(self._properties(resource["Properties"]))
            if "Condition" in resource:
                condition = _terraform_module.snake(resource["Condition"])
                value = f"local.{condition} ? {value} : null"
            yield _hcl.block(f'output "resource_{name}"', {"value": _hcl.Expression(value)})

    def _reference(self, name: str, attribute: str | None) -> str:
        if name in self._template["Resources"]:
            return f'"{name}.{attribute or "Ref"}"'
        return super()._reference(name, attribute)


def terraform(folder: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert TERRAFORM is not None
    return subprocess.run(  # noqa: S603 - Terraform
        [TERRAFORM, *arguments],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "CHECKPOINT_DISABLE": "1"},
    )


@pytest.fixture
def computed(tmp_path):
    """Return a function: what Terraform computes with variables, by the template's names."""
    for name, text in Computed(APP).files().items():
        if name != "versions.tf":
            (tmp_path / name).write_text(text)

    def compute(**variables: Any) -> dict[str, Any]:
        (tmp_path / "terraform.tfvars.json").write_text(
            json.dumps({"region": "eu-west-1"} | variables)
        )
        done = terraform(tmp_path, "apply", "-auto-approve", "-no-color")
        assert done.returncode == 0, done.stderr
        found = json.loads(terraform(tmp_path, "output", "-json").stdout)
        return {
            name.removeprefix("resource_"): each["value"]
            for name, each in found.items()
            if name.startswith("resource_")
        }

    return compute


@needs_terraform
@pytest.mark.ci
def test_tables_only_are_tables_and_policies(computed):
    found = computed(sequencer=False, name_prefix="shop")

    kinds = {APP["Resources"][name]["Type"] for name, each in found.items() if each is not None}
    assert kinds == {"AWS::DynamoDB::Table", "AWS::IAM::ManagedPolicy"}
    events = found["EventsTable"]
    assert events["table_name"] == "shop-events"
    assert json.loads(events["key_schema"]) == [
        {"AttributeName": "stream_key", "KeyType": "HASH"},
        {"AttributeName": "version", "KeyType": "RANGE"},
    ]
    assert events["sse_specification"]["sse_enabled"] is False
    assert events["on_demand_throughput"] is None
    writers = json.loads(found["OneTenant"]["policy_document"])
    assert writers["Statement"][0]["Condition"]["ForAllValues:StringLike"] == {
        "dynamodb:LeadingKeys": ["${aws:PrincipalTag/tenant}#*"]
    }


@needs_terraform
@pytest.mark.ci
def test_everything_is_what_the_template_means(computed):
    found = computed(
        code_bucket="code",
        code_key="package.zip",
        outbox_target_arn=QUEUE,
        read_model_handler="app.balances",
        read_model_policy_arn="arn:aws:iam::123456789012:policy/read-model",
        alarm_topic_arn="arn:aws:sns:eu-west-1:123456789012:alarms",
        kms_key_arn=KEY,
        subnet_ids="subnet-1,subnet-2",
        security_group_ids="sg-1",
        environment={"STAGE": "test"},
    )

    assert [name for name, each in found.items() if each is None] == []
    sequencer = found["SequencerFunction"]
    assert sequencer["code"] == {"s3_bucket": "code", "s3_key": "package.zip"}
    assert sequencer["vpc_config"]["subnet_ids"] == ["subnet-1", "subnet-2"]
    assert sequencer["layers"] is None
    variables = sequencer["environment"]["variables"]
    assert variables["STAGE"] == "test"
    assert variables["DYNAMO_ES_EVENTS_TABLE"] == "EventsTable.Ref"
    role = found["SequencerRole"]
    assert "VPCAccess" in str(role["managed_policy_arns"])
    assert None not in role["managed_policy_arns"]
    assert KEY in role["policies"][0]["policy_document"]
    assert found["EventsTable"]["sse_specification"]["kms_master_key_id"] == KEY
    assert found["ReadModelMapping"]["event_source_arn"] == "EventsTable.StreamArn"


@needs_terraform
@pytest.mark.ci
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"log_scope": "world"}, "log_scope must be one of table, tenant"),
        ({"sequencer_memory_size": 64}, "sequencer_memory_size must be 128 or more"),
        ({"kms_key_arn": "alias/x"}, "an alias does not work"),
        ({"outbox_source": "aws.events"}, "outbox_source must not be empty or begin with aws"),
    ],
)
def test_a_wrong_variable_is_refused(tmp_path, variables, message):
    for name, text in Computed(APP).files().items():
        if name != "versions.tf":
            (tmp_path / name).write_text(text)
    (tmp_path / "terraform.tfvars.json").write_text(json.dumps({"region": "x"} | variables))

    done = terraform(tmp_path, "plan", "-no-color")

    assert done.returncode == 1
    assert message in " ".join(done.stderr.replace("\u2502", "").split())

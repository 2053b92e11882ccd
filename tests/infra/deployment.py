"""Deploys the stacks into moto and uses them; a separate program that a test runs.

moto leaves files open, for which pytest would blame the tests that come next.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from moto import mock_aws

from dynamo_es import ANY_VERSION, DynamoBackend, DynamoConfig, StreamId
from dynamo_es.dynamodb.maintenance.repair import repair
from dynamo_es.dynamodb.tables.template import CHECKOUT
from dynamo_es.testing.conformance.language import events
from tests.infra.test_function_templates import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "eu-west-1"
STATEMENT = {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*"}


@contextmanager
def in_the_cloud() -> Iterator[Any]:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ[variable] = "testing"
    # Recent botocore puts the account into the host's name, which moto does not know.
    os.environ["AWS_ACCOUNT_ID_ENDPOINT_MODE"] = "disabled"
    # No function is run here: that would need Docker.
    with mock_aws(config={"lambda": {"use_docker": False}}):
        bucket = boto3.client("s3", region_name=REGION)
        bucket.create_bucket(
            Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("app.py", "")
        for key in ("dynamo_es.zip", "projection.zip"):
            bucket.put_object(Bucket="code", Key=key, Body=packed.getvalue())
        yield boto3.client("cloudformation", region_name=REGION)


def deploy(cloud: Any, template: str, stack: str, **parameters: str) -> dict[str, str]:
    """Deploy a template; return its outputs."""
    cloud.create_stack(
        StackName=stack,
        TemplateBody=CHECKOUT.with_name(f"{template}.yaml").read_text(encoding="utf-8"),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    (described,) = cloud.describe_stacks(StackName=stack)["Stacks"]
    assert described["StackStatus"] == "CREATE_COMPLETE"
    return {entry["OutputKey"]: entry["OutputValue"] for entry in described.get("Outputs", ())}


def main() -> None:
    """Deploy every stack, and use the tables."""
    with in_the_cloud() as cloud:
        deploy_and_use(cloud)


def deploy_and_use(cloud: Any) -> None:
    tables = deploy(cloud, "event-store", "store")
    deploy(cloud, "access", "access", EventStore="store")
    both = {"EventStore": "store", "Access": "access", "CodeBucket": "code"}
    deploy(cloud, "sequencer", "sequencer", **both)
    target = boto3.client("sqs", region_name=REGION).create_queue(QueueName="target")
    arn = "arn:aws:sqs:eu-west-1:123456789012:target"
    assert target["QueueUrl"]
    deploy(cloud, "outbox", "outbox", TargetArn=arn, **both)
    # Two stacks have two outboxes.
    deploy(cloud, "outbox", "second", TargetArn=arn, Name="second", **both)
    policy = boto3.client("iam", region_name=REGION).create_policy(
        PolicyName="read-model",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]}),
    )["Policy"]["Arn"]
    deploy(cloud, "projection", "p", ReadModelPolicyArn=policy, Handler="app.handler", **both)

    functions = boto3.client("lambda", region_name=REGION)
    deployed = functions.list_functions()["Functions"]
    assert len(deployed) == 4
    names = {one["Environment"]["Variables"].get("DYNAMO_ES_OUTBOX_NAME") for one in deployed}
    assert names == {None, "outbox", "second"}
    watch(cloud, tables)
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    assert len(mappings) == 4
    for mapping in mappings:
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]

    config = DynamoConfig(
        events_table=tables["EventsTableName"],
        log_table=tables["LogTableName"],
        keys_table=tables["KeysTableName"],
        region=REGION,
    )
    backend = DynamoBackend(config)
    stream = StreamId()
    backend.storage.insert_events(stream, ANY_VERSION, events(stream, 3))
    repair(config, lambda: backend.client)
    assert len(backend.storage.fetch_events(stream)) == 3
    assert backend.storage.current_position == 3


def watch(cloud: Any, tables: dict[str, str]) -> None:
    """Deploy the alarms, and give CloudWatch each alarm and the dashboard.

    moto's CloudFormation leaves out what it does not know, which these are.
    """
    topic = boto3.client("sns", region_name=REGION).create_topic(Name="alarms")["TopicArn"]
    deploy(cloud, "alarms", "alarms", EventStore="store", AlarmTopicArn=topic)
    watching = boto3.client("cloudwatch", region_name=REGION)
    values = {**tables, "Function": "function", "AlarmTopicArn": topic, "ConflictsPerMinute": 100}
    names = []
    for template in ("sequencer", "projection", "outbox", "alarms"):
        for name, resource in TEMPLATES[template]["Resources"].items():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                names.append(f"{template}-{name}")
                properties = resolved(resource["Properties"], values)
                watching.put_metric_alarm(AlarmName=names[-1], **properties)
    alarms = watching.describe_alarms(AlarmNames=names, MaxRecords=100)["MetricAlarms"]
    assert len(alarms) == len(names) > 30
    assert all("/how-to/runbooks/#" in alarm["AlarmDescription"] for alarm in alarms)
    assert all(alarm["AlarmActions"] == [topic] for alarm in alarms)
    dashboard = TEMPLATES["alarms"]["Resources"]["Dashboard"]["Properties"]
    body = resolved(dashboard["DashboardBody"], values)
    watching.put_dashboard(DashboardName="store", DashboardBody=body)
    assert tables["EventsTableName"] in str(json.loads(body))
    rules = boto3.client("events", region_name=REGION).list_rules()["Rules"]
    assert len(rules) == 5, "each function each minute, and the parked streams"


def resolved(node: Any, values: dict[str, Any]) -> Any:  # noqa: PLR0911 - a kind of reference each
    """Return a property with its references in place, as CloudFormation passes it on."""
    if isinstance(node, list):
        return [resolved(one, values) for one in node]
    if not isinstance(node, dict):
        return node
    if "Ref" in node:
        return values[node["Ref"]]
    if "Fn::If" in node:
        return resolved(node["Fn::If"][1], values)
    if "Fn::GetAtt" in node:
        return ".".join(node["Fn::GetAtt"])
    if "Fn::ImportValue" in node:
        return values[node["Fn::ImportValue"]["Fn::Sub"].removeprefix("${EventStore}-")]
    if "Fn::Sub" in node:
        text, inner = node["Fn::Sub"]
        for name, value in {**resolved(inner, values), "AWS::Region": REGION}.items():
            text = text.replace(f"${{{name}}}", value)
        return text
    return {key: resolved(one, values) for key, one in node.items()}


if __name__ == "__main__":
    main()

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
    policy = boto3.client("iam", region_name=REGION).create_policy(
        PolicyName="read-model",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]}),
    )["Policy"]["Arn"]
    deploy(cloud, "projection", "p", ReadModelPolicyArn=policy, Handler="app.handler", **both)

    functions = boto3.client("lambda", region_name=REGION)
    assert len(functions.list_functions()["Functions"]) == 3
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    assert len(mappings) == 3
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


if __name__ == "__main__":
    main()

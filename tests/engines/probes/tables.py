"""Creating tables and changing their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.engine import LOCAL, MOTO
from tests.engines.lab import key
from tests.engines.probe import ACCEPTED, INVALID, UNKNOWN, Probe, outcome

if TYPE_CHECKING:
    from tests.engines.lab import Lab

_CREATE = "API reference, CreateTable"
_NOT_FOUND = "ResourceNotFoundException"
_TAG = {"Key": "application", "Value": "engines"}
_RECOVERY = {"PointInTimeRecoveryEnabled": True}


def _expire(lab: Lab) -> Any:
    return lab.client.update_time_to_live(
        TableName=lab.table,
        TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True},
    )


def _expiry(lab: Lab) -> str:
    _expire(lab)
    found = lab.client.describe_time_to_live(TableName=lab.table)["TimeToLiveDescription"]
    return f"{found['AttributeName']}, {found['TimeToLiveStatus'] in ('ENABLING', 'ENABLED')}"


def _no_expiry(lab: Lab) -> str:
    found = lab.client.describe_time_to_live(TableName=lab.table)["TimeToLiveDescription"]
    return str(found["TimeToLiveStatus"])


def _backups(lab: Lab) -> str:
    reply = lab.client.describe_continuous_backups(TableName=lab.table)
    description = reply["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    return f"recovery {description['PointInTimeRecoveryStatus']}"


def _tags(lab: Lab) -> str:
    reply = lab.client.list_tags_of_resource(ResourceArn=lab.arn())
    return ", ".join(tag["Key"] for tag in reply["Tags"]) or "none"


def _tag_later(lab: Lab) -> str:
    lab.client.tag_resource(ResourceArn=lab.arn(), Tags=[_TAG])
    return _tags(lab)


def _tag_at_creation(lab: Lab) -> str:
    lab.table = lab.another_table(Tags=[_TAG])
    return _tags(lab)


def _delete_protected(lab: Lab) -> str:
    name = lab.another_table(DeletionProtectionEnabled=True)
    refused = outcome(lambda: lab.client.delete_table(TableName=name))
    if refused == "accepted":
        lab.forget(name)
    return refused


def _protected(lab: Lab) -> str:
    name = lab.another_table(DeletionProtectionEnabled=True)
    table = lab.client.describe_table(TableName=name)["Table"]
    return str(table.get("DeletionProtectionEnabled"))


def _billing(lab: Lab) -> str:
    table = lab.client.describe_table(TableName=lab.table)["Table"]
    return str(table.get("BillingModeSummary", {}).get("BillingMode"))


def _stream(lab: Lab) -> str:
    table = lab.client.describe_table(TableName=lab.table)["Table"]
    return f"{table['StreamSpecification']['StreamViewType']}, {'LatestStreamArn' in table}"


PROBES = [
    Probe(
        name="status of a table in the reply to its creation",
        does=lambda lab: lab.create_table(f"{lab.table}-new")["TableDescription"]["TableStatus"],
        answer="CREATING",
        source=_CREATE,
        instead={MOTO: "ACTIVE"},
    ),
    Probe(
        name="creation of a table that is there",
        does=lambda lab: lab.create_table(lab.table),
        answer="ResourceInUseException",
        source=_CREATE,
    ),
    Probe(
        name="creation with a definition of an attribute that is no key",
        does=lambda lab: lab.another_table(
            AttributeDefinitions=[
                {"AttributeName": "id", "AttributeType": "S"},
                {"AttributeName": "version", "AttributeType": "N"},
                {"AttributeName": "more", "AttributeType": "N"},
            ]
        ),
        answer=INVALID,
        source=f"{_CREATE}, AttributeDefinitions",
    ),
    Probe(
        name="billing mode in the description of a table billed by request",
        does=_billing,
        answer="PAY_PER_REQUEST",
        source="API reference, TableDescription, BillingModeSummary",
    ),
    Probe(
        name="stream in the description of a table",
        does=_stream,
        answer="NEW_IMAGE, True",
        source="API reference, TableDescription, StreamSpecification",
    ),
    Probe(
        name="protection in the description of a table",
        does=_protected,
        answer="True",
        source="API reference, TableDescription, DeletionProtectionEnabled",
    ),
    Probe(
        name="deletion of a protected table",
        does=_delete_protected,
        answer=INVALID,
        source="developer guide, Using deletion protection to protect your table",
    ),
    Probe(
        name="deletion of a table that is not there",
        does=lambda lab: lab.client.delete_table(TableName=f"{lab.table}-missing"),
        answer=_NOT_FOUND,
        source="API reference, DeleteTable",
    ),
    Probe(
        name="description of a table that is not there",
        does=lambda lab: lab.client.describe_table(TableName=f"{lab.table}-missing"),
        answer=_NOT_FOUND,
        source="API reference, DescribeTable",
    ),
    Probe(
        name="put to a table that is not there",
        does=lambda lab: lab.put(key(), TableName=f"{lab.table}-missing"),
        answer=_NOT_FOUND,
        source="API reference, PutItem",
    ),
    Probe(
        name="expiry of a new table",
        does=_no_expiry,
        answer="DISABLED",
        source="API reference, DescribeTimeToLive",
    ),
    Probe(
        name="expiry turned on",
        does=_expiry,
        answer="expires_at, True",
        source="API reference, UpdateTimeToLive",
    ),
    Probe(
        name="expiry turned on twice",
        does=lambda lab: [_expire(lab), _expire(lab)],
        answer=INVALID,
        source="API reference, UpdateTimeToLive",
        instead={MOTO: ACCEPTED, LOCAL: ACCEPTED},
    ),
    Probe(
        name="backups of a new table",
        does=_backups,
        answer="recovery DISABLED",
        source="API reference, DescribeContinuousBackups",
        instead={LOCAL: UNKNOWN},
    ),
    Probe(
        name="point-in-time recovery turned on",
        does=lambda lab: lab.client.update_continuous_backups(
            TableName=lab.table, PointInTimeRecoverySpecification=_RECOVERY
        ),
        source="API reference, UpdateContinuousBackups",
        instead={LOCAL: UNKNOWN},
    ),
    Probe(
        name="tags given at creation",
        does=_tag_at_creation,
        answer="application",
        source=f"{_CREATE}, Tags",
    ),
    Probe(
        name="tags given later",
        does=_tag_later,
        answer="application",
        source="API reference, TagResource",
    ),
]

"""The request that creates a table of the template."""

from __future__ import annotations

from dynamo_es.dynamodb.tables.requests import create_request
from dynamo_es.dynamodb.tables.template import load_template, resolve_tables


def test_it_has_the_templates_properties_under_the_name_that_was_given():
    properties = resolve_tables(load_template())["EventsTable"]
    assert create_request("mine", properties) == {
        "TableName": "mine",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": properties["AttributeDefinitions"],
        "KeySchema": properties["KeySchema"],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        "DeletionProtectionEnabled": True,
        "Tags": properties["Tags"],
    }


def test_a_table_without_a_stream_is_made_without():
    properties = resolve_tables(load_template())["KeysTable"]
    assert "StreamSpecification" not in create_request("keys", properties)


def test_it_names_the_key_that_encrypts_if_there_is_one():
    arn = "arn:aws:kms:us-east-1:123456789012:key/a"
    tables = resolve_tables(load_template(), {"KmsKeyArn": arn})
    encryption = create_request("events", tables["EventsTable"])["SSESpecification"]
    assert encryption == {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": arn}

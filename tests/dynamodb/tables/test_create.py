"""Tables match the template, however often and by however many processes they are created."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import boto3
import pytest

from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.dynamodb.emulator.emulator import Emulator
from dynamo_es.dynamodb.tables.create import POLLS, create_tables, delete_tables
from dynamo_es.dynamodb.tables.requests import create_request
from dynamo_es.dynamodb.tables.template import load_template, resolve_tables
from dynamo_es.exceptions import (
    ConfigurationError,
    CredentialsError,
    ServiceError,
    UnavailableError,
)
from tests.dynamodb.replies import Waits, answer, requests_of
from tests.engine import LOCAL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EMULATOR: Final = "moto"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "client" in metafunc.fixturenames:
        metafunc.parametrize("client", [EMULATOR, *([LOCAL] if _endpoint() else [])], indirect=True)


def _endpoint() -> str | None:
    return os.environ.get("DYNAMO_ES_TEST_ENDPOINT")


@pytest.fixture
def config() -> DynamoConfig:
    prefix = f"tables-{uuid4().hex}"
    return DynamoConfig(
        events_table=f"{prefix}-events",
        log_table=f"{prefix}-log",
        keys_table=f"{prefix}-keys",
        max_attempts=1,
    )


@pytest.fixture
def client(request, config):
    """A client of each engine at hand; what a test made is deleted after it."""
    if request.param == EMULATOR:
        client = Emulator().client(config)
    else:
        client = boto3.client(
            "dynamodb",
            endpoint_url=_endpoint(),
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - the local engine takes any
        )
    yield client
    delete_tables(client, config)


@pytest.fixture
def emulated(config) -> DynamoDBClient:
    """A client of the emulator, for tests that answer some requests in its place."""
    return Emulator().client(config)


def names(config) -> list[str]:
    return [config.events_table, config.log_table, config.keys_table]


def an_events_table(client, config, **changes) -> None:
    request = create_request(config.events_table, resolve_tables(load_template())["EventsTable"])
    client.create_table(**{**request, **changes})


def described(client, name):
    return client.describe_table(TableName=name)["Table"]


# Given nothing, when the tables are created


def test_they_are_what_the_template_says(client, config):
    create_tables(client, config)

    templates = resolve_tables(load_template())
    for name, template in zip(names(config), templates.values(), strict=True):
        table = described(client, name)
        assert table["TableStatus"] == "ACTIVE"
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert table["KeySchema"] == template["KeySchema"]
        assert table["AttributeDefinitions"] == template["AttributeDefinitions"]
        assert table["DeletionProtectionEnabled"] is True


def test_events_and_log_have_streams_and_keys_have_none(client, config):
    create_tables(client, config)

    streams = [described(client, name).get("StreamSpecification") for name in names(config)]
    new_images = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert streams[:2] == [new_images, new_images]
    assert streams[2] in (None, {"StreamEnabled": False})


def test_only_events_expire(client, config):
    create_tables(client, config)

    found = [
        client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        for name in names(config)
    ]
    assert found[0] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    assert [entry["TimeToLiveStatus"] for entry in found[1:]] == ["DISABLED", "DISABLED"]


def test_they_can_be_restored_to_any_second_and_are_tagged(emulated, config):
    create_tables(emulated, config)

    for name, component in zip(names(config), ("events", "log", "keys"), strict=True):
        backups = emulated.describe_continuous_backups(TableName=name)
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
        arn = described(emulated, name)["TableArn"]
        assert emulated.list_tags_of_resource(ResourceArn=arn)["Tags"] == [
            {"Key": "application", "Value": "dynamo_es"},
            {"Key": "component", "Value": component},
        ]


def test_what_an_emulator_lacks_is_passed_over(emulated, config):
    answer(emulated, "DescribeContinuousBackups", ["UnknownOperationException"])
    sent = requests_of(emulated)
    create_tables(emulated, config)
    assert sent["UpdateContinuousBackups"] == 0


def test_no_other_operation_may_be_lacking(emulated, config):
    answer(emulated, "DescribeTimeToLive", "UnknownOperationException")
    with pytest.raises(ServiceError, match=r"DescribeTimeToLive.*UnknownOperationException"):
        create_tables(emulated, config)


def test_it_waits_once_a_second_until_they_are_usable(emulated, config):
    create_tables(emulated, config)
    creating = {"Table": {**_plain(emulated, config.events_table), "TableStatus": "CREATING"}}
    waits = Waits()
    answer(emulated, "DescribeTable", None, None, None, creating, "ResourceNotFoundException")
    create_tables(emulated, config, waits)
    assert waits == [1, 1]


def test_it_gives_up_on_a_table_that_stays_unusable(emulated, config):
    create_tables(emulated, config)
    creating = {"Table": {**_plain(emulated, config.events_table), "TableStatus": "CREATING"}}
    waits = Waits()
    answer(emulated, "DescribeTable", None, None, None, [creating])
    with pytest.raises(
        UnavailableError, match=r"CREATING: It is still not usable after 120"
    ) as caught:
        create_tables(emulated, config, waits)
    assert caught.value.subject == config.events_table
    assert len(waits) == POLLS - 1


def test_backups_of_a_new_table_may_take_a_moment(emulated, config):
    unavailable = "ContinuousBackupsUnavailableException"
    waits = Waits()
    answer(emulated, "UpdateContinuousBackups", unavailable, unavailable)
    sent = requests_of(emulated)
    create_tables(emulated, config, waits)
    assert waits == [1, 1]
    assert sent["UpdateContinuousBackups"] == 3 + 2


def test_backups_that_stay_unavailable_are_an_error(emulated, config):
    answer(emulated, "UpdateContinuousBackups", ["ContinuousBackupsUnavailableException"])
    with pytest.raises(ServiceError, match="UpdateContinuousBackups") as caught:
        create_tables(emulated, config, Waits())
    assert caught.value.code == "ContinuousBackupsUnavailableException"


def test_a_refusal_of_aws_is_translated_and_keeps_its_cause(emulated, config):
    answer(emulated, "CreateTable", "AccessDeniedException")
    with pytest.raises(CredentialsError) as caught:
        create_tables(emulated, config)
    assert (caught.value.operation, caught.value.subject) == ("CreateTable", config.events_table)
    assert caught.value.__cause__ is not None


def test_one_table_for_two_purposes_is_refused(emulated):
    config = DynamoConfig(events_table="a", log_table="a", keys_table="b")
    sent = requests_of(emulated)
    with pytest.raises(ConfigurationError, match="three different tables"):
        create_tables(emulated, config)
    assert not sent


# Given tables, when they are created again


def test_nothing_is_changed(client, config):
    create_tables(client, config)
    before = [described(client, name) for name in names(config)]
    sent = requests_of(client)
    create_tables(client, config)
    assert {operation for operation in sent if not operation.startswith("Describe")} == set()
    assert [described(client, name) for name in names(config)] == before


def test_their_settings_stay_but_expiry_and_recovery_are_turned_on(client, config):
    an_events_table(
        client,
        config,
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        DeletionProtectionEnabled=False,
    )
    sent = requests_of(client)
    create_tables(client, config)
    table = described(client, config.events_table)
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 5
    assert table["DeletionProtectionEnabled"] is False
    ttl = client.describe_time_to_live(TableName=config.events_table)["TimeToLiveDescription"]
    assert ttl["TimeToLiveStatus"] == "ENABLED"
    assert sent["DescribeContinuousBackups"] == 3


@pytest.mark.parametrize(
    ("definitions", "schema", "found"),
    [
        (
            [("stream_key", "S"), ("version", "S")],
            [("stream_key", "HASH"), ("version", "RANGE")],
            r"stream_key \(HASH, S\), version \(RANGE, S\)",
        ),
        ([("id", "S")], [("id", "HASH")], r"id \(HASH, S\)"),
        (
            [("version", "N"), ("stream_key", "S")],
            [("version", "HASH"), ("stream_key", "RANGE")],
            r"version \(HASH, N\), stream_key \(RANGE, S\)",
        ),
    ],
)
def test_a_table_with_another_key_is_refused_and_nothing_is_made(
    client, config, definitions, schema, found
):
    an_events_table(
        client,
        config,
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind} for name, kind in definitions
        ],
        KeySchema=[{"AttributeName": name, "KeyType": role} for name, role in schema],
    )
    wanted = r"stream_key \(HASH, S\), version \(RANGE, N\)"
    with pytest.raises(ConfigurationError, match=f"is {found} instead of {wanted}"):
        create_tables(client, config)
    assert config.log_table not in client.list_tables()["TableNames"]


def test_the_order_in_which_a_key_is_described_is_no_difference(client, config):
    an_events_table(
        client,
        config,
        AttributeDefinitions=[
            {"AttributeName": "version", "AttributeType": "N"},
            {"AttributeName": "stream_key", "AttributeType": "S"},
        ],
    )
    create_tables(client, config)


def test_another_expiry_is_refused(client, config):
    an_events_table(client, config)
    client.update_time_to_live(
        TableName=config.events_table,
        TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True},
    )
    with pytest.raises(ConfigurationError, match="by ttl instead of expires_at"):
        create_tables(client, config)


# When several processes create them at once


def test_all_of_them_succeed(client, config):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: create_tables(client, config), range(8)))
    assert set(names(config)) <= set(client.list_tables()["TableNames"])


def test_a_table_made_by_another_in_between_is_taken(emulated, config):
    create_tables(emulated, config)
    answer(emulated, "DescribeTable", "ResourceNotFoundException")
    sent = requests_of(emulated)
    create_tables(emulated, config)
    assert sent["CreateTable"] == 1


def test_a_table_made_by_another_with_another_key_is_refused(emulated, config):
    schema = [{"AttributeName": "version", "KeyType": "HASH"}]
    definitions = [{"AttributeName": "version", "AttributeType": "N"}]
    an_events_table(emulated, config, KeySchema=schema, AttributeDefinitions=definitions)
    answer(emulated, "DescribeTable", "ResourceNotFoundException")
    with pytest.raises(ConfigurationError, match=r"version \(HASH, N\) instead of"):
        create_tables(emulated, config)


def test_expiry_turned_on_by_another_in_between_is_taken(emulated, config):
    create_tables(emulated, config)
    off = {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    answer(emulated, "DescribeTimeToLive", off)
    answer(emulated, "UpdateTimeToLive", "ValidationException")
    create_tables(emulated, config)


def test_expiry_that_is_being_turned_off_is_an_error(emulated, config):
    going = {"TimeToLiveStatus": "DISABLING", "AttributeName": "expires_at"}
    answer(emulated, "DescribeTimeToLive", [{"TimeToLiveDescription": going}])
    answer(emulated, "UpdateTimeToLive", "ValidationException")
    with pytest.raises(ConfigurationError, match="by no attribute instead of expires_at"):
        create_tables(emulated, config)


def test_expiry_that_cannot_be_turned_on_is_an_error(emulated, config):
    answer(emulated, "UpdateTimeToLive", "ValidationException")
    with pytest.raises(ConfigurationError, match="by no attribute instead of expires_at"):
        create_tables(emulated, config)


# When they are deleted


def test_they_are_gone_although_they_were_protected(client, config):
    create_tables(client, config)
    delete_tables(client, config)
    assert set(names(config)).isdisjoint(client.list_tables()["TableNames"])


def test_missing_ones_are_passed_over(client, config):
    an_events_table(client, config)
    delete_tables(client, config)
    delete_tables(client, config)
    assert config.events_table not in client.list_tables()["TableNames"]


def test_it_waits_until_protection_is_off_and_until_they_are_gone(emulated, config):
    create_tables(emulated, config)
    table = _plain(emulated, config.events_table)
    updating, deleting = ({"Table": {**table, "TableStatus": s}} for s in ("UPDATING", "DELETING"))
    waits = Waits()
    # Described before and after its protection is changed; the others, which are not in the
    # way, twice each; then again when all of them have been deleted.
    answer(emulated, "DescribeTable", None, updating, None, *[None] * 4, deleting)
    delete_tables(emulated, config, waits)
    assert waits == [1, 1]


def test_a_table_that_stays_is_an_error(emulated, config):
    create_tables(emulated, config)
    deleting = {"Table": {**_plain(emulated, config.keys_table), "TableStatus": "DELETING"}}
    answer(emulated, "DescribeTable", *[None] * 8, [deleting])
    with pytest.raises(UnavailableError, match="DELETING: It still exists after 120") as caught:
        delete_tables(emulated, config, Waits())
    assert caught.value.subject == config.keys_table


def _plain(client, name):
    """A table's description as it goes over the wire."""
    table = described(client, name)
    wanted = ("AttributeDefinitions", "KeySchema", "TableName", "DeletionProtectionEnabled")
    return {key: table[key] for key in wanted}

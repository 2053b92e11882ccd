"""Restored tables get what DynamoDB leaves out of a restore."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
import typer

from dynamo_es.cli.tables import adopt as command
from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.dynamodb.emulator.emulator import Emulator
from dynamo_es.dynamodb.tables.adopt import SETTINGS, Adopted, adopt_tables, plan_adoption
from dynamo_es.dynamodb.tables.create import create_tables, wanted_tables
from dynamo_es.dynamodb.tables.requests import create_request
from dynamo_es.exceptions import ConfigurationError, TableNotFoundError


def no_sleep(_seconds):
    raise AssertionError("nothing to wait for")


@pytest.fixture
def config():
    prefix = f"adopted-{uuid4().hex}"
    names: Any = {f"{table}_table": f"{prefix}-{table}" for table in ("events", "log", "keys")}
    return DynamoConfig(**names, max_attempts=1)


@pytest.fixture
def client(config):
    return Emulator().client(config)


def restore(client, config, **changes):
    """Create the tables as DynamoDB restores them: items, key and billing, and nothing else."""
    for name, properties in wanted_tables(config).items():
        request = create_request(name, properties)
        kept = ("TableName", "KeySchema", "AttributeDefinitions", "BillingMode")
        client.create_table(**{key: request[key] for key in kept}, **changes)


def settings_of(client, name):
    table = client.describe_table(TableName=name)["Table"]
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    tags = client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    return (
        table.get("StreamSpecification"),
        table.get("DeletionProtectionEnabled"),
        backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
        expiry.get("AttributeName"),
        sorted(tag["Key"] for tag in tags),
    )


def test_a_restored_table_gets_the_settings_of_a_new_one(client, config):
    restore(client, config)

    done = adopt_tables(client, config, no_sleep)

    own = [one.setting for one in done if one.table == config.events_table]
    assert own == list(SETTINGS)
    assert Adopted(config.keys_table, "stream") not in done
    adopted = [settings_of(client, name) for name in config.tables]
    fresh = DynamoConfig(
        events_table="fresh-events", log_table="fresh-log", keys_table="fresh-keys"
    )
    create_tables(client, fresh, no_sleep)
    assert adopted == [settings_of(client, name) for name in fresh.tables]


def test_a_plan_says_what_would_change_and_changes_nothing(client, config):
    restore(client, config)
    before = [settings_of(client, name) for name in config.tables]

    plan = plan_adoption(client, config)

    assert [settings_of(client, name) for name in config.tables] == before
    assert list(plan.missing) == adopt_tables(client, config, no_sleep)
    assert plan_adoption(client, config) == ((), ())


class _Described:
    """A client whose tables say that they were restored to some moments."""

    def __init__(self, client, moments):
        self._client, self._moments = client, moments

    def __getattr__(self, name):
        return getattr(self._client, name)

    def describe_table(self, TableName):  # noqa: N803 - of boto3
        reply = self._client.describe_table(TableName=TableName)
        if moment := self._moments.get(TableName):
            reply["Table"]["RestoreSummary"] = {"RestoreDateTime": moment}
        return reply


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_restored_keys_are_warned_of(client, config):
    restore(client, config)
    described: Any = _Described(client, {config.keys_table: NOON})
    (warning,) = plan_adoption(described, config).warnings
    assert "restored to 2026-01-01 12:00:00+00:00" in warning
    assert "If the original keys table still exists" in warning


@pytest.mark.parametrize(
    ("log", "torn"), [(NOON, False), (NOON + timedelta(seconds=1), True), (None, True)]
)
def test_events_and_log_of_different_moments_are_warned_of(client, config, log, torn):
    restore(client, config)
    moments = {config.events_table: NOON, config.log_table: log}
    described: Any = _Described(client, moments)
    warnings = plan_adoption(described, config).warnings
    assert [
        warning.startswith("Events and log were restored to different times")
        for warning in warnings
    ] == [True] * torn


class _Place:
    def __init__(self, config):
        self._config = config

    def config(self):
        return self._config


def test_the_command_asks_first(client, config, monkeypatch, capsys):
    restore(client, config)
    monkeypatch.setattr(command, "LazyClient", lambda _config, _client: lambda: client)
    monkeypatch.setattr("sys.stdin", StringIO())
    place: Any = _Place(config)
    with pytest.raises(typer.Exit):
        command.adopt_tables(place)
    assert f"{config.events_table}: stream" in capsys.readouterr().err.replace("\n", " ")
    assert len(plan_adoption(client, config).missing) == 12

    command.adopt_tables(place, yes=True)
    assert f"{config.log_table}: stream" in capsys.readouterr().out
    assert plan_adoption(client, config).missing == ()


def test_a_second_time_there_is_nothing_to_do(client, config):
    restore(client, config)
    adopt_tables(client, config, no_sleep)

    assert adopt_tables(client, config, no_sleep) == []


def test_a_table_that_is_missing_changes_no_other(client, config):
    restore(client, config)
    before = settings_of(client, config.events_table)
    client.delete_table(TableName=config.keys_table)

    with pytest.raises(TableNotFoundError, match=config.keys_table):
        adopt_tables(client, config, no_sleep)
    assert settings_of(client, config.events_table) == before


def test_a_stream_of_another_kind_is_refused(client, config):
    restore(
        client, config, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    )

    with pytest.raises(ConfigurationError, match="KEYS_ONLY instead of NEW_IMAGE"):
        adopt_tables(client, config, no_sleep)


def test_tags_of_your_own_stay(client, config):
    restore(client, config, Tags=[{"Key": "application", "Value": "bank"}])
    adopt_tables(client, config, no_sleep)
    arn = client.describe_table(TableName=config.log_table)["Table"]["TableArn"]
    tags = client.list_tags_of_resource(ResourceArn=arn)["Tags"]
    assert {"Key": "application", "Value": "bank"} in tags
    assert {"Key": "component", "Value": "log"} in tags

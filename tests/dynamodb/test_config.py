"""The configuration is checked when it is made, and can come from the environment."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields
from datetime import timedelta
from typing import Any

import pytest

from dynamo_es import DynamoConfig
from dynamo_es.dynamodb.config import DEFAULT_TABLES
from dynamo_es.dynamodb.tables.template import load_template, resolve_tables
from dynamo_es.exceptions import ConfigurationError

NAMES: dict[str, Any] = {"events_table": "events", "log_table": "log", "keys_table": "keys"}
DEFAULT_NAMES: dict[str, Any] = dict(DEFAULT_TABLES)
VARIABLES = {f"DYNAMO_ES_{name.upper()}": table for name, table in NAMES.items()}


def test_all_but_the_tables_has_a_default():
    config = DynamoConfig(**NAMES)
    assert {field.name: getattr(config, field.name) for field in fields(config)} == {
        **NAMES,
        "endpoint_url": None,
        "region": None,
        "profile": None,
        "connect_timeout": 1.0,
        "read_timeout": 3.0,
        "max_attempts": 4,
        "max_pool_connections": 50,
        "max_parallel": 4,
        "retry_deadline": 10.0,
        "remembered_heads": 10_000,
        "report_capacity": False,
        "kms_key_id": None,
        "sequencing": "stream",
        "log_scope": "table",
        "max_uncompressed_bytes": 32 * 1024 * 1024,
        "consistent_loads": True,
        "compression": "units",
        "transport": "default",
        "tag_index": False,
        "replication": "none",
    }


def test_it_stays_as_it_was_checked():
    with pytest.raises(FrozenInstanceError):
        DynamoConfig(**NAMES).max_attempts = 0  # type: ignore[misc]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["", None, 5])
def test_a_table_has_a_name(name, value):
    with pytest.raises(
        ConfigurationError, match=f"DynamoConfig.{name} must be the name of a table"
    ):
        DynamoConfig(**(NAMES | {name: value}))


@pytest.mark.parametrize("value", ["", 5])
def test_a_profile_has_a_name(value):
    with pytest.raises(ConfigurationError, match="profile must be the name of an AWS profile"):
        DynamoConfig(**NAMES, profile=value)


@pytest.mark.parametrize("value", ["", 5])
def test_a_kms_key_has_an_id(value):
    with pytest.raises(
        ConfigurationError, match="kms_key_id must be the id, ARN or alias of a KMS key, or None"
    ):
        DynamoConfig(**NAMES, kms_key_id=value)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("connect_timeout", 0.001),
        ("read_timeout", 0.001),
        ("max_attempts", 1),
        ("max_pool_connections", 1),
        ("max_parallel", 1),
        ("retry_deadline", 0),
        ("remembered_heads", 0),
    ],
)
def test_a_figure_has_a_least_value(name, least):
    assert getattr(DynamoConfig(**NAMES, **{name: least}), name) == least
    wrong: list[Any] = [least - 0.001, -1, math.nan]
    for value in wrong:
        with pytest.raises(
            ConfigurationError,
            match=f"DynamoConfig.{name} must be a.* (integer of|seconds,) {least} or more",
        ):
            DynamoConfig(**NAMES, **{name: value})


@pytest.mark.parametrize("name", ["connect_timeout", "read_timeout", "retry_deadline"])
def test_a_duration_is_a_timedelta_or_seconds(name):
    values: list[Any] = [2.5, timedelta(seconds=2.5)]
    for given in values:
        assert DynamoConfig(**NAMES, **{name: given}).seconds(name) == 2.5


@pytest.mark.parametrize("name", ["connect_timeout", "max_attempts", "remembered_heads"])
@pytest.mark.parametrize("value", ["5", None])
def test_a_figure_is_a_number(name, value):
    with pytest.raises(ConfigurationError, match=name):
        DynamoConfig(**NAMES, **{name: value})


@pytest.mark.parametrize("value", ["", "lambda", None, True])
def test_only_two_give_positions(value):
    with pytest.raises(ConfigurationError, match="sequencing must be one of stream, inline"):
        DynamoConfig(**NAMES, sequencing=value)


@pytest.mark.parametrize("value", ["", "never", None, True])
def test_stored_events_are_compressed_by_units_or_always(value):
    with pytest.raises(ConfigurationError, match="compression must be one of units, always, not"):
        DynamoConfig(**NAMES, compression=value)


@pytest.mark.parametrize("value", ["true", None, 1, 0])
def test_loads_are_consistent_or_not(value):
    with pytest.raises(ConfigurationError, match="consistent_loads must be one of True, False"):
        DynamoConfig(**NAMES, consistent_loads=value)


@pytest.mark.parametrize("value", ["", "http", None, True])
def test_requests_travel_in_a_known_way(value):
    with pytest.raises(ConfigurationError, match="transport must be one of default, botocore"):
        DynamoConfig(**NAMES, transport=value)


@pytest.mark.parametrize("value", ["", "stream", None, True])
def test_a_log_is_of_all_tenants_or_of_one(value):
    with pytest.raises(ConfigurationError, match="log_scope must be one of table, tenant, not"):
        DynamoConfig(**NAMES, log_scope=value)


# From the environment


def test_the_tables_are_enough():
    assert DynamoConfig.from_env(VARIABLES) == DynamoConfig(**NAMES)


def test_every_field_has_its_variable():
    values: dict[str, Any] = {
        "endpoint_url": "http://127.0.0.1:8000",
        "region": "eu-central-1",
        "profile": "shop",
        "connect_timeout": 0.5,
        "read_timeout": 5.0,
        "max_attempts": 2,
        "max_pool_connections": 60,
        "max_parallel": 8,
        "retry_deadline": 1.0,
        "remembered_heads": 0,
        "report_capacity": True,
        "kms_key_id": "alias/subjects",
        "sequencing": "inline",
        "log_scope": "tenant",
        "max_uncompressed_bytes": 1_000_000,
        "consistent_loads": False,
        "compression": "always",
        "transport": "botocore",
        "tag_index": True,
        "replication": "strong",
    }
    assert NAMES.keys() | values.keys() == {field.name for field in fields(DynamoConfig)}
    environ = VARIABLES | {f"DYNAMO_ES_{name.upper()}": str(v) for name, v in values.items()}
    assert DynamoConfig.from_env(environ) == DynamoConfig(**NAMES, **values)


def test_the_environment_of_the_process_is_the_default(monkeypatch):
    for field in fields(DynamoConfig):
        monkeypatch.delenv(f"DYNAMO_ES_{field.name.upper()}", raising=False)
    assert DynamoConfig.from_env() == DynamoConfig(**DEFAULT_NAMES)
    for variable, value in VARIABLES.items():
        monkeypatch.setenv(variable, value)
    assert DynamoConfig.from_env() == DynamoConfig(**NAMES)


def test_without_names_the_tables_are_those_of_the_template():
    tables = resolve_tables(load_template())
    named = {
        f"{logical_id.removesuffix('Table').lower()}_table": properties["TableName"]
        for logical_id, properties in tables.items()
    }
    assert named == DEFAULT_NAMES
    assert DynamoConfig.from_env({}) == DynamoConfig(**DEFAULT_NAMES)


def test_blank_is_unset_and_blanks_around_are_nothing():
    environ = VARIABLES | {"DYNAMO_ES_REGION": "  ", "DYNAMO_ES_MAX_ATTEMPTS": " 2 "}
    assert DynamoConfig.from_env(environ) == DynamoConfig(**NAMES, max_attempts=2)


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("TRUE", True), ("1", True), ("false", False), ("False", False), ("0", False)],
)
def test_a_flag_is_true_or_false(text, value):
    environ = VARIABLES | {"DYNAMO_ES_REPORT_CAPACITY": text}
    assert DynamoConfig.from_env(environ).report_capacity is value


@pytest.mark.parametrize("missing", [["EVENTS"], ["LOG", "KEYS"], ["EVENTS", "KEYS"]])
def test_names_of_yours_and_default_names_are_not_mixed(missing):
    gone = [f"DYNAMO_ES_{name}_TABLE" for name in missing]
    environ = {name: value for name, value in VARIABLES.items() if name not in gone}
    with pytest.raises(ConfigurationError, match=f"variables {', '.join(gone)}: name all three"):
        DynamoConfig.from_env(environ)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("MAX_ATTEMPTS", "few", "an integer"),
        ("MAX_ATTEMPTS", "2.5", "an integer"),
        ("REMEMBERED_HEADS", "1e3", "an integer"),
        ("READ_TIMEOUT", "3 s", "a number of seconds"),
        ("REPORT_CAPACITY", "yes", "true or false"),
    ],
)
def test_what_is_of_another_kind_is_named(name, text, kind):
    with pytest.raises(ConfigurationError) as caught:
        DynamoConfig.from_env(VARIABLES | {f"DYNAMO_ES_{name}": text})
    assert str(caught.value) == f"DYNAMO_ES_{name} must be {kind}, not {text!r}."


@pytest.mark.parametrize(("name", "text"), [("MAX_ATTEMPTS", "0"), ("CONNECT_TIMEOUT", "nan")])
def test_a_figure_from_the_environment_has_its_least_value_too(name, text):
    with pytest.raises(ConfigurationError, match="or more"):
        DynamoConfig.from_env(VARIABLES | {f"DYNAMO_ES_{name}": text})

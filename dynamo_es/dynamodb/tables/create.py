"""Creates the tables exactly as ``infra/event-store.yaml`` defines them, under your names."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from dynamo_es.contracts.checks.functions import check_injected
from dynamo_es.dynamodb.tables.requests import check_key, create_request
from dynamo_es.dynamodb.tables.template import load_template, resolve_tables
from dynamo_es.dynamodb.wire.errors import translate
from dynamo_es.exceptions import ConfigurationError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PointInTimeRecoverySpecificationTypeDef
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef as _Description
    from tenacity import RetryCallState, Retrying
    from tenacity.retry import retry_base

    from dynamo_es.dynamodb.config import DynamoConfig

POLLS: Final = 120
"""How often a changing table is described, once a second, before this gives up."""

_NOT_FOUND: Final = "ResourceNotFoundException"
_IN_USE: Final = "ResourceInUseException"
# An emulator's reply to an operation that it lacks.
UNKNOWN: Final = "UnknownOperationException"


def create_tables(
    client: DynamoDBClient, config: DynamoConfig, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Create the missing tables, and return when all three are usable.

    You get the tables of the template with its defaults: billed by request, protected against
    deletion. An existing table must have the right key. It keeps its settings, but expiry (TTL) and
    point-in-time recovery are turned on if they are off. You can call this again, and from several
    processes at once. For another KMS key, or tables that CloudFormation manages, deploy the
    template instead.

    It needs the permissions DescribeTable, DescribeTimeToLive and DescribeContinuousBackups. If
    something is missing, it also needs CreateTable, TagResource, UpdateTimeToLive and
    UpdateContinuousBackups, and takes about ten seconds on AWS.

    Args:
        client: a boto3 client for DynamoDB.
        config: names of the tables.
        sleep: waits the given number of seconds.

    Raises:
        ConfigurationError: a table has another key or another expiry attribute, two tables have
            the same name, or the tables are replicated.
        InputError: ``sleep`` is not callable.
        UnavailableError: a table is still not usable after two minutes.
        ServiceError: AWS refused or did not answer.
    """
    check_injected(sleep=sleep)
    if config.replication != "none":
        raise ConfigurationError(
            "create_tables makes tables in one region, but DynamoConfig.replication is "
            f'"{config.replication}": deploy infra/global-event-store.yaml in the region that '
            "writes."
        )
    wanted = wanted_tables(config)
    existing = {name: describe(client, name) for name in wanted}
    # Check all tables first, so that a wrong name creates none.
    for name, description in existing.items():
        if description is not None:
            check_key(name, wanted[name], description)
    # Create all tables before waiting for any, so that the waits overlap.
    for name, description in existing.items():
        if description is None:
            with translated("CreateTable", name, tolerate=(_IN_USE,)):
                client.create_table(**create_request(name, wanted[name]))
    for name, properties in wanted.items():
        # Check again, because another process may have created the table in between.
        check_key(name, properties, await_active(client, name, sleep))
        if expiry := properties.get("TimeToLiveSpecification"):
            turn_on_expiry(client, name, expiry["AttributeName"])
        turn_on_recovery(client, name, properties["PointInTimeRecoverySpecification"], sleep)


def delete_tables(
    client: DynamoDBClient, config: DynamoConfig, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Delete the three tables **with all their events, even if they are protected against that**.

    For tests and experiments. A missing table is not an error. It returns when all tables are gone.

    Args:
        client: a boto3 client for DynamoDB.
        config: names of the tables.
        sleep: waits the given number of seconds.

    Raises:
        UnavailableError: a table still exists after two minutes.
        ServiceError: AWS refused or did not answer.
    """
    check_injected(sleep=sleep)
    names = list(wanted_tables(config))
    for name in names:
        _unprotect(client, name, sleep)
        # Ignore "not found" and "in use": another process deletes the table too.
        with translated("DeleteTable", name, tolerate=(_NOT_FOUND, _IN_USE)):
            client.delete_table(TableName=name)
    for name in names:
        left = _poll(client, name, lambda table: table is None, sleep)
        if left is not None:
            raise UnavailableError(
                "DeleteTable", left["TableStatus"], f"It still exists after {POLLS} seconds.", name
            )


def wanted_tables(config: DynamoConfig) -> dict[str, dict[str, Any]]:
    """Return the template's properties of each table, by the table's configured name.

    Raises:
        ConfigurationError: two tables have the same name.
    """
    tables = resolve_tables(load_template())
    wanted = {
        config.events_table: tables["EventsTable"],
        config.log_table: tables["LogTable"],
        config.keys_table: tables["KeysTable"],
    }
    if len(wanted) < len(tables):
        raise ConfigurationError(
            "events_table, log_table and keys_table must be three different tables."
        )
    if config.replication == "strong":
        # Such tables do not support expiry (TTL), so their fences stay.
        wanted[config.events_table].pop("TimeToLiveSpecification")
    return wanted


def describe(client: DynamoDBClient, name: str) -> _Description | None:
    """Return the description of a table; None: it does not exist."""
    with translated("DescribeTable", name, tolerate=(_NOT_FOUND,)):
        return client.describe_table(TableName=name)["Table"]
    return None


def await_active(client: DynamoDBClient, name: str, sleep: Callable[[float], None]) -> _Description:
    """Wait until a table is usable, and return its description.

    Raises:
        UnavailableError: it is still not usable after two minutes.
    """
    # None does not end the wait, because a table may not be found right after its creation.
    table = _poll(client, name, _is_active, sleep)
    if table is None or not _is_active(table):
        raise UnavailableError(
            "DescribeTable",
            _NOT_FOUND if table is None else table["TableStatus"],
            f"It is still not usable after {POLLS} seconds.",
            name,
        )
    return table


def _is_active(table: _Description | None) -> bool:
    return table is not None and table["TableStatus"] == "ACTIVE"


def turn_on_expiry(client: DynamoDBClient, name: str, wanted: str) -> None:
    """Turn on the expiry (TTL) of items by an attribute, if it is off.

    Raises:
        ConfigurationError: items expire by another attribute.
    """
    found = expiry_of(client, name)
    if found is None:
        # DynamoDB refuses it as invalid if another process has turned it on.
        with translated("UpdateTimeToLive", name, tolerate=("ValidationException",)):
            client.update_time_to_live(
                TableName=name,
                TimeToLiveSpecification={"AttributeName": wanted, "Enabled": True},
            )
        found = expiry_of(client, name)
    check_expiry(name, wanted, found)


def check_expiry(name: str, wanted: str, found: str | None) -> None:
    """Check that items expire by the right attribute.

    Raises:
        ConfigurationError: they expire by another attribute, or not at all.
    """
    if found != wanted:
        raise ConfigurationError(
            f"The items of the table {name} expire (TTL) by {found or 'no attribute'} instead of "
            f"{wanted}. Change its TTL attribute, which takes DynamoDB up to an hour, or name a "
            "table that only the event store uses."
        )


def expiry_of(client: DynamoDBClient, name: str) -> str | None:
    """Return the attribute by which items expire; None: they do not expire."""
    with translated("DescribeTimeToLive", name):
        found = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING"):
        return found.get("AttributeName")
    return None


def recovers(client: DynamoDBClient, name: str) -> bool | None:
    """Return whether point-in-time recovery is on; None: an emulator without backups."""
    with translated("DescribeContinuousBackups", name, tolerate=(UNKNOWN,)):
        found = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        recovery = found.get("PointInTimeRecoveryDescription", {})
        return recovery.get("PointInTimeRecoveryStatus") == "ENABLED"
    return None


def turn_on_recovery(
    client: DynamoDBClient,
    name: str,
    wanted: PointInTimeRecoverySpecificationTypeDef,
    sleep: Callable[[float], None],
) -> None:
    """Turn on point-in-time recovery if it is off; do nothing on an emulator without it."""
    from tenacity import retry_if_exception

    if recovers(client, name) is not False:
        return
    with translated("UpdateContinuousBackups", name, tolerate=(UNKNOWN,)):
        _patiently(sleep, retry_if_exception(_is_being_prepared))(
            client.update_continuous_backups,
            TableName=name,
            PointInTimeRecoverySpecification=wanted,
        )


def _is_being_prepared(error: BaseException) -> bool:
    # In the first seconds of a table, DynamoDB is still enabling its backups.
    return _code(error) == "ContinuousBackupsUnavailableException"


def _unprotect(client: DynamoDBClient, name: str, sleep: Callable[[float], None]) -> None:
    description = describe(client, name)
    if description is None or not description.get("DeletionProtectionEnabled"):
        return
    with translated("UpdateTable", name, tolerate=(_NOT_FOUND, _IN_USE)):
        client.update_table(TableName=name, DeletionProtectionEnabled=False)
    # DynamoDB refuses to delete a table that is changing.
    _poll(client, name, lambda table: table is None or table["TableStatus"] != "UPDATING", sleep)


def _poll(
    client: DynamoDBClient,
    name: str,
    done: Callable[[_Description | None], bool],
    sleep: Callable[[float], None],
) -> _Description | None:
    """Describe a table until ``done`` is True, at most `POLLS` times; return the last result."""
    from tenacity import retry_if_not_result

    result: _Description | None = _patiently(sleep, retry_if_not_result(done))(
        describe, client, name
    )
    return result


def _patiently(sleep: Callable[[float], None], retry: retry_base) -> Retrying:
    """Return a caller that retries once a second, `POLLS` times; then the last outcome counts."""
    # Imported here, because the backend imports this module, and few processes create tables.
    from tenacity import Retrying, stop_after_attempt, wait_fixed

    return Retrying(
        retry=retry,
        wait=wait_fixed(1),
        stop=stop_after_attempt(POLLS),
        sleep=sleep,
        retry_error_callback=_last_outcome,
    )


def _last_outcome(state: RetryCallState) -> Any:
    return state.outcome.result()  # type: ignore[union-attr]  # there was an attempt


@contextmanager
def translated(operation: str, name: str, tolerate: tuple[str, ...] = ()) -> Iterator[None]:
    """Translate AWS's errors; suppress those with a tolerated code."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        if _code(error) not in tolerate:
            raise translate(error, operation, name) from error


def _code(error: BaseException) -> str:
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else ""

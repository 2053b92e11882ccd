"""Gives existing tables, such as restored ones, the settings of ``infra/event-store.yaml``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from dynamo_es.contracts.checks.functions import check_injected
from dynamo_es.dynamodb.tables.create import (
    UNKNOWN,
    await_active,
    check_expiry,
    expiry_of,
    recovers,
    translated,
    turn_on_expiry,
    turn_on_recovery,
    wanted_tables,
)
from dynamo_es.dynamodb.tables.requests import check_key
from dynamo_es.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.dynamodb.config import DynamoConfig

Setting: TypeAlias = Literal["stream", "expiry", "recovery", "protection", "tags"]

SETTINGS: Final[tuple[Setting, ...]] = ("stream", "expiry", "recovery", "protection", "tags")


class Adopted(NamedTuple):
    """A setting that a table lacked and now has.

    Attributes:
        table: name of the table.
        setting: the setting that was missing.
    """

    table: str
    setting: Setting


class Adoption(NamedTuple):
    """The changes that `adopt_tables` would make now.

    Attributes:
        missing: the settings that the tables lack.
        warnings: problems that the restore times of the tables show, a sentence each.
    """

    missing: tuple[Adopted, ...]
    warnings: tuple[str, ...]


def plan_adoption(client: DynamoDBClient, config: DynamoConfig) -> Adoption:
    """Return what `adopt_tables` would change, and problems to solve first. It changes nothing.

    A restored table says to which time it was restored. A restored keys table brings back the keys
    of people whose data was erased since that time. Events and log of different times contradict
    each other.

    Args:
        client: a boto3 client for DynamoDB.
        config: names of the tables.

    Raises:
        TableNotFoundError: a table does not exist.
        ConfigurationError: a table has another key, another expiry attribute, or a stream of
            another kind.
        ServiceError: AWS refused or did not answer.
    """
    wanted = wanted_tables(config)
    found: dict[str, Any] = {}
    for name, properties in wanted.items():
        with translated("DescribeTable", name):
            found[name] = client.describe_table(TableName=name)["Table"]
        check_key(name, properties, found[name])
        _check_stream(name, properties, found[name])
    missing = [
        Adopted(name, setting)
        for name, properties in wanted.items()
        for setting in _missing(client, name, properties, found[name])
    ]
    return Adoption(tuple(missing), tuple(_warnings(config, found)))


def adopt_tables(
    client: DynamoDBClient, config: DynamoConfig, sleep: Callable[[float], None] = time.sleep
) -> list[Adopted]:
    """Give existing tables the settings of the template that they lack; return these settings.

    DynamoDB restores a table without its stream, expiry (TTL), point-in-time recovery, deletion
    protection and tags. Existing settings are not changed or removed. Run it again after an
    interruption. The stream is a new one, so deploy the functions' event source mappings again.

    Args:
        client: a boto3 client for DynamoDB.
        config: names of the tables.
        sleep: waits the given number of seconds.

    Raises:
        TableNotFoundError: a table does not exist.
        ConfigurationError: a table has another key, another expiry attribute, or a stream of
            another kind.
        UnavailableError: a table is still not usable after two minutes.
        ServiceError: AWS refused or did not answer.
    """
    check_injected(sleep=sleep)
    # Check all first, so that a wrong name changes no table.
    plan_adoption(client, config)
    changes = _Changes(client, sleep)
    for name, properties in wanted_tables(config).items():
        changes.adopt(name, properties)
    return changes.done


def _missing(
    client: DynamoDBClient, name: str, wanted: Mapping[str, Any], found: Mapping[str, Any]
) -> list[Setting]:
    """Return the settings that a table lacks, in the order of `SETTINGS`."""
    missing: list[Setting] = []
    if "StreamSpecification" in wanted and not _has_stream(found):
        missing.append("stream")
    if expiry := wanted.get("TimeToLiveSpecification"):
        attribute = expiry_of(client, name)
        if attribute is None:
            missing.append("expiry")
        else:
            check_expiry(name, expiry["AttributeName"], attribute)
    if recovers(client, name) is False:
        missing.append("recovery")
    if wanted.get("DeletionProtectionEnabled") and not found.get("DeletionProtectionEnabled"):
        missing.append("protection")
    if _missing_tags(client, name, found["TableArn"], wanted["Tags"]):
        missing.append("tags")
    return missing


def _warnings(config: DynamoConfig, found: Mapping[str, Any]) -> Iterator[str]:
    moments = {
        name: summary["RestoreDateTime"]
        for name, table in found.items()
        if (summary := table.get("RestoreSummary"))
    }
    if moment := moments.get(config.keys_table):
        yield (
            f"The keys table {config.keys_table} was restored to {moment.isoformat(sep=' ')}. "
            "That brings back the keys of people whose data was erased since then. If the original "
            "keys table still exists, use that one. If it is lost, erase their data again before "
            "any program starts."
        )
    events, log = moments.get(config.events_table), moments.get(config.log_table)
    if events != log:
        said = {
            name: "not restored" if moment is None else f"of {moment.isoformat(sep=' ')}"
            for name, moment in ((config.events_table, events), (config.log_table, log))
        }
        yield (
            "Events and log were restored to different times: "
            + ", ".join(f"{name} is {moment}" for name, moment in said.items())
            + ". Run `dynamo-es log verify` before any program appends, and `dynamo-es log repair "
            "--truncate-torn` if it finds that the log is torn."
        )


def _has_stream(found: Mapping[str, Any]) -> bool:
    return bool(found.get("StreamSpecification", {}).get("StreamEnabled"))


def _missing_tags(client: DynamoDBClient, name: str, arn: str, wanted: list[Any]) -> list[Any]:
    """Return the tags that a table lacks; empty on an emulator that does not support tags."""
    with translated("ListTagsOfResource", name, tolerate=(UNKNOWN,)):
        found = client.list_tags_of_resource(ResourceArn=arn).get("Tags", [])
        names = {tag["Key"] for tag in found}
        return [tag for tag in wanted if tag["Key"] not in names]
    return []


def _check_stream(name: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    stream = found.get("StreamSpecification", {})
    view = wanted.get("StreamSpecification", {}).get("StreamViewType")
    # A global table needs the old images as well.
    fit = {view, "NEW_AND_OLD_IMAGES"}
    if view and stream.get("StreamEnabled") and stream.get("StreamViewType") not in fit:
        raise ConfigurationError(
            f"The stream of the table {name} has {stream.get('StreamViewType')} instead of {view}. "
            "Turn it off with `aws dynamodb update-table`, then run this again."
        )


class _Changes:
    """Changes tables, and remembers what it changed."""

    def __init__(self, client: DynamoDBClient, sleep: Callable[[float], None]) -> None:
        self._client = client
        self._sleep = sleep
        self.done: list[Adopted] = []

    def adopt(self, name: str, wanted: Mapping[str, Any]) -> None:
        """Give a table the missing settings, one at a time, as DynamoDB requires."""
        found = await_active(self._client, name, self._sleep)
        for setting in _missing(self._client, name, wanted, found):
            self._change(name, setting, wanted, found["TableArn"])
            self.done.append(Adopted(name, setting))

    def _change(self, name: str, setting: Setting, wanted: Mapping[str, Any], arn: str) -> None:
        match setting:
            case "stream":
                self._update(
                    name,
                    StreamSpecification={"StreamEnabled": True, **wanted["StreamSpecification"]},
                )
            case "expiry":
                turn_on_expiry(
                    self._client, name, wanted["TimeToLiveSpecification"]["AttributeName"]
                )
            case "recovery":
                specification = wanted["PointInTimeRecoverySpecification"]
                turn_on_recovery(self._client, name, specification, self._sleep)
            case "protection":
                self._update(name, DeletionProtectionEnabled=True)
            case "tags":
                missing = _missing_tags(self._client, name, arn, wanted["Tags"])
                with translated("TagResource", name):
                    self._client.tag_resource(ResourceArn=arn, Tags=missing)

    def _update(self, name: str, **changes: Any) -> None:
        with translated("UpdateTable", name):
            self._client.update_table(TableName=name, **changes)
        await_active(self._client, name, self._sleep)

"""Gives existing tables, such as restored ones, the settings of ``infra/event-store.yaml``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from dynamo_es.contracts.functions import check_injected
from dynamo_es.dynamodb.tables.create import (
    UNKNOWN,
    await_active,
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
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.dynamodb.config import DynamoConfig

Setting: TypeAlias = Literal["stream", "expiry", "recovery", "protection", "tags"]

SETTINGS: Final[tuple[Setting, ...]] = ("stream", "expiry", "recovery", "protection", "tags")


class Adopted(NamedTuple):
    """A setting that a table lacked, and has now.

    Attributes:
        table: name of the table.
        setting: what was missing.
    """

    table: str
    setting: Setting


def adopt_tables(
    client: DynamoDBClient, config: DynamoConfig, sleep: Callable[[float], None] = time.sleep
) -> list[Adopted]:
    """Give existing tables what they lack of the template's settings, and return what that was.

    DynamoDB restores a table without its stream, expiry (TTL), point-in-time recovery, deletion
    protection and tags. Nothing that a table has is changed or taken away. Run it again after an
    interruption. The stream is a new one: deploy the functions' mappings again.

    Args:
        client: of boto3, for DynamoDB.
        config: names of the tables.
        sleep: waits a number of seconds.

    Raises:
        TableNotFoundError: a table does not exist.
        ConfigurationError: a table has another key, another expiry attribute, or a stream of
            another kind.
        UnavailableError: a table cannot be used after two minutes.
        ServiceError: AWS refused or did not answer.
    """
    check_injected(sleep=sleep)
    wanted = wanted_tables(config)
    # Check all first, so that a wrong name changes no table.
    for name, properties in wanted.items():
        with translated("DescribeTable", name):
            description = client.describe_table(TableName=name)["Table"]
        check_key(name, properties, description)
        _check_stream(name, properties, description)
    adoption = _Adoption(client, sleep)
    for name, properties in wanted.items():
        adoption.adopt(name, properties)
    return adoption.done


def _check_stream(name: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    stream = found.get("StreamSpecification", {})
    view = wanted.get("StreamSpecification", {}).get("StreamViewType")
    if view and stream.get("StreamEnabled") and stream.get("StreamViewType") != view:
        raise ConfigurationError(
            f"The stream of the table {name} has {stream.get('StreamViewType')} instead of {view}. "
            "Turn it off with `aws dynamodb update-table`, and run this again."
        )


class _Adoption:
    """Changes tables, and notes what it changed."""

    def __init__(self, client: DynamoDBClient, sleep: Callable[[float], None]) -> None:
        self._client = client
        self._sleep = sleep
        self.done: list[Adopted] = []

    def adopt(self, name: str, wanted: Mapping[str, Any]) -> None:
        """Give a table what it lacks; one change at a time, as DynamoDB takes no two at once."""
        found = await_active(self._client, name, self._sleep)
        stream = wanted.get("StreamSpecification")
        if stream and not found.get("StreamSpecification", {}).get("StreamEnabled"):
            self._update(name, "stream", StreamSpecification={"StreamEnabled": True, **stream})
        if expiry := wanted.get("TimeToLiveSpecification"):
            missing = expiry_of(self._client, name) is None
            turn_on_expiry(self._client, name, expiry["AttributeName"])
            self._note(name, "expiry", missing)
        missing = recovers(self._client, name) is False
        turn_on_recovery(
            self._client, name, wanted["PointInTimeRecoverySpecification"], self._sleep
        )
        self._note(name, "recovery", missing)
        if wanted.get("DeletionProtectionEnabled") and not found.get("DeletionProtectionEnabled"):
            self._update(name, "protection", DeletionProtectionEnabled=True)
        self._tag(name, found["TableArn"], wanted["Tags"])

    def _update(self, name: str, setting: Setting, **changes: Any) -> None:
        with translated("UpdateTable", name):
            self._client.update_table(TableName=name, **changes)
        await_active(self._client, name, self._sleep)
        self._note(name, setting, missing=True)

    def _tag(self, name: str, arn: str, wanted: list[Any]) -> None:
        # Some emulators have no tags: go on without.
        with translated("ListTagsOfResource", name, tolerate=(UNKNOWN,)):
            found = self._client.list_tags_of_resource(ResourceArn=arn).get("Tags", [])
            names = {tag["Key"] for tag in found}
            if missing := [tag for tag in wanted if tag["Key"] not in names]:
                self._client.tag_resource(ResourceArn=arn, Tags=missing)
                self._note(name, "tags", missing=True)

    def _note(self, name: str, setting: Setting, missing: bool) -> None:  # noqa: FBT001 - of a check
        if missing:
            self.done.append(Adopted(name, setting))

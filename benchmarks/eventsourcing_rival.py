"""Installs eventsourcing-dynamodb into a separate environment, and runs its driver."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.engine import REGION
from benchmarks.environments import ROOT, NotRunError, call, installed
from benchmarks.metering import Cost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.engine import Engine

NAME: Final = "eventsourcing-dynamodb"
REQUIREMENT: Final = "eventsourcing-dynamodb==0.1.0"


@dataclass(frozen=True, slots=True)
class Found:
    """The results of the driver.

    Attributes:
        versions: versions of the packages, by name.
        operations: costs by operation.
        histories: costs of writing and of reading a history, by size of commits.
        snapshot_replaces_event: whether a snapshot overwrites the event of its version.
    """

    versions: Mapping[str, str]
    operations: Mapping[str, Cost]
    histories: Mapping[int, tuple[Cost, Cost]]
    snapshot_replaces_event: bool

    def remark(self) -> str:
        """Return a text that explains its figures."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        text = (
            f"{NAME} ran in a separate environment ({versions}), by its application recorder. It "
            "writes every append with `BatchWriteItem`, without a condition: a second writer at "
            "the same version is not refused, and its events replace those of the first. Its "
            "reads are eventually consistent, which halves their units."
        )
        if self.snapshot_replaces_event:
            text += (
                " Its snapshots go into the table of the events, under the same key: the "
                "snapshot replaced the event of its version (checked in this run), so snapshots "
                "are not compared."
            )
        return text


def run(engine: Engine, events: int) -> Found:
    """Install the package if needed, and run the workload on it.

    Raises:
        NotRunError: the package cannot be installed or run here, or the engine is in this process.
    """
    if engine.endpoint_url is None:
        raise NotRunError(f"{NAME} was not run: the engine is in this process, out of its reach.")
    python = installed(NAME, REQUIREMENT)
    table = engine.new_table(_create_table)
    environment = {
        **os.environ,
        "AWS_DEFAULT_REGION": REGION,
        "PYTHONPATH": str(ROOT),
    }
    command = ["-m", "benchmarks.eventsourcing_driver", engine.endpoint_url, table, str(events)]
    found = json.loads(call(NAME, [str(python), *command], environment))
    return Found(
        found["versions"],
        {name: _cost(fields) for name, fields in found["operations"].items()},
        {
            int(size): (_cost(written), _cost(read))
            for size, (written, read) in found["histories"].items()
        },
        found["snapshot_replaces_event"],
    )


def _create_table(client: DynamoDBClient, table: str) -> None:
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "originator_id", "KeyType": "HASH"},
            {"AttributeName": "originator_version", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "originator_id", "AttributeType": "S"},
            {"AttributeName": "originator_version", "AttributeType": "N"},
        ],
    )


def _cost(fields: list[Any]) -> Cost:
    return Cost(*fields)

"""`DynamoOutbox`: stores the state and the lease of each outbox in a partition of the log table."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from dynamo_es.contracts.checks.arguments import check_tenant
from dynamo_es.contracts.consumers.outbox import OutboxState, OutboxStrategy
from dynamo_es.dynamodb.consumers import outbox_requests as requests
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.exceptions import (
    StoredItemError,
    TransactionsUnsupportedError,
    UnknownOutboxEntryError,
)
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dynamo_es.contracts.consumers.leases import Lease
    from dynamo_es.contracts.consumers.outbox import OutboxEntry, OutboxWorker
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item, Request, Response, Steps, T
    from dynamo_es.values import Position, TenantId

_log = logging.getLogger("dynamo_es")

_MOST_SENDS: Final = 2
"""How often a write with an unknown outcome is sent. Sending it again changes nothing."""


def look(table: str, outbox: str, now_ms: int) -> Steps[OutboxState]:
    """Read the state of an outbox. Cost: 1 request for each MB of waiting entries."""
    position: Position = 0
    lease: Lease | None = None
    due: list[OutboxEntry] = []
    after: Item | None = None
    while True:
        response = yield requests.waiting(table, outbox, now_ms, after)
        for item in response["Items"]:
            if item["place"]["S"] == requests.CURSOR:
                position = int(item["checkpoint"]["N"])
                lease = requests.read_lease(item)
            else:
                due += _readable([item])
        after = response.get("LastEvaluatedKey")
        if after is None:
            return OutboxState(position, lease, tuple(due))


def take(
    table: str, worker: OutboxWorker, now_ms: int, until_ms: int, instead_of: Lease | None = None
) -> Steps[Position | None]:
    """Take the lease and return the outbox's position; None if another worker has the lease."""
    try:
        response = yield from _repeated(
            requests.take_lease(table, worker, now_ms, until_ms, instead_of)
        )
    except ConditionRefused:
        return None
    return int(response["Attributes"]["checkpoint"]["N"])


def change(request: Request) -> Steps[bool]:
    """Send a conditional write; return whether its condition was met, so that it was made."""
    try:
        yield from _repeated(request)
    except ConditionRefused:
        return False
    return True


def entries(table: str, outbox: str) -> Steps[list[OutboxEntry]]:
    """Read the entries of all events that failed, in the order of positions."""
    found: list[OutboxEntry] = []
    after: Item | None = None
    while True:
        response = yield requests.all_entries(table, outbox, after)
        found += _readable(
            item for item in response["Items"] if item["place"]["S"] != requests.CURSOR
        )
        after = response.get("LastEvaluatedKey")
        if after is None:
            return sorted(found, key=lambda entry: entry.position)


def retry(table: str, outbox: str, position: Position, now_ms: int) -> Steps[bool]:
    """Make an entry due now, whether dead or waiting; return whether the outbox has it."""
    response = yield requests.get_dead(table, outbox, position)
    if "Item" in response:
        dead = requests.read_entry(response["Item"])
        again = replace(dead, attempts=0, dead=False, due_at=now_ms, failing_since=now_ms)
        if (yield from change(requests.revive(table, outbox, dead, again))):
            return True
        # Another caller was faster, so the entry is already waiting.
    return (yield from change(requests.hurry(table, outbox, position, now_ms)))


def _readable(items: Iterable[Item]) -> Iterator[OutboxEntry]:
    """Yield the entries that can be read, and log the others."""
    for item in items:
        try:
            yield requests.read_entry(item)
        except StoredItemError as error:
            _log.error("Skipped an outbox entry that cannot be read: %s", error)


def _repeated(request: Request) -> Steps[Response]:
    """Send a write; send it again if its outcome is unknown. The second one changes nothing."""
    for _ in range(_MOST_SENDS - 1):
        try:
            return (yield request)
        except OutcomeUnknown:
            continue
    return (yield request)


class DynamoOutbox(OutboxStrategy):
    """The state of outboxes on DynamoDB.

    Args:
        config: name of the log table.
        gateway: sends the requests.
        tenant_id: tenant whose events are published. None: all tenants.
    """

    def __init__(
        self, config: DynamoConfig, gateway: Gateway, tenant_id: TenantId | None = None
    ) -> None:
        self._config = config
        self._table = config.log_table
        self._gateway = gateway
        self._tenant_id = tenant_id

    def look(self, outbox: str, now_ms: int) -> OutboxState:
        """Return the state of an outbox; see `OutboxStrategy.look`."""
        return self._run("outbox_look", look(self._table, self._partition(outbox), now_ms))

    def take(
        self, worker: OutboxWorker, now_ms: int, until_ms: int, instead_of: Lease | None = None
    ) -> Position | None:
        """Take the lease; see `OutboxStrategy.take`.

        Raises:
            TransactionsUnsupportedError: the tables have no transactions, so a failure could not be
                stored, and nothing is published.
        """
        if self._config.replication == "strong":
            raise TransactionsUnsupportedError
        steps = take(self._table, self._of(worker), now_ms, until_ms, instead_of)
        return self._run("outbox_take", steps)

    def move(self, worker: OutboxWorker, tried: Position, until_ms: int) -> bool:
        """Move the position and renew the lease; see `OutboxStrategy.move`."""
        request = requests.move_cursor(self._table, self._of(worker), tried, until_ms)
        return self._run("outbox_move", change(request))

    def fail(
        self, worker: OutboxWorker, tried: Position, until_ms: int, entry: OutboxEntry
    ) -> bool:
        """Keep an entry that failed; see `OutboxStrategy.fail`."""
        request = requests.keep_entry(self._table, self._of(worker), tried, until_ms, entry)
        return self._run("outbox_fail", change(request))

    def remove(
        self, worker: OutboxWorker, tried: Position, until_ms: int, position: Position
    ) -> bool:
        """Remove an entry; see `OutboxStrategy.remove`."""
        request = requests.drop_entry(self._table, self._of(worker), tried, until_ms, position)
        return self._run("outbox_remove", change(request))

    def release(self, worker: OutboxWorker, tried: Position | None) -> None:
        """Give the lease back; see `OutboxStrategy.release`."""
        request = requests.release_lease(self._table, self._of(worker), tried)
        self._run("outbox_release", change(request))

    def reset(self, worker: OutboxWorker, position: Position) -> bool:
        """Set the position by hand; see `OutboxStrategy.reset`. Cost: 1 request."""
        request = requests.set_cursor(self._table, self._of(worker), position)
        return self._run("outbox_reset", change(request))

    def entries(self, outbox: str) -> list[OutboxEntry]:
        """Return the entries of events that failed; see `OutboxStrategy.entries`."""
        return self._run("outbox_entries", entries(self._table, self._partition(outbox)))

    def retry(self, outbox: str, position: Position, now_ms: int) -> None:
        """Make an entry due now; see `OutboxStrategy.retry`."""
        partition = self._partition(outbox)
        if not self._run("outbox_retry", retry(self._table, partition, position, now_ms)):
            raise UnknownOutboxEntryError(outbox, position)

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the outboxes of a tenant; see `OutboxStrategy.scoped_for_tenant`."""
        check_tenant(tenant_id)
        return type(self)(self._config, self._gateway, tenant_id)

    def _partition(self, outbox: str) -> str:
        return requests.partition_of(outbox, self._tenant_id)

    def _of(self, worker: OutboxWorker) -> OutboxWorker:
        return worker._replace(outbox=self._partition(worker.outbox))

    def _run(self, operation: str, steps: Steps[T]) -> T:
        return self._gateway.run(operation, self._tenant_id or DEFAULT_TENANT, None, steps)

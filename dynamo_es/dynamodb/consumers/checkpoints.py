"""`DynamoCheckpoints`: stores one item for each checkpoint, and a list of all consumers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from dynamo_es.contracts import Checkpoint, CheckpointStrategy
from dynamo_es.contracts.checks.arguments import check_position, check_tenant
from dynamo_es.contracts.consumers.claims import check_claim, check_taking
from dynamo_es.contracts.consumers.live_versions import check_version
from dynamo_es.contracts.stream_keys import consumer_key
from dynamo_es.dynamodb.consumers import checkpoint_requests as requests
from dynamo_es.dynamodb.consumers import leases, live_versions
from dynamo_es.dynamodb.consumers.failures import FORGET
from dynamo_es.dynamodb.consumers.write_batch import DynamoWriteBatch
from dynamo_es.dynamodb.log.keys import ConsumerKey
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Request, number
from dynamo_es.exceptions import (
    InvalidEnlistedWriteError,
    ProjectionWriteRefusedError,
    UnknownConsumerError,
)
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from dynamo_es.contracts.consumers.claims import CheckpointState, Claim, Saved
    from dynamo_es.contracts.consumers.failures import NewFailure
    from dynamo_es.contracts.consumers.live_versions import LiveVersion
    from dynamo_es.contracts.consumers.writes import WriteBatch
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item, Steps, T
    from dynamo_es.values import Position, TenantId

_MOVE: Final = f"SET checkpoint = :checkpoint, moved_at = :moved_at REMOVE {FORGET}"


class DynamoCheckpoints(CheckpointStrategy):
    """Checkpoints in the log table. Safe to share between threads.

    Each checkpoint has its own partition key: ``checkpoint#{consumer}``, or
    ``{tenant}#checkpoint#{consumer}``. So an IAM policy can limit a consumer to its checkpoint, or
    a session to those of its tenant.

    Args:
        table: name of the log table.
        gateway: sends the requests.
        clock: returns seconds since the epoch.
        tenant_id: tenant whose events the consumers handle. None: all tenants.
        per_tenant: whether each tenant has its own log, and so its own list of consumers.
        own_tables: names of the store's tables, which a read model's writes may not change.
        version: version of the projections, which is in the sort key; None: projections without
            versions.
    """

    def __init__(  # noqa: PLR0913 - made in one place
        self,
        table: str,
        gateway: Gateway,
        clock: Callable[[], float],
        tenant_id: TenantId | None = None,
        *,
        per_tenant: bool = False,
        own_tables: Collection[str] = (),
        version: int | None = None,
    ) -> None:
        self._version = version
        self._table = table
        self._per_tenant = per_tenant
        self._own_tables = own_tables
        self._gateway = gateway
        self._clock = clock
        self._tenant_id = tenant_id
        self._listed: set[ConsumerKey] = set()

    def position(self, consumer: str) -> Position | None:
        """Return a consumer's checkpoint; see `CheckpointStrategy.position`. Cost: 1 request."""
        return self._run("checkpoint", requests.read(self._table, self._consumer(consumer)))

    def move(self, consumer: str, position: Position) -> Position:
        """Move a consumer forward; see `CheckpointStrategy.move`.

        Cost: 1 request; 1 more the first time in a process, to list the consumer.
        """
        found = self._consumer(consumer)
        check_position(position)
        return self._run("move_checkpoint", self._move(found, position))

    def fail(self, consumer: str, position: Position, failure: NewFailure) -> None:
        """Store a failure; see `CheckpointStrategy.fail`.

        Cost: 1 request; 2 if the stored failure is of another event; 1 more the first time in a
        process, to list the consumer.
        """
        found = self._consumer(consumer)
        check_position(position)
        self._run("fail_checkpoint", self._fail(found, position, failure))

    def reset(self, consumer: str, position: Position) -> None:
        """Set a consumer back; see `CheckpointStrategy.reset`. Cost: 1 request."""
        found = self._consumer(consumer)
        check_position(position)
        try:
            self._run("reset_checkpoint", self._reset(found, position))
        except ConditionRefused:
            known = [one.name for one in self.all() if one.tenant_id == self._tenant_id]
            raise UnknownConsumerError(consumer, known) from None

    def pause(self, consumer: str) -> None:
        """Pause a consumer; see `CheckpointStrategy.pause`. Cost: 1 request."""
        self._set_paused("pause", consumer, paused=True)

    def resume(self, consumer: str) -> None:
        """Resume a consumer; see `CheckpointStrategy.resume`. Cost: 1 request."""
        self._set_paused("resume", consumer, paused=False)

    def _set_paused(self, operation: str, consumer: str, *, paused: bool) -> None:
        request = requests.set_paused(self._table, self._consumer(consumer), paused=paused)
        if not self._run(operation, _carried_out(request)):
            known = [one.name for one in self.all() if one.tenant_id == self._tenant_id]
            raise UnknownConsumerError(consumer, known)

    def look(self, consumer: str) -> CheckpointState:
        """Return position and lease; see `CheckpointStrategy.look`. Cost: 1 request."""
        return self._run("look_at_checkpoint", leases.look(self._place(consumer)))

    def take(
        self, consumer: str, worker: str, seen: CheckpointState, until_ms: int, length_ms: int
    ) -> CheckpointState | None:
        """Take the lease; see `CheckpointStrategy.take`.

        Cost: 1 request; 1 more the first time in a process, to list the consumer.
        """
        check_taking(worker, seen, until_ms, length_ms)
        found = self._consumer(consumer)
        taken = leases.take(self._place(consumer), worker, seen, until_ms, length_ms)
        return self._run("take_checkpoint", self._listing(found, taken))

    def renew(self, consumer: str, claim: Claim, until_ms: int) -> Saved:
        """Renew a lease; see `CheckpointStrategy.renew`. Cost: 1 request."""
        check_claim(claim, until_ms)
        return self._run("renew_checkpoint", leases.renew(self._place(consumer), claim, until_ms))

    def save(self, consumer: str, claim: Claim, position: Position, until_ms: int) -> Saved:
        """Save a position and renew the lease; see `CheckpointStrategy.save`. Cost: 1 request."""
        check_claim(claim, until_ms)
        check_position(position)
        place, values = self._place(consumer), self._moved(position)
        steps = leases.save(place, claim, until_ms, _MOVE, values)
        return self._run("move_checkpoint", steps)

    def new_writes(self) -> DynamoWriteBatch:
        """Return an empty batch of writes; see `CheckpointStrategy.new_writes`."""
        return DynamoWriteBatch(self._own_tables)

    def apply(
        self,
        consumer: str,
        claim: Claim,
        position: Position,
        until_ms: int,
        previous: Position | None,
        writes: WriteBatch,
    ) -> Saved:
        """Save a position and carry out writes; see `CheckpointStrategy.apply`. Cost: 1 request."""
        check_claim(claim, until_ms)
        if not isinstance(writes, DynamoWriteBatch):
            raise InvalidEnlistedWriteError("apply takes the batch that new_writes returns.")
        check_position(position)
        place, values = self._place(consumer), self._moved(position)
        made = writes.writes
        steps = leases.apply(place, claim, until_ms, previous, _MOVE, values, made)
        saved = self._run("apply_projection", steps)
        if saved is None:
            raise ProjectionWriteRefusedError(consumer, position)
        return saved

    def release(self, consumer: str, claim: Claim) -> None:
        """Give a lease back; see `CheckpointStrategy.release`. Cost: 1 request."""
        check_claim(claim)
        self._run("release_checkpoint", leases.release(self._place(consumer), claim))

    def ask(self, consumer: str, worker: str, seen: CheckpointState) -> bool:
        """Ask for a lease; see `CheckpointStrategy.ask`. Cost: 1 request."""
        check_taking(worker, seen)
        return self._run("ask_for_checkpoint", leases.ask(self._place(consumer), worker, seen))

    def all(self) -> list[Checkpoint]:
        """Return all checkpoints; see `CheckpointStrategy.all`.

        Cost: 1 request, and 1 for every 100 consumers.
        """
        return self._run(
            "checkpoints",
            requests.all_checkpoints(self._table, self._tenant_id, per_tenant=self._per_tenant),
        )

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the checkpoints of a tenant; see `CheckpointStrategy.scoped_for_tenant`."""
        check_tenant(tenant_id)
        return self._changed(tenant_id, self._version)

    def of_version(self, version: int | None) -> Self:
        """Return the checkpoints of a version; see `CheckpointStrategy.of_version`."""
        if version is not None:
            check_version(version)
        return self._changed(self._tenant_id, version)

    def live(self, name: str) -> LiveVersion | None:
        """Return the live version; see `CheckpointStrategy.live`. Cost: 1 request."""
        return self._run("live_version", live_versions.read(self._table, self._consumer(name)))

    def promote(self, name: str, version: int, expected: int | None) -> bool:
        """Make a version the live one; see `CheckpointStrategy.promote`. Cost: 1 request."""
        check_version(version)
        steps = live_versions.move(
            self._table, self._consumer(name), version, expected, int(self._clock() * 1000)
        )
        return self._run("promote", steps)

    def _changed(self, tenant_id: TenantId | None, version: int | None) -> Self:
        changed = type(self)(
            self._table,
            self._gateway,
            self._clock,
            tenant_id,
            per_tenant=self._per_tenant,
            own_tables=self._own_tables,
            version=version,
        )
        changed._listed = self._listed  # noqa: SLF001 - the same class
        return changed

    def _consumer(self, name: str) -> ConsumerKey:
        consumer_key(name, self._tenant_id)  # refuses a name that cannot be part of a key
        return ConsumerKey(requests.KIND, name, self._tenant_id, self._version)

    def _place(self, consumer: str) -> Item:
        return {"TableName": self._table, "Key": requests.key_of(self._consumer(consumer))}

    def _listing(self, consumer: ConsumerKey, steps: Steps[T]) -> Steps[T]:
        yield from self._list(consumer)
        return (yield from steps)

    def _reset(self, consumer: ConsumerKey, position: Position) -> Steps[None]:
        """Set the position, and raise the fencing token: the holder of the lease cannot write."""
        place = {"TableName": self._table, "Key": requests.key_of(consumer)}
        yield Request(
            "update_item",
            {
                **place,
                "UpdateExpression": (
                    _MOVE.replace(
                        "SET ", "SET fencing_token = if_not_exists(fencing_token, :none) + :one, "
                    )
                    + f", {leases.LEASE}"
                ),
                "ConditionExpression": requests.USED,
                "ExpressionAttributeValues": {
                    **self._moved(position),
                    ":none": number(0),
                    ":one": number(1),
                },
            },
        )

    def _move(self, consumer: ConsumerKey, position: Position) -> Steps[Position]:
        yield from self._list(consumer)
        try:
            yield from self._put(
                consumer, position, "attribute_not_exists(checkpoint) OR checkpoint < :checkpoint"
            )
        except ConditionRefused as refused:
            there = refused.items[0]
            if there is None or "checkpoint" not in there:
                return position
            return int(there["checkpoint"]["N"])
        return position

    def _list(self, consumer: ConsumerKey) -> Steps[None]:
        """Add a consumer to the list before its item exists; `all` skips it until then."""
        if consumer not in self._listed:
            item = requests.listed(consumer, per_tenant=self._per_tenant)
            yield Request("put_item", {"TableName": self._table, "Item": item})
            self._listed.add(consumer)

    def _fail(self, consumer: ConsumerKey, position: Position, failure: NewFailure) -> Steps[None]:
        yield from self._list(consumer)
        for again in (True, False):
            try:
                yield requests.keep_failure(self._table, consumer, position, failure, again=again)
            except ConditionRefused as refused:
                item = refused.items[0] or {}
                if int(item.get("checkpoint", {}).get("N", 0)) >= failure.place:
                    return  # the consumer has passed the event
            else:
                return

    def _put(self, consumer: ConsumerKey, position: Position, condition: str) -> Steps[None]:
        yield Request(
            "update_item",
            {
                "TableName": self._table,
                "Key": requests.key_of(consumer),
                "UpdateExpression": _MOVE,
                "ConditionExpression": condition,
                "ExpressionAttributeValues": self._moved(position),
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            },
        )

    def _moved(self, position: Position) -> Item:
        return {":checkpoint": number(position), ":moved_at": {"S": self._now()}}

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat()

    def _run(self, operation: str, steps: Steps[T]) -> T:
        return self._gateway.run(operation, self._tenant_id or DEFAULT_TENANT, None, steps)


def _carried_out(request: Request) -> Steps[bool]:
    try:
        yield request
    except ConditionRefused:
        return False
    return True

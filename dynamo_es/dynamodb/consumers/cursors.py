"""`DynamoCursors`: stores one item for each read model and stream. The lease's holder moves it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.checks.arguments import check_consumer
from dynamo_es.contracts.consumers.cursors import CursorStrategy
from dynamo_es.contracts.consumers.leases import Lease, LeaseWatch
from dynamo_es.dynamodb.consumers import cursor_requests as requests
from dynamo_es.dynamodb.consumers.cursor_writes import Move, move_with
from dynamo_es.dynamodb.consumers.finder import cursor_info
from dynamo_es.dynamodb.consumers.write_batch import DynamoWriteBatch
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Request, number
from dynamo_es.exceptions import (
    CursorBusyError,
    InvalidEnlistedWriteError,
    ProjectionWriteRefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from dynamo_es.contracts.consumers.cursors import Followed
    from dynamo_es.contracts.consumers.failures import NewFailure
    from dynamo_es.contracts.consumers.finder import CursorInfo
    from dynamo_es.contracts.consumers.writes import WriteBatch
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item, Response, Steps, T

_MOST_REQUESTS: Final = 4
"""The most requests to take a lease. Each depends on the item that refused the one before."""


class DynamoCursors(CursorStrategy):
    """Cursors in the log table. Safe to share between threads.

    Args:
        table: name of the log table.
        gateway: sends the requests.
        own_tables: names of the store's tables, which a read model's writes may not change.
    """

    def __init__(self, table: str, gateway: Gateway, own_tables: Collection[str] = ()) -> None:
        self._table = table
        self._own_tables = own_tables
        self._gateway = gateway
        self._watch = LeaseWatch()

    def take(
        self, followed: Followed, version: int, worker: str, now_ms: int, until_ms: int
    ) -> int | None:
        """Take the lease of a cursor; see `CursorStrategy.take`.

        Cost: 1 request; 2 in a new generation, or to take over another worker's lease.
        """
        check_consumer(followed.name)
        return self._run(
            "take_cursor", followed, self._take(followed, version, worker, now_ms, until_ms)
        )

    def renew(self, followed: Followed, version: int | None, worker: str, until_ms: int) -> bool:
        """Move a cursor and renew the lease; see `CursorStrategy.renew`. Cost: 1 request."""
        request = requests.move(self._table, followed, version, worker, until_ms)
        return self._run("renew_cursor", followed, _accepted(request))

    def release(
        self,
        followed: Followed,
        version: int | None,
        worker: str,
        failure: NewFailure | None = None,
    ) -> bool:
        """Move a cursor and release the lease; see `CursorStrategy.release`. Cost: 1 request."""
        request = requests.move(self._table, followed, version, worker, None)
        if failure is not None:
            if self._run(
                "release_cursor", followed, _accepted(requests.fail(request, failure, again=True))
            ):
                return True
            request = requests.fail(request, failure, again=False)
        return self._run("release_cursor", followed, _accepted(request))

    def new_writes(self) -> DynamoWriteBatch:
        """Return an empty batch of writes; see `CursorStrategy.new_writes`."""
        return DynamoWriteBatch(self._own_tables, "version")

    def apply(
        self,
        followed: Followed,
        previous: int,
        version: int,
        worker: str,
        until_ms: int,
        writes: WriteBatch,
    ) -> bool:
        """Move a cursor and carry out writes; see `CursorStrategy.apply`.

        Cost: 1 request, and 1 to find out the outcome of a request without a reply.
        """
        if not isinstance(writes, DynamoWriteBatch):
            raise InvalidEnlistedWriteError("apply takes the batch that new_writes returns.")
        place = {"TableName": self._table, "Key": requests.cursor_key(followed)}
        move = Move(place, followed.generation, previous, version, worker)
        steps = move_with(move, until_ms, writes.writes)
        made = self._run("apply_projector", followed, steps)
        if made is None:
            raise ProjectionWriteRefusedError(followed.name, version, followed.stream_id)
        return made

    def version(self, followed: Followed) -> int:
        """Return a cursor's version; see `CursorStrategy.version`. Cost: 1 request."""
        check_consumer(followed.name)
        item = self._read(followed)
        stored = int(item["generation"]["N"]) if item else 0
        if not item or (stored and followed.generation and stored != followed.generation):
            return 0
        return int(item["version"]["N"])

    def info(self, followed: Followed) -> CursorInfo | None:
        """Return the stored state of a cursor; see `CursorStrategy.info`. Cost: 1 request."""
        check_consumer(followed.name)
        item = self._read(followed)
        if not item:
            return None
        # The key may have a hash instead of the stream.
        return replace(
            cursor_info(item), stream_id=followed.stream_id, tenant_id=followed.tenant_id
        )

    def _read(self, followed: Followed) -> Item:
        key = requests.cursor_key(followed)
        request = Request(
            "get_item", {"TableName": self._table, "Key": key, "ConsistentRead": True}
        )
        item: Item = self._run("cursor", followed, _reply(request)).get("Item", {})
        return item

    def _run(self, operation: str, followed: Followed, steps: Steps[T]) -> T:
        return self._gateway.run(operation, followed.tenant_id, followed.stream_id, steps)

    def _take(
        self, followed: Followed, version: int, worker: str, now_ms: int, until_ms: int
    ) -> Steps[int | None]:
        lease = Lease(worker, until_ms, until_ms - now_ms)
        request = requests.take_lease(self._table, followed, version, lease, None)
        for _ in range(_MOST_REQUESTS):
            try:
                response = yield request
            except ConditionRefused as refused:
                item = refused.items[0]
            else:
                attributes = response.get("Attributes")
                return 0 if attributes is None else int(attributes["version"]["N"])
            if item is None:
                request = requests.begin(self._table, followed, lease, None)
                continue
            held = _held(item)
            if held is not None and held.holder == worker:  # ours: the reply was lost
                return int(item["version"]["N"])
            if _is_done(item, followed, version):
                if followed.generation and item["generation"] == number(0):
                    yield from _accepted(requests.set_generation(self._table, followed))
                return None
            if held is not None and not self._watch.is_over(_watched(followed), held, now_ms):
                break
            if _begins(item, followed):
                request = requests.begin(self._table, followed, lease, held)
            else:
                request = requests.take_lease(self._table, followed, version, lease, held)
        raise CursorBusyError(followed.name, followed.stream_id)


def _begins(item: Item, followed: Followed) -> bool:
    """Return whether a stream is in a later generation than the cursor."""
    return 0 < int(item["generation"]["N"]) < followed.generation


def _is_done(item: Item, followed: Followed, version: int) -> bool:
    """Return whether a cursor is at or after a version, or in a later generation."""
    if 0 < followed.generation < int(item["generation"]["N"]):
        return True
    return not _begins(item, followed) and int(item["version"]["N"]) >= version


def _watched(followed: Followed) -> tuple[str, str]:
    key = requests.cursor_key(followed)
    return key["log_key"]["S"], key["place"]["S"]


def _held(item: Item) -> Lease | None:
    """Return the lease on a cursor; None if no worker holds it."""
    if "leased_by" not in item:
        return None
    return Lease(
        item["leased_by"]["S"], int(item["leased_until"]["N"]), int(item["leased_for"]["N"])
    )


def _accepted(request: Request) -> Steps[bool]:
    try:
        yield request
    except ConditionRefused as refused:
        # Either an attempt whose reply was lost released the lease, or another worker took it.
        item = refused.items[0]
        values = request.params["ExpressionAttributeValues"]
        return (
            refused.maybe_landed
            and item is not None
            and "leased_by" not in item
            and item.get("version") == values.get(":version", item.get("version"))
        )
    return True


def _reply(request: Request) -> Steps[Response]:
    return (yield request)

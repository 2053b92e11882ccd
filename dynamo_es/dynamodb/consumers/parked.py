"""`DynamoParked`: stores one item in the log table for each stream that a consumer has parked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from dynamo_es.contracts.checks.arguments import check_tenant
from dynamo_es.contracts.consumers.leases import Lease, LeaseWatch
from dynamo_es.contracts.consumers.parked import ParkedStrategy
from dynamo_es.contracts.stream_keys import consumer_key, unescape
from dynamo_es.dynamodb.consumers import parked_requests as requests
from dynamo_es.dynamodb.consumers.parked_requests import PARKED, SKIPPED, item_key
from dynamo_es.dynamodb.log.keys import ConsumerKey, prefix_of
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.exceptions import CursorBusyError
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.parked import (
        ParkedFailure,
        ParkedKey,
        ParkedStream,
        Place,
        SkippedEvent,
    )
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item, Request, Response, Steps, T
    from dynamo_es.values import TenantId


class DynamoParked(ParkedStrategy):
    """Parked streams in the log table. Safe to share between threads.

    Args:
        table: name of the log table.
        gateway: sends the requests.
        tenant_id: tenant whose events the consumers handle; None: all tenants.
        per_tenant: whether each tenant has its own log, and so its own list of consumers.
    """

    def __init__(
        self,
        table: str,
        gateway: Gateway,
        tenant_id: TenantId | None = None,
        *,
        per_tenant: bool = False,
    ) -> None:
        self._table = table
        self._gateway = gateway
        self._tenant_id = tenant_id
        self._per_tenant = per_tenant
        self._watch = LeaseWatch()
        self._listed: set[tuple[TenantId | None, str]] = set()

    def park(self, key: ParkedKey, failure: ParkedFailure) -> None:
        """Set a stream aside; see `ParkedStrategy.park`.

        Cost: 1 request; 1 more the first time in a process, to list the consumer.
        """
        owner = self._owner(PARKED, key.name)
        self._list(key.name)
        request = requests.put_parked(self._table, owner, key, failure)
        self._run("park", key, _tried(request))

    def pass_over(self, key: ParkedKey, first: Place, last: Place) -> bool:
        """Record events that a consumer passes over; see `ParkedStrategy.pass_over`.

        Cost: 1 request; 2 if the consumer was set back.
        """
        item = item_key(self._owner(PARKED, key.name), key)
        return self._run("pass_over", key, _pass_over(self._table, item, first, last))

    def streams(self, name: str) -> list[ParkedStream]:
        """Return a consumer's parked streams; see `ParkedStrategy.streams`. Cost: 1 request."""
        return [requests.read_parked(item) for item in self._query(PARKED, name)]

    def all(self) -> list[ParkedStream]:
        """Return all parked streams; see `ParkedStrategy.all`.

        Cost: 1 request, and 1 for each consumer that ever parked a stream.
        """
        return [
            one
            for tenant_id, name in self._consumers()
            for one in self._limited(tenant_id).streams(name)
        ]

    def take(self, key: ParkedKey, worker: str, now_ms: int, until_ms: int) -> ParkedStream | None:
        """Take the lease on an entry; see `ParkedStrategy.take`.

        Cost: 1 request; 2 to take over another worker's lease.
        """
        item = item_key(self._owner(PARKED, key.name), key)
        lease = Lease(worker, until_ms, until_ms - now_ms)
        return self._run("take_parked", key, self._take(key, item, lease, now_ms))

    def advance(self, key: ParkedKey, worker: str, first: Place, until_ms: int) -> bool:
        """Move an entry's first event; see `ParkedStrategy.advance`. Cost: 1 request."""
        item = item_key(self._owner(PARKED, key.name), key)
        request = requests.move_first(self._table, item, worker, first, until_ms)
        return self._run("advance_parked", key, _tried(request))

    def fail(self, key: ParkedKey, worker: str, failure: ParkedFailure) -> bool:
        """Store that an event failed again; see `ParkedStrategy.fail`.

        Cost: 1 request; 2 if the stored failure is of another event.
        """
        item = item_key(self._owner(PARKED, key.name), key)
        return self._run("fail_parked", key, _fail(self._table, item, worker, failure))

    def release(self, key: ParkedKey, worker: str, first: Place) -> bool:
        """Give the lease back; see `ParkedStrategy.release`. Cost: 1 request."""
        item = item_key(self._owner(PARKED, key.name), key)
        request = requests.move_first(self._table, item, worker, first, None)
        return self._run("release_parked", key, _tried(request))

    def unpark(self, key: ParkedKey, worker: str, seen: Place) -> bool:
        """Take a stream off the list; see `ParkedStrategy.unpark`. Cost: 1 request."""
        item = item_key(self._owner(PARKED, key.name), key)
        request = requests.delete_parked(self._table, item, worker, seen)
        return self._run("unpark", key, _deleted(request))

    def drop(self, key: ParkedKey) -> bool:
        """Drop an entry; see `ParkedStrategy.drop`. Cost: 1 request."""
        item = item_key(self._owner(PARKED, key.name), key)
        return "Attributes" in self._run(
            "drop_parked", key, _reply(requests.delete_any(self._table, item))
        )

    def skip(self, key: ParkedKey, failure: ParkedFailure) -> None:
        """List an event that is left out; see `ParkedStrategy.skip`.

        Cost: 1 request; 1 more the first time in a process, to list the consumer.
        """
        owner = self._owner(SKIPPED, key.name)
        self._list(key.name)
        self._run("skip", key, _reply(requests.put_skipped(self._table, owner, key, failure)))

    def skipped(self, name: str | None = None) -> list[SkippedEvent]:
        """Return the events left out; see `ParkedStrategy.skipped`.

        Cost: 1 request; without a name, 1 more for each consumer that ever skipped an event.
        """
        if name is not None:
            return [requests.read_skipped(item) for item in self._query(SKIPPED, name)]
        return [
            one
            for tenant_id, found in self._consumers()
            for one in self._limited(tenant_id).skipped(found)
        ]

    def forget_skipped(self, key: ParkedKey, place: Place) -> bool:
        """Take an event off the list; see `ParkedStrategy.forget_skipped`. Cost: 1 request."""
        item = requests.skipped_key(self._owner(SKIPPED, key.name), key, place)
        return "Attributes" in self._run(
            "forget_skipped", key, _reply(requests.delete_any(self._table, item))
        )

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a tenant's parked streams; see `ParkedStrategy.scoped_for_tenant`."""
        check_tenant(tenant_id)
        return self._limited(tenant_id)

    def _limited(self, tenant_id: TenantId | None) -> Self:
        scoped = type(self)(self._table, self._gateway, tenant_id, per_tenant=self._per_tenant)
        scoped._watch, scoped._listed = self._watch, self._listed  # noqa: SLF001 - the same class
        return scoped

    def _owner(self, kind: str, name: str) -> ConsumerKey:
        consumer_key(name, self._tenant_id)  # refuses a name that cannot be part of a key
        return ConsumerKey(kind, name, self._tenant_id)

    def _list(self, name: str) -> None:
        """Add a consumer to the list before its first entry, so that `all` finds the entry."""
        if (self._tenant_id, name) in self._listed:
            return
        request = requests.put_listed(
            self._table, self._tenant_id, name, per_tenant=self._per_tenant
        )
        self._gateway.run("list_parked", self._tenant_id or DEFAULT_TENANT, None, _reply(request))
        self._listed.add((self._tenant_id, name))

    def _consumers(self) -> list[tuple[TenantId | None, str]]:
        prefix = prefix_of(self._tenant_id)
        steps = (
            _all(self._table, f"{prefix}{PARKED}")
            if self._per_tenant
            else _all(self._table, PARKED, prefix)
        )
        tenant_id = self._tenant_id or DEFAULT_TENANT
        found = self._gateway.run("parked_consumers", tenant_id, None, steps)
        if self._per_tenant:
            return [(self._tenant_id, item["place"]["S"]) for item in found]
        names = []
        for item in found:
            tenant, separator, name = item["place"]["S"].rpartition("#")
            names.append((unescape(tenant) if separator else None, name))
        return sorted(names, key=lambda one: (one[1], one[0] is not None, one[0] or ""))

    def _query(self, kind: str, name: str) -> list[Item]:
        owner = self._owner(kind, name)
        tenant_id = self._tenant_id or DEFAULT_TENANT
        return self._gateway.run(kind, tenant_id, None, _all(self._table, owner.log_key))

    def _run(self, operation: str, key: ParkedKey, steps: Steps[T]) -> T:
        return self._gateway.run(operation, key.tenant_id, key.stream_id, steps)

    def _take(
        self, key: ParkedKey, item: Item, lease: Lease, now_ms: int
    ) -> Steps[ParkedStream | None]:
        held: Lease | None = None
        while True:
            try:
                response = yield requests.take_lease(self._table, item, lease, held)
            except ConditionRefused as refused:
                found = refused.items[0]
            else:
                return requests.read_parked(response["Attributes"])
            if found is None:
                return None
            before, held = held, _held(found)
            if held is None or held.holder == lease.holder:
                held = None
                continue
            watched = item["log_key"]["S"], item["place"]["S"]
            if before is not None or not self._watch.is_over(watched, held, now_ms):
                raise CursorBusyError(key.name, key.stream_id)


def _held(item: Item) -> Lease | None:
    if "leased_by" not in item:
        return None
    return Lease(
        item["leased_by"]["S"], int(item["leased_until"]["N"]), int(item["leased_for"]["N"])
    )


def _pass_over(table: str, item: Item, first: Place, last: Place) -> Steps[bool]:
    request = requests.note_seen(table, item, last)
    request.params["ReturnValues"] = "ALL_OLD"
    try:
        found = (yield request)["Attributes"]
    except ConditionRefused as refused:
        if refused.items[0] is None:
            return False
        found = refused.items[0]
    if first < requests.first_in(found):
        try:
            yield requests.note_first(table, item, first)
        except ConditionRefused as refused:
            return refused.items[0] is not None
    return True


def _fail(table: str, item: Item, worker: str, failure: ParkedFailure) -> Steps[bool]:
    again = yield from _tried(
        requests.store_failure(table, item, worker, failure, again=True), maybe=False
    )
    if again:
        return True
    return (yield from _tried(requests.store_failure(table, item, worker, failure, again=False)))


def _deleted(request: Request) -> Steps[bool]:
    try:
        yield request
    except ConditionRefused as refused:
        return refused.items[0] is None  # an attempt whose reply was lost deleted it
    return True


def _tried(request: Request, *, maybe: bool = True) -> Steps[bool]:
    try:
        yield request
    except ConditionRefused as refused:
        # If the lease is gone, an attempt whose reply was lost has given it back.
        found = refused.items[0]
        return maybe and refused.maybe_landed and found is not None and "leased_by" not in found
    return True


def _all(table: str, partition: str, beginning: str = "") -> Steps[list[Item]]:
    found: list[Item] = []
    after: Item | None = None
    while True:
        response = yield requests.query(table, partition, beginning, after)
        found += response["Items"]
        after = response.get("LastEvaluatedKey")
        if after is None:
            return found


def _reply(request: Request) -> Steps[Response]:
    return (yield request)

"""`Backend`: the interface of every backend: streams, typed events, the log, its consumers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Self

from dynamo_es.contracts.checks.arguments import check_kind, check_scope
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.facade.consumers import (
    choose_for_outbox,
    listeners_of,
    outbox_of,
    subscriptions_of,
)
from dynamo_es.facade.read_models import ReadModels
from dynamo_es.values import DEFAULT_TENANT, RecordedRaw

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.boundaries.boundary import Boundary
    from dynamo_es.contracts import (
        CheckpointStrategy,
        ConsumerFinder,
        CursorStrategy,
        LogStrategy,
        OutboxFilter,
        StorageStrategy,
        SubscriptionStrategy,
    )
    from dynamo_es.event_store.encryption.service import Encryption
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.facade.event_store import EventStoreAccess
    from dynamo_es.facade.log_access import LogAccess
    from dynamo_es.outbox import Outbox
    from dynamo_es.subscriptions.listeners import Listeners
    from dynamo_es.subscriptions.log_subscriptions import LogSubscriptions
    from dynamo_es.subscriptions.subscriber import Subscriber
    from dynamo_es.values import TenantId


class Backend(ReadModels):
    """Gives access to one tenant's streams, raw and typed, and to the log of all tenants.

    All tenants share one log, and a new backend reads all of it. With ``log_scope="tenant"``, each
    tenant has a log with its own positions, and a new backend reads all logs. A backend from
    `in_tenant` is limited to that tenant: its log, subscriptions, projections, checkpoints,
    projectors, outbox and listeners have only the events of the tenant.

    Args:
        storage: storage of the tenant's streams.
        typed: makes the event stores of all tenants.
        shared_log: returns the parts that consumers of all tenants share; called when it is first
            needed.
        tenant_id: tenant of the streams.
    """

    def __init__(
        self,
        storage: StorageStrategy,
        typed: EventStoreAccess,
        shared_log: Callable[[], LogAccess],
        tenant_id: TenantId = DEFAULT_TENANT,
    ) -> None:
        self._storage = storage
        self._typed = typed
        self._shared_log = cache(shared_log)
        self._tenant_id = tenant_id
        self._log_tenant: TenantId | None = None

    @property
    def limited_to(self) -> TenantId | None:
        """The tenant that this backend is limited to; None: it reads the events of all tenants."""
        return self._log_tenant

    @property
    def storage(self) -> StorageStrategy:
        """Stores and loads the raw events of this backend's tenant."""
        return self._storage

    @property
    def event_store(self) -> EventStore:
        """Appends and loads the typed events of this backend's tenant."""
        return self._typed.event_store(self._storage, self._tenant_id)

    def boundary(
        self, name: str, *, group: bool = False, snapshot_every: int | None = None
    ) -> Boundary:
        """Return a dynamic consistency boundary of this backend's tenant.

        It is a stream for rules that span several things; see `Boundary`. To choose how long it
        retries, make a `Boundary` yourself.

        Args:
            name: name of the boundary, text of one character or more.
            group: whether to put waiting appends and decisions of this process into one commit, up
                to 25 in a request, each with its own condition. Use it for a boundary with many
                concurrent writers. If no other append is on its way, an append is sent at once.
            snapshot_every: save the state of a decision's model again after this number of events,
                1 or more. Only models with ``__snapshot__`` have states. None: neither save nor use
                states.

        Raises:
            InvalidStreamIdError: the name is not text or is empty.
            InputError: ``group`` is not a bool, or ``snapshot_every`` is not an integer of 1 or
                more.
        """
        check_kind("group", group, bool)
        return self._typed.boundary(
            self._storage, self._tenant_id, name, group=group, snapshot_every=snapshot_every
        )

    @property
    def encryption(self) -> Encryption:
        """Encrypts fields of this tenant's events; `Encryption.shred` deletes a subject's key."""
        return self._typed.encryption(self._tenant_id)

    @property
    def log(self) -> LogStrategy:
        """The log of all tenants, or the events of one tenant if this backend is limited to it."""
        return self._access.log

    @property
    def checkpoints(self) -> CheckpointStrategy:
        """The positions of the log's consumers; only the tenant's if limited to one."""
        return self._access.checkpoints

    @property
    def cursors(self) -> CursorStrategy:
        """The cursors of read models: their versions in single streams, for all tenants."""
        return self._shared_log().cursors

    @property
    def consumers(self) -> ConsumerFinder:
        """Finds the cursors and outboxes that are in use; only the tenant's if limited to one."""
        return self._access.finder

    @property
    def subscriptions(self) -> SubscriptionStrategy:
        """Subscribes to raw events of the log; for typed events use `subscriber`."""
        return self._subscriptions()

    @property
    def subscriber(self) -> Subscriber:
        """Builds a subscription to typed events.

        ``backend.subscriber.after(p).to_category("account").build_batch(100, timelimit=1)``
        """
        from dynamo_es.subscriptions.subscriber import Subscriber

        return Subscriber(
            self._subscriptions(),
            self._typed.registry,
            lambda raw, keep_unknown: self._typed.deserialize(raw, keep_unknown=keep_unknown),
            scope=self._log_tenant,
        )

    def with_outbox(self, wanted: OutboxFilter | None = None) -> Self:
        """Choose the events that the outbox publishes, and return this backend.

        The choice is for later appends of this process, for all tenants. A second call replaces the
        first.

        Args:
            wanted: called with a copy of each `RawEvent` before it is appended; returns whether
                to publish it. None: publish every event.

        Raises:
            InvalidSubscriptionError: ``wanted`` is asynchronous or not callable, or this backend
                is limited to one tenant.
        """
        choose_for_outbox(self._shared_log().hooks, wanted, self._log_tenant)
        return self

    @property
    def outbox(self) -> Outbox:
        """Publishes the events that `with_outbox` chose; only the tenant's if limited to one.

        The outbox of a tenant has its own position and failed entries.
        """
        return outbox_of(self._access, self.deserialize)

    @property
    def listeners(self) -> Listeners:
        """Calls functions with events that this process appends; the tenant's if limited to one."""
        return listeners_of(self._shared_log().hooks, self._typed, self._log_tenant)

    def deserialize(self, raw: RecordedRaw, *, keep_unknown: bool = False) -> Recorded:
        """Return an event of the log as an object of its class.

        Args:
            raw: an event from the log.
            keep_unknown: whether to return an event without a class as an `UnknownEvent`.

        Raises:
            UnreadableEventError: the event does not fit its class.
            UnknownEventError: no class has the event's name.
            InvalidSubscriptionError: the event belongs to a tenant that this backend cannot read.
        """
        check_kind("raw", raw, RecordedRaw, InvalidSubscriptionError)
        check_scope(raw.tenant_id, self._log_tenant)
        return self._typed.deserialize(raw, keep_unknown=keep_unknown)

    def in_tenant(self, tenant_id: TenantId) -> Self:
        """Return a backend that is limited to a tenant; this one does not change.

        Both have the same data.

        Args:
            tenant_id: any text.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
        scoped = object.__new__(type(self))
        scoped.__dict__.update(self.__dict__)
        scoped._storage = self._storage.scoped_for_tenant(tenant_id)
        scoped._tenant_id = scoped._log_tenant = tenant_id
        return scoped

    def prepare(self) -> None:
        """Do now the work that the first request would otherwise do, such as to make the client."""

    def create_tables(self) -> None:
        """Create the tables that are missing."""
        raise NotImplementedError

    def close(self) -> None:
        """Release the resources of the backend, such as connections. Stored data stays."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def _access(self) -> LogAccess:
        return self._shared_log().limited(self._log_tenant)

    def _subscriptions(self) -> LogSubscriptions:
        return subscriptions_of(self._access)

    def _event_store_of(self, tenant_id: TenantId) -> EventStore:
        return self._typed.event_store(self._storage.scoped_for_tenant(tenant_id), tenant_id)

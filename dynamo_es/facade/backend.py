"""What every backend offers of one tenant."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Self

from dynamo_es.contracts.checks import check_kind, check_scope
from dynamo_es.contracts.hooks import checked_filter
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.facade.log import selection_of
from dynamo_es.facade.scope import TenantLog
from dynamo_es.values import DEFAULT_TENANT, RecordedRaw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta
    from types import TracebackType

    from dynamo_es.contracts import (
        CheckpointStrategy,
        LogStrategy,
        OutboxFilter,
        Selection,
        StorageStrategy,
        SubscriptionStrategy,
    )
    from dynamo_es.event_store.encryption.service import Encryption
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.facade.event_store import EventStoreAccess
    from dynamo_es.facade.log import LogAccess
    from dynamo_es.outbox import Outbox
    from dynamo_es.projections.projection import Projection
    from dynamo_es.projections.projector import Projector, ReadModel
    from dynamo_es.projections.run import Handler
    from dynamo_es.subscriptions.listeners import Listeners
    from dynamo_es.subscriptions.strategy import LogSubscriptions
    from dynamo_es.subscriptions.subscriber import Subscriber
    from dynamo_es.values import Position, TenantId


class Backend:
    """The streams of one tenant, raw and typed; the way to those of the others, and to the log.

    The log is one for all tenants: a backend as it was made reads all of it. One that `in_tenant`
    returned reads its tenant's part, and nothing else: log, subscriptions, projections and their
    checkpoints, projectors, outbox and listeners are that tenant's.

    Args:
        storage: its streams.
        typed: what its event stores share with those of other tenants.
        shared_log: makes what its consumers of the log share with those of other tenants, when it
            is first needed.
        tenant_id: whose they are.
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
    def storage(self) -> StorageStrategy:
        """The streams of this backend's tenant."""
        return self._storage

    @property
    def event_store(self) -> EventStore:
        """The typed events of this backend's tenant."""
        return self._typed.event_store(self._storage, self._tenant_id)

    @property
    def encryption(self) -> Encryption:
        """The encrypted fields of this backend's tenant, and how to make them unreadable."""
        return self._typed.encryption(self._tenant_id)

    @property
    def log(self) -> LogStrategy:
        """The log, to be read piece by piece: of all tenants, or this backend's tenant's part."""
        log = self._shared_log().log
        return log if self._log_tenant is None else TenantLog(log, self._log_tenant)

    @property
    def checkpoints(self) -> CheckpointStrategy:
        """How far the consumers of the log are; those of this backend's tenant, if it has one."""
        checkpoints = self._shared_log().checkpoints
        if self._log_tenant is None:
            return checkpoints
        return checkpoints.scoped_for_tenant(self._log_tenant)

    @property
    def subscriptions(self) -> SubscriptionStrategy:
        """Subscriptions to raw events."""
        return self._subscriptions()

    @property
    def subscriber(self) -> Subscriber:
        """The beginning of a subscription to typed events.

        ``backend.subscriber.after(p).to_category("account").build_batch(100, timelimit=1)``
        """
        from dynamo_es.subscriptions.subscriber import Subscriber

        return Subscriber(
            self._subscriptions(),
            self._typed.registry,
            lambda raw, keep_unknown: self._typed.deserialize(raw, keep_unknown=keep_unknown),
            scope=self._log_tenant,
        )

    def projection(  # noqa: PLR0913 - what may be chosen, each by its name
        self,
        name: str,
        handler: Handler,
        *,
        category: str | None = None,
        events: Iterable[type[Event]] | None = None,
        after: Position = 0,
        batch_size: int = 100,
        keep_unknown: bool = False,
    ) -> Projection:
        """Return a runner that gives a handler every event of the log, from where it was last.

        Args:
            name: text of at most 255 bytes without ``#``; its checkpoint is kept under it, and
                under this backend's tenant, if it has one.
            handler: called with a `Recorded` for each event. It is a plain function: one that is
                asynchronous is refused. A `Projector` applies no event but those chosen here.
            category: only the events of its streams.
            events: only those of these classes: under their names and aliases, with those of
                their subclasses that are defined by the time it runs.
            after: position to begin after while there is no checkpoint, exclusive.
            batch_size: events after which the checkpoint is saved at the latest.
            keep_unknown: hand on an event whose name no class has as an `UnknownEvent`.

        Raises:
            InvalidSubscriptionError: a handler, batch size or filter that cannot be.
            EventDefinitionError: one of the classes is not an event class that can be stored.
            InvalidConsumerError: a name that cannot make a key.
            InvalidPositionError: a position below 0.
        """
        from dynamo_es.projections.projection import Projection
        from dynamo_es.projections.projector import Projector

        selection = self.chooser(category, events)
        if isinstance(handler, Projector):
            handler = handler.choosing(lambda: selection().event_names)

        return Projection(
            name,
            handler,
            log=self.log,
            checkpoints=self.checkpoints,
            deserialize=lambda raw: self._typed.deserialize(raw, keep_unknown=keep_unknown),
            selection=selection,
            after=after,
            batch_size=batch_size,
        )

    def projector(
        self,
        name: str,
        read_model: ReadModel,
        *,
        lease: timedelta | float = 60.0,
        keep_unknown: bool = False,
    ) -> Projector:
        """Return what applies the events of single streams to a read model, each once.

        Args:
            name: text of at most 255 bytes without ``#``; its cursors are kept under it.
            read_model: called with an event and its stream's id.
            lease: seconds that other processes stay out of a stream; longer than one event takes.
            keep_unknown: hand on a missing event whose name no class has as an `UnknownEvent`.

        Raises:
            InvalidSubscriptionError: a read model or lease that cannot be.
            InvalidConsumerError: a name that cannot make a key.
        """
        from dynamo_es.projections.projector import Projector

        shared = self._shared_log()
        return Projector(
            name,
            read_model,
            cursors=shared.cursors,
            event_store=self._event_store_of,
            lease=lease,
            keep_unknown=keep_unknown,
            clock=shared.clock,
            tenant_id=self._tenant_id,
            scoped=self._log_tenant is not None,
        )

    def with_outbox(self, wanted: OutboxFilter | None = None) -> Self:
        """Choose from now on which events are to be published, and return this backend.

        It holds for appends of this process, of all tenants; calling it again chooses anew.

        Args:
            wanted: called with a copy of each `RawEvent` before it is appended; None: all are
                published.

        Raises:
            InvalidSubscriptionError: it cannot be called or is asynchronous, or this backend is
                of one tenant.
        """
        if self._log_tenant is not None:
            raise InvalidSubscriptionError(
                "What is published is chosen for all tenants: call with_outbox on the backend "
                f"of all of them, not on that of tenant {self._log_tenant!r}."
            )
        hooks = self._shared_log().hooks
        hooks.outbox_filter = _everything if wanted is None else checked_filter(wanted)
        return self

    @property
    def outbox(self) -> Outbox:
        """Publishes the events that were chosen `with_outbox`; this backend's tenant's, if any.

        The outbox of one tenant has a position and failed entries of its own.
        """
        from dynamo_es.outbox import Outbox

        shared = self._shared_log()
        state = shared.outbox
        if self._log_tenant is not None:
            state = state.scoped_for_tenant(self._log_tenant)
        return Outbox(state, self.log, self.deserialize, clock=shared.clock, watch=shared.watch)

    @property
    def listeners(self) -> Listeners:
        """Who is told of the events that this process appends: of this backend's tenant, if any."""
        from dynamo_es.subscriptions.listeners import Listeners

        hooks = self._shared_log().hooks
        if not isinstance(hooks.listener, Listeners):
            hooks.listener = Listeners(self._typed.deserialize_all)
        if self._log_tenant is None:
            return hooks.listener
        return hooks.listener.scoped_for_tenant(self._log_tenant)

    def select(
        self, category: str | None = None, events: Iterable[type[Event]] | None = None
    ) -> Selection:
        """Return a choice of events, of this backend's tenant if it has one.

        Args:
            category: only the events of its streams.
            events: only those of these classes.

        Raises:
            InvalidSubscriptionError: a filter that cannot be.
            EventDefinitionError: one of the classes is not an event class that can be stored.
        """
        if category is not None and not isinstance(category, str):
            raise InvalidSubscriptionError(f"category must be text, not {category!r}.")
        return selection_of(lambda: self._typed.registry, category, events, self._log_tenant)

    def chooser(
        self, category: str | None = None, events: Iterable[type[Event]] | None = None
    ) -> Callable[[], Selection]:
        """Return what makes a choice of events anew: with the subclasses defined by then.

        Takes and raises what `select` does, at once.
        """
        classes = None if events is None else self._typed.classes_in(events)
        self.select(category, classes)
        return lambda: self.select(category, classes)

    def deserialize(self, raw: RecordedRaw, *, keep_unknown: bool = False) -> Recorded:
        """Return an event of the log as an object of its class.

        Args:
            raw: as the log has it.
            keep_unknown: if no class has its name, return it as an `UnknownEvent`.

        Raises:
            UnreadableEventError: it does not fit its class.
            UnknownEventError: no class has its name.
            InvalidSubscriptionError: it is of a tenant that this backend does not read.
        """
        check_kind("raw", raw, RecordedRaw, InvalidSubscriptionError)
        check_scope(raw.tenant_id, self._log_tenant)
        return self._typed.deserialize(raw, keep_unknown=keep_unknown)

    def in_tenant(self, tenant_id: TenantId) -> Self:
        """Return a backend of that tenant over the same data; this one stays as it is.

        Args:
            tenant_id: any text.

        Raises:
            InvalidStreamIdError: not text.
        """
        scoped = object.__new__(type(self))
        scoped.__dict__.update(self.__dict__)
        scoped._storage = self._storage.scoped_for_tenant(tenant_id)
        scoped._tenant_id = scoped._log_tenant = tenant_id
        return scoped

    def create_tables(self) -> None:
        """Make what is not there yet and has to be."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what the backend holds; the data stays."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _subscriptions(self) -> LogSubscriptions:
        from dynamo_es.subscriptions.strategy import LogSubscriptions

        shared = self._shared_log()
        return LogSubscriptions(self.log, monotonic=shared.monotonic, sleep=shared.sleep)

    def _event_store_of(self, tenant_id: TenantId) -> EventStore:
        return self._typed.event_store(self._storage.scoped_for_tenant(tenant_id), tenant_id)


def _everything(_event: object) -> bool:
    return True

"""`AsyncBackend`: scripts/async-interface writes it, from `Backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.interface.boundary import AsyncBoundary
from dynamo_es.aio.interface.by_hand.backend import HasBridge
from dynamo_es.aio.interface.contracts.checkpoints import AsyncCheckpoints
from dynamo_es.aio.interface.contracts.consumers import AsyncConsumers
from dynamo_es.aio.interface.contracts.cursors import AsyncCursors
from dynamo_es.aio.interface.contracts.log import AsyncLog
from dynamo_es.aio.interface.contracts.parked import AsyncParked
from dynamo_es.aio.interface.contracts.storage import AsyncStorage
from dynamo_es.aio.interface.contracts.subscriptions import AsyncSubscriptions
from dynamo_es.aio.interface.encryption import AsyncEncryption
from dynamo_es.aio.interface.event_store import AsyncEventStore
from dynamo_es.aio.interface.listeners import AsyncListeners
from dynamo_es.aio.interface.outbox import AsyncOutbox
from dynamo_es.aio.interface.projection import AsyncProjection
from dynamo_es.aio.interface.projections import AsyncProjections
from dynamo_es.aio.interface.projector import AsyncProjector
from dynamo_es.aio.interface.subscriber import AsyncSubscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta
    from typing import Self

    from dynamo_es.contracts import (
        OutboxFilter,
        Selection,
    )
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.facade.backend import Backend
    from dynamo_es.projections.failure_policy import OnFailure
    from dynamo_es.projections.parts import Handler
    from dynamo_es.projections.projector import ReadModel
    from dynamo_es.values import Position, RecordedRaw, TenantId


class AsyncBackend(HasBridge):
    """Gives access to one tenant's streams, and to the log; see `Backend`."""

    _sync: Backend

    def boundary(
        self,
        name: str,
        *,
        group: bool = False,
        snapshot_every: int | None = None,
    ) -> AsyncBoundary:
        """Return a dynamic consistency boundary of this backend's tenant.

        It holds events under rules that span several things; see `Boundary`. To choose how long it
        tries, make a `Boundary` of your own.

        Args:
            name: name of the boundary, text of one character or more.
            group: whether appends and decisions of this process that wait for the boundary become
                one commit: up to 25 a request, each under its own condition. Use it for a hot
                boundary; an append that meets no other goes at once.
            snapshot_every: save the state of a decision's model once the model got so many events
                since the last saved one, 1 or more. Only models with ``__snapshot__`` have states.
                None: neither save states nor use them.

        Raises:
            InvalidStreamIdError: not text, or empty.
            InputError: ``group`` is not a bool, or ``snapshot_every`` not an integer of 1 or more.
        """
        return AsyncBoundary(
            self._sync.boundary(name, group=group, snapshot_every=snapshot_every), self._bridge
        )

    @property
    def checkpoints(self) -> AsyncCheckpoints:
        """The positions of the log's consumers, limited to the tenant if this backend is."""
        return AsyncCheckpoints(self._sync.checkpoints, self._bridge)

    def chooser(
        self,
        category: str | None = None,
        events: Iterable[type[Event]] | None = None,
    ) -> Callable[[], Selection]:
        """Return a function that selects events, with the subclasses defined at each call.

        Args and errors are those of `select`; wrong arguments are refused at once.
        """
        return self._sync.chooser(category, events)

    @property
    def consumers(self) -> AsyncConsumers:
        """Finds the cursors and outboxes that are in use; only the tenant's if limited to one."""
        return AsyncConsumers(self._sync.consumers, self._bridge)

    @property
    def cursors(self) -> AsyncCursors:
        """The cursors of read models: their versions in single streams, of all tenants."""
        return AsyncCursors(self._sync.cursors, self._bridge)

    def deserialize(
        self,
        raw: RecordedRaw,
        *,
        keep_unknown: bool = False,
    ) -> Recorded:
        """Return an event of the log as an object of its class.

        Args:
            raw: the event as the log returned it.
            keep_unknown: return an event without a class as an `UnknownEvent`.

        Raises:
            UnreadableEventError: the event does not fit its class.
            UnknownEventError: no class has the event's name.
            InvalidSubscriptionError: the event belongs to a tenant that this backend cannot read.
        """
        return self._sync.deserialize(raw, keep_unknown=keep_unknown)

    @property
    def encryption(self) -> AsyncEncryption:
        """Encrypts this tenant's fields; `Encryption.shred` makes a subject's unreadable."""
        return AsyncEncryption(self._sync.encryption, self._bridge)

    @property
    def event_store(self) -> AsyncEventStore:
        """Appends and loads the typed events of this backend's tenant."""
        return AsyncEventStore(self._sync.event_store, self._bridge)

    def in_tenant(
        self,
        tenant_id: TenantId,
    ) -> Self:
        """Return a backend over the same data that is limited to a tenant; this one is unchanged.

        Args:
            tenant_id: any text.

        Raises:
            InvalidStreamIdError: not text.
        """
        return self._like(self._sync.in_tenant(tenant_id))

    @property
    def limited_to(self) -> TenantId | None:
        """The tenant that this backend is limited to; None: it reads the events of all tenants."""
        return self._sync.limited_to

    @property
    def listeners(self) -> AsyncListeners:
        """Calls functions with events that this process appends; the tenant's if limited to one."""
        return AsyncListeners(self._sync.listeners, self._bridge)

    @property
    def log(self) -> AsyncLog:
        """Reads the log: of all tenants, or the tenant's part if this backend is limited to one."""
        return AsyncLog(self._sync.log, self._bridge)

    @property
    def outbox(self) -> AsyncOutbox:
        """Publishes the events that `with_outbox` chose; only the tenant's if limited to one.

        Each tenant's outbox has its own position and failed entries.
        """
        return AsyncOutbox(self._sync.outbox, self._bridge)

    @property
    def parked(self) -> AsyncParked:
        """The streams that consumers have parked; only the tenant's if limited to one."""
        return AsyncParked(self._sync.parked, self._bridge)

    def projection(  # noqa: PLR0913
        self,
        name: str,
        handler: Handler | AsyncProjector,
        *,
        category: str | None = None,
        events: Iterable[type[Event]] | None = None,
        after: Position = 0,
        batch_size: int = 100,
        keep_unknown: bool = False,
        lease: timedelta | float = 60.0,
        on_failure: OnFailure = "stop",
        version: int | None = None,
        writes: bool = False,
    ) -> AsyncProjection:
        """Return a worker that calls a handler with each event of the log, and keeps a checkpoint.

        ``backend.projection("balances", apply, category="account").run_forever()``

        Args:
            name: text of at most 255 bytes without ``#``. Its checkpoint is kept under the name,
                and under the tenant if this backend is limited to one.
            handler: any function, called with a `Recorded` for each event. A `Projector` as
                the handler applies only the events selected here.
            category: selects the events of its streams.
            events: selects the events of these classes and of their subclasses that are defined
                when it runs, under all their names.
            after: position to begin after while there is no checkpoint, exclusive.
            batch_size: most events between two checkpoints.
            keep_unknown: pass an event without a class to the handler as an `UnknownEvent`.
            lease: how long a process that runs it may be silent before another one
                takes over; a timedelta or seconds, more than twice what the handler takes for an
                event.
            on_failure: what to do with an event that the handler fails on: ``"stop"`` before it;
                ``"park"`` its stream, and go on with others; ``"skip"`` it, and list it. The last
                two try three times; a `FailurePolicy` says how often, and how long to wait.
            version: 1 or more: a version with a checkpoint of its own, which goes no further than
                the live one until you promote it; see `Projection.promote`. Meanwhile
                `Recorded.replayed` is true.
            writes: True: the handler returns `Writes`, or a list in boto3's ``TransactItems`` form.
                The writes of as many events as fit are carried out in one transaction with the
                checkpoint, so each is applied exactly once.

        Raises:
            InvalidEnlistedWriteError: ``writes`` on a `MemoryBackend`, which has no tables.
            InvalidSubscriptionError: the handler is not callable, or batch_size,
                category, events, lease or on_failure are wrong.
            EventDefinitionError: a class in events is not an event class that can be stored.
            InvalidConsumerError: a name that cannot be part of a key.
            InvalidPositionError: a position below 0.
        """
        return AsyncProjection(
            self._sync.projection(
                name,
                self._handler(handler),
                category=category,
                events=events,
                after=after,
                batch_size=batch_size,
                keep_unknown=keep_unknown,
                lease=lease,
                on_failure=on_failure,
                version=version,
                writes=writes,
            ),
            self._bridge,
        )

    @property
    def projections(self) -> AsyncProjections:
        """Resolves the live versions of projections: ``backend.projections.live("balances")``."""
        return AsyncProjections(self._sync.projections, self._bridge)

    def projector(
        self,
        name: str,
        read_model: ReadModel,
        *,
        lease: timedelta | float = 60.0,
        keep_unknown: bool = False,
        on_failure: OnFailure = "stop",
        writes: bool = False,
    ) -> AsyncProjector:
        """Return a projector: it applies the events of single streams to a read model, each once.

        Args:
            name: text of at most 255 bytes without ``#``; the cursors are kept under it.
            read_model: any function, called with a `WrappedEvent` and its stream's id.
            lease: how long other processes stay out of a stream, a timedelta or seconds; longer
                than the read model takes for one event.
            keep_unknown: if the projector loads a missing event that no class matches, pass it to
                the read model as an `UnknownEvent`.
            on_failure: what to do when the read model fails on an event; see `projection`. It is
                tried again when the event comes again.
            writes: True: the read model returns `Writes`, or a list in boto3's ``TransactItems``
                form. The writes of a stream's events are carried out in one transaction with its
                cursor, so each is applied exactly once.

        Raises:
            InvalidEnlistedWriteError: ``writes`` on a `MemoryBackend`, which has no tables.
            InvalidSubscriptionError: the read model is not callable, or lease or
                on_failure are wrong.
            InvalidConsumerError: a name that cannot be part of a key.
        """
        return AsyncProjector(
            self._sync.projector(
                name,
                self._handler(read_model),
                lease=lease,
                keep_unknown=keep_unknown,
                on_failure=on_failure,
                writes=writes,
            ),
            self._bridge,
        )

    def select(
        self,
        category: str | None = None,
        events: Iterable[type[Event]] | None = None,
    ) -> Selection:
        """Return a selection of events, of the tenant if this backend is limited to one.

        Args:
            category: selects the events of its streams.
            events: selects the events of these classes.

        Raises:
            InvalidSubscriptionError: category or events are wrong.
            EventDefinitionError: a class in events is not an event class that can be stored.
        """
        return self._sync.select(category, events)

    @property
    def storage(self) -> AsyncStorage:
        """Stores and loads the raw events of this backend's tenant."""
        return AsyncStorage(self._sync.storage, self._bridge)

    @property
    def subscriber(self) -> AsyncSubscriber:
        """Builds a subscription to typed events.

        ``backend.subscriber.after(p).to_category("account").build_batch(100, timelimit=1)``
        """
        return AsyncSubscriber(self._sync.subscriber, self._bridge)

    @property
    def subscriptions(self) -> AsyncSubscriptions:
        """Subscribes to raw events of the log; `subscriber` does so to typed ones."""
        return AsyncSubscriptions(self._sync.subscriptions, self._bridge)

    def with_outbox(
        self,
        wanted: OutboxFilter | None = None,
    ) -> Self:
        """Choose the events that the outbox publishes, and return this backend.

        The choice holds for later appends of this process, for all tenants. A second call
        replaces it.

        Args:
            wanted: called with a copy of each `RawEvent` before it is appended; returns whether
                to publish it. None: publish every event.

        Raises:
            InvalidSubscriptionError: ``wanted`` is not callable, or this backend
                is limited to one tenant.
        """
        return self._like(self._sync.with_outbox(wanted))

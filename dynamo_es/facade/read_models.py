"""`ReadModels`: the part of a backend that makes projections and projectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.facade.consumers import projection_of, projector_of
from dynamo_es.facade.projections import Projections
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta

    from dynamo_es.contracts import Selection
    from dynamo_es.contracts.consumers.parked import ParkedStrategy
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.facade.event_store import EventStoreAccess
    from dynamo_es.facade.log_access import LogAccess
    from dynamo_es.projections.failure_policy import OnFailure
    from dynamo_es.projections.parts import Handler
    from dynamo_es.projections.projection import Projection
    from dynamo_es.projections.projector import Projector, ReadModel
    from dynamo_es.values import Position, TenantId


class ReadModels:
    """Makes the projections and projectors of a backend, and selects their events."""

    _typed: EventStoreAccess
    _tenant_id: TenantId
    _log_tenant: TenantId | None

    def projection(  # noqa: PLR0913 - chosen each by its name
        self,
        name: str,
        handler: Handler,
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
    ) -> Projection:
        """Return a worker that calls a handler with each event of the log, and keeps a checkpoint.

        ``backend.projection("balances", apply, category="account").run_forever()``

        Args:
            name: name of the projection and of its checkpoint, text of at most 255 bytes without
                ``#``. If this backend is limited to a tenant, the checkpoint is the tenant's own.
            handler: a plain function, called with a `Recorded` for each event; or a `Projector`,
                which then applies only the selected events.
            category: select the events of this category's streams.
            events: select the events of these classes and of their subclasses, with all their names
                and aliases. Subclasses that are defined later are included.
            after: position to begin after, exclusive, while there is no checkpoint.
            batch_size: most events between two checkpoints, 1 or more.
            keep_unknown: whether to pass an event without a class to the handler as an
                `UnknownEvent`.
            lease: time without a beat after which another process takes over, a timedelta or
                seconds. It must be more than twice the time that the handler takes for an event.
            on_failure: how to treat an event that the handler fails on. ``"stop"``: end before it.
                ``"park"``: set its stream aside and go on with others. ``"skip"``: list it and go
                on after it. ``"park"`` and ``"skip"`` try three times; a `FailurePolicy` chooses
                the number of tries and the waits.
            version: version of the projection, 1 or more, with its own checkpoint. It goes no
                further than the live version until you promote it; see `Projection.promote`. Until
                then `Recorded.replayed` is True.
            writes: whether the handler returns `Writes`, or a list in the form of boto3's
                ``TransactItems``. The writes of as many events as fit are made in one transaction
                with the checkpoint, so each is applied exactly once.

        Raises:
            InvalidEnlistedWriteError: ``writes`` is set on a `MemoryBackend`, which has no tables.
            InvalidSubscriptionError: the handler is asynchronous or not callable, or
                ``batch_size``, ``category``, ``events``, ``lease`` or ``on_failure`` is wrong.
            EventDefinitionError: a class in ``events`` is not an event class, or its events cannot
                be stored.
            InvalidConsumerError: the name or the version is wrong.
            InvalidPositionError: ``after`` is below 0.
        """
        return projection_of(
            self._access,
            self._typed,
            name,
            handler,
            self.chooser(category, events),
            keep_unknown=keep_unknown,
            after=after,
            batch_size=batch_size,
            lease=lease,
            on_failure=on_failure,
            version=version,
            writes=writes,
        )

    def projector(
        self,
        name: str,
        read_model: ReadModel,
        *,
        lease: timedelta | float = 60.0,
        keep_unknown: bool = False,
        on_failure: OnFailure = "stop",
        writes: bool = False,
    ) -> Projector:
        """Return a projector: it applies each event of single streams to a read model, once.

        Args:
            name: name of the read model and of its cursors, text of at most 255 bytes without
                ``#``.
            read_model: a plain function, called with a `WrappedEvent` and its stream's id.
            lease: time that other processes stay out of a stream after a write, a timedelta or
                seconds; longer than the read model takes for one event.
            keep_unknown: whether to pass a missing event that the projector loads to the read model
                as an `UnknownEvent` if it has no class.
            on_failure: how to treat an event that the read model fails on; see `projection`. The
                event is tried again when it comes again.
            writes: whether the read model returns `Writes`, or a list in the form of boto3's
                ``TransactItems``. The writes of a stream's events are made in one transaction with
                its cursor, so each is applied exactly once.

        Raises:
            InvalidEnlistedWriteError: ``writes`` is set on a `MemoryBackend`, which has no tables.
            InvalidSubscriptionError: the read model is asynchronous or not callable, or ``lease``
                or ``on_failure`` is wrong.
            InvalidConsumerError: the name cannot be part of a key.
        """
        return projector_of(
            self._access,
            self._event_store_of,
            name,
            read_model,
            lease=lease,
            keep_unknown=keep_unknown,
            tenant_id=self._tenant_id,
            scoped=self._log_tenant is not None,
            on_failure=on_failure,
            writes=writes,
        )

    @property
    def projections(self) -> Projections:
        """Finds the live versions of projections: ``backend.projections.live("balances")``."""
        return Projections(self._access.checkpoints)

    @property
    def parked(self) -> ParkedStrategy:
        """The streams that consumers have parked; only the tenant's if limited to one."""
        return self._access.parked

    def select(
        self, category: str | None = None, events: Iterable[type[Event]] | None = None
    ) -> Selection:
        """Return a selection of events; only the tenant's if this backend is limited to one.

        Args:
            category: select the events of this category's streams.
            events: select the events of these classes and their subclasses.

        Raises:
            InvalidSubscriptionError: ``category`` or ``events`` is wrong.
            EventDefinitionError: a class in ``events`` is not an event class, or its events cannot
                be stored.
        """
        if category is not None and not isinstance(category, str):
            raise InvalidSubscriptionError(f"category must be text, not {shown(category)}.")
        from dynamo_es.facade.log_access import selection_of

        return selection_of(lambda: self._typed.registry, category, events, self._log_tenant)

    def chooser(
        self, category: str | None = None, events: Iterable[type[Event]] | None = None
    ) -> Callable[[], Selection]:
        """Return a function that makes the selection again at each call, with new subclasses.

        Arguments and errors are those of `select`. Wrong arguments raise at once.
        """
        classes = None if events is None else self._typed.classes_in(events)
        self.select(category, classes)
        return lambda: self.select(category, classes)

    @property
    def _access(self) -> LogAccess:
        raise NotImplementedError

    def _event_store_of(self, tenant_id: TenantId) -> EventStore:
        raise NotImplementedError

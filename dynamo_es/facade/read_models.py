"""The part of a backend that keeps read models up to date: projections and projectors."""

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
    from dynamo_es.facade.log import LogAccess
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
            name: text of at most 255 bytes without ``#``. Its checkpoint is kept under the name,
                and under the tenant if this backend is limited to one.
            handler: a plain function, called with a `Recorded` for each event. A `Projector` as
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
            InvalidSubscriptionError: the handler is asynchronous or not callable, or batch_size,
                category, events, lease or on_failure are wrong.
            EventDefinitionError: a class in events is not an event class that can be stored.
            InvalidConsumerError: a name that cannot be part of a key.
            InvalidPositionError: a position below 0.
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
        """Return a projector: it applies the events of single streams to a read model, each once.

        Args:
            name: text of at most 255 bytes without ``#``; the cursors are kept under it.
            read_model: a plain function, called with a `WrappedEvent` and its stream's id.
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
            InvalidSubscriptionError: the read model is asynchronous or not callable, or lease or
                on_failure are wrong.
            InvalidConsumerError: a name that cannot be part of a key.
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
        """Resolves the live versions of projections: ``backend.projections.live("balances")``."""
        return Projections(self._access.checkpoints)

    @property
    def parked(self) -> ParkedStrategy:
        """The streams that consumers have parked; only the tenant's if limited to one."""
        return self._access.parked

    def select(
        self, category: str | None = None, events: Iterable[type[Event]] | None = None
    ) -> Selection:
        """Return a selection of events, of the tenant if this backend is limited to one.

        Args:
            category: selects the events of its streams.
            events: selects the events of these classes.

        Raises:
            InvalidSubscriptionError: category or events are wrong.
            EventDefinitionError: a class in events is not an event class that can be stored.
        """
        if category is not None and not isinstance(category, str):
            raise InvalidSubscriptionError(f"category must be text, not {shown(category)}.")
        from dynamo_es.facade.log import selection_of

        return selection_of(lambda: self._typed.registry, category, events, self._log_tenant)

    def chooser(
        self, category: str | None = None, events: Iterable[type[Event]] | None = None
    ) -> Callable[[], Selection]:
        """Return a function that selects events, with the subclasses defined at each call.

        Args and errors are those of `select`; wrong arguments are refused at once.
        """
        classes = None if events is None else self._typed.classes_in(events)
        self.select(category, classes)
        return lambda: self.select(category, classes)

    @property
    def _access(self) -> LogAccess:
        raise NotImplementedError

    def _event_store_of(self, tenant_id: TenantId) -> EventStore:
        raise NotImplementedError

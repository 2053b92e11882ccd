"""Makes the aggregates of a repository, and applies the events of their streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from dynamo_es.aggregates.aggregate import Aggregate, category_of, check_new, made_by, replay
from dynamo_es.aggregates.streams import AggregateStream, stream_id_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.aggregates.snapshots import SnapshotPolicy
    from dynamo_es.aggregates.streams import AggregateId
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.values import RawEvent

TAggregate = TypeVar("TAggregate", bound=Aggregate)


@dataclass(frozen=True, slots=True)
class Opening(Generic[TAggregate]):
    """Makes aggregates and replays their events.

    Attributes:
        store: event store with the streams.
        consistent: whether loads are consistent.
        snapshots: decides when to take snapshots.
    """

    store: EventStore
    consistent: bool
    snapshots: SnapshotPolicy[TAggregate]

    def new(self, factory: Callable[[], TAggregate] | None) -> TAggregate:
        """Return a new aggregate.

        Raises:
            InputError: there is no factory, or it does not make new aggregates.
        """
        return self._checked(made_by(factory))

    def given(
        self, aggregate: TAggregate | None, factory: Callable[[], TAggregate] | None
    ) -> TAggregate:
        """Return the caller's aggregate, or one that the factory makes.

        Raises:
            InputError: there is neither an aggregate nor a factory, or the aggregate is not new.
            AggregateDefinitionError: the repository takes snapshots, but the class does not define
                ``__snapshot__``.
        """
        return self.new(factory) if aggregate is None else self._checked(aggregate)

    def _checked(self, aggregate: TAggregate) -> TAggregate:
        check_new(aggregate)
        self.snapshots.check(type(aggregate))
        return aggregate

    def stream(self, id: AggregateId, aggregate: Aggregate) -> AggregateStream:  # noqa: A002
        """Return the stream of an aggregate."""
        stream_id = stream_id_of(id, category_of(type(aggregate)))
        return AggregateStream(self.store, stream_id, self.consistent)

    def replay(self, stream: AggregateStream, aggregate: Aggregate, raws: list[RawEvent]) -> None:
        """Bring a new aggregate to the state after stored events."""
        aggregate._stream_id = stream.id  # noqa: SLF001 - of its own package
        replay(aggregate, stream.commands_in(raws), raws, self.store.read(raws))

"""Takes snapshots for a repository when they are due, and logs failures."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from dynamo_es.aggregates.aggregate import Aggregate
from dynamo_es.contracts.checks.functions import refuse_unfinished
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.event_store.wrapped import WrappedEvent
from dynamo_es.exceptions import AggregateDefinitionError, InputError, describe_stream
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.event_store.store import EventStore
    from dynamo_es.values import StreamId

_LOG: Final = logging.getLogger("dynamo_es.aggregates")

TAggregate = TypeVar("TAggregate", bound=Aggregate)


class SnapshotPolicy(Generic[TAggregate]):
    """Decides when to take a snapshot: after a number of events, by a function, or never.

    Args:
        every: take a snapshot after a save if there are this number of events or more since the
            last one.
        snapshot_when: called after each save; returns whether to take a snapshot.

    Raises:
        InputError: both arguments are given, or one is wrong.
    """

    def __init__(
        self, every: int | None, snapshot_when: Callable[[TAggregate, int], bool] | None
    ) -> None:
        if every is not None and snapshot_when is not None:
            raise InputError("Snapshots: give every or snapshot_when, not both.")
        if every is not None and (type(every) is not int or every < 1):
            raise InputError(f"every must be an integer of 1 or more, not {shown(every)}.")
        if snapshot_when is not None and not callable(snapshot_when):
            raise InputError(f"snapshot_when must be callable, not {shown(snapshot_when)}.")
        self._every = every
        self._when = snapshot_when

    @property
    def settings(self) -> tuple[object, ...]:
        """The arguments of this policy. Two policies with the same settings decide the same."""
        return self._every, self._when

    def check(self, kind: type[Any]) -> None:
        """Raise `AggregateDefinitionError` if a class cannot have the snapshots of this policy."""
        if self._every is None and self._when is None:
            return
        if getattr(kind, "__snapshot__", None) is Aggregate.__snapshot__:
            raise AggregateDefinitionError(
                f"{kind.__qualname__} has no __snapshot__(), and this repository takes snapshots: "
                "define __snapshot__() and __restore__(state), or leave out every and "
                "snapshot_when."
            )

    def apply(self, store: EventStore, stream_id: StreamId, aggregate: TAggregate) -> None:
        """Take a snapshot if one is due. Never raises, because the events are stored."""
        try:
            self._apply(store, stream_id, aggregate)
        except Exception as error:  # noqa: BLE001 - the save succeeded
            version = aggregate.stored_version
            _LOG.warning(
                "Stream %s: the events are saved, but a snapshot at version %s failed: %s",
                describe_stream(stream_id),
                version,
                describe_error(error),
            )

    @staticmethod
    def _says_so(
        when: Callable[[TAggregate, int], bool], aggregate: TAggregate, since: int
    ) -> bool:
        said = when(aggregate, since)
        refuse_unfinished(said, when, "snapshot_when")
        return bool(said)

    def _apply(self, store: EventStore, stream_id: StreamId, aggregate: TAggregate) -> None:
        version = int(aggregate.stored_version)
        since = version - aggregate._snapshot_version  # noqa: SLF001 - of its own package
        if self._every is not None:
            wanted = since >= self._every
        else:
            wanted = self._when is not None and self._says_so(self._when, aggregate, since)
        if not wanted:
            return
        snapshot = WrappedEvent(
            aggregate._take_snapshot(),  # noqa: SLF001
            version,
            generation=aggregate._generation,  # noqa: SLF001
        )
        notes = aggregate._known_commands().note()  # noqa: SLF001
        store.save_snapshot(stream_id, snapshot, notes=notes)
        aggregate._snapshot_version = version  # noqa: SLF001

"""`SeveralAggregates`: the part of `Repository` that saves several aggregates in one write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from dynamo_es.aggregates.aggregate import Aggregate
from dynamo_es.aggregates.deciding import DECIDE
from dynamo_es.aggregates.retries import append_surely, check_attempts
from dynamo_es.aggregates.saving import check_savable, identified
from dynamo_es.contracts.checks.arguments import check_callable, check_kind
from dynamo_es.contracts.checks.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.exceptions import (
    AppendAllConflictError,
    ConcurrentStreamWriteError,
    InputError,
    InvalidEnlistedWriteError,
    describe_stream,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es.aggregates.opening import Opening
    from dynamo_es.aggregates.streams import AggregateId, AggregateStream
    from dynamo_es.aggregates.transacting import Transacting
    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.wrapped import Context
    from dynamo_es.values import RawEvent, StreamId

TAggregate = TypeVar("TAggregate", bound=Aggregate)
R = TypeVar("R")


@dataclass(slots=True)
class _Opened:
    """An aggregate of a call, its stream, and the events that it was loaded from."""

    stream: AggregateStream
    aggregate: Aggregate
    raws: list[RawEvent]


class SeveralAggregates(Generic[TAggregate]):
    """Loads and saves several aggregates in one call. A part of `Repository`."""

    _store: EventStore
    _factory: Callable[[], TAggregate] | None
    _opening: Opening[TAggregate]
    _transacting: Transacting[TAggregate]

    def save_all(
        self,
        aggregates: Mapping[AggregateId, Aggregate],
        context: Context | None = None,
        *,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> None:
        """Append the events that several aggregates emitted: all or none.

        ``repository.save_all({"ann": ann, "bob": bob})``. An aggregate that emitted nothing is only
        checked: if its stream has changed since it was loaded, nothing is saved.

        Args:
            aggregates: the aggregates by their ids, as in `Repository.save`; their classes may
                differ.
            context: metadata for the saved events.
            transact_with: writes to your own tables, in the same transaction as the events. The
                aggregates and the writes are at most 100 together.

        Raises:
            AppendAllConflictError: one or more streams have changed; each aggregate keeps its
                changes. A single aggregate raises `ConcurrentStreamWriteError` instead, as in
                `Repository.save`.
            InputError: an aggregate no longer matches its stream, or a stream or an aggregate is
                given twice.

        Other errors and the cost: see `EventStore.append_all` and `Repository.save`. If no
        aggregate emitted anything, nothing is sent.
        """
        check_kind("aggregates", aggregates, Mapping)
        opened = []
        for id_, aggregate in aggregates.items():
            check_kind("Each aggregate", aggregate, Aggregate)
            self._opening.snapshots.check(type(aggregate))
            opened.append(_Opened(self._opening.stream(id_, aggregate), aggregate, []))
        _refuse_twins(opened)
        self._append_all(opened, context, transact_with)

    def transact_all(
        self,
        ids: Sequence[AggregateId],
        decide: Callable[..., R],
        factory: Callable[[], TAggregate] | None = None,
        *,
        attempts: int | None = None,
        context: Context | None = None,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> R:
        """Load several aggregates, decide, and save all; after a conflict, decide again.

        ``wallets.transact_all(["ann", "bob"], lambda ann, bob: ann.send(bob, 5))``. The decision is
        based on the states of all aggregates at one moment, even of those that emit nothing.

        Args:
            ids: the ids of the aggregates.
            decide: called with the aggregates in the order of ``ids``; otherwise as in
                `Repository.transact`.
            factory: returns a new aggregate; None: the repository's factory.
            attempts: most attempts, 1 or more; None: as many as ``retry_for`` allows.
            context: metadata for the saved events.
            transact_with: as for `Repository.save_all`.

        Returns:
            The result of the ``decide`` call whose events were saved.

        Raises:
            ConcurrentStreamWriteError: other writers were faster at every attempt.
            AppendOutcomeUnknownError: the answer was lost at every attempt.

        There is no ``command_id``. To recognize a command that is delivered twice, look for its
        effects in the aggregates.

        Cost: a consistent load of each aggregate, and a `Repository.save_all`. If ``decide`` raises
        or emits nothing, also 1 request for each aggregate but the last, because they may have
        changed while the others were loaded.
        """
        check_kind("ids", ids, (list, tuple))
        if not ids:
            raise InputError("ids is empty: give the id of one aggregate or more.")
        check_attempts(attempts)
        check_callable("decide", decide)
        refuse_asynchronous(decide, DECIDE)
        retries = self._transacting.retries(attempts)
        while True:
            opened = [self._open(id_, factory or self._factory) for id_ in ids]
            _refuse_twins(opened)
            result, moved = _decide(decide, opened)
            if moved is not None:
                retries.wait_or_raise(moved)
                continue
            try:
                append_surely(partial(self._append_all, opened, context, transact_with), retries)
            except ConcurrentStreamWriteError as refused:
                retries.wait_or_raise(refused)
            else:
                return result

    def _open(self, id_: AggregateId, factory: Callable[[], TAggregate] | None) -> _Opened:
        aggregate = self._opening.new(factory)
        stream = replace(self._opening.stream(id_, aggregate), consistent=True)
        raws = stream.load()
        self._opening.replay(stream, aggregate, raws)
        return _Opened(stream, aggregate, raws)

    def _append_all(
        self, opened: Sequence[_Opened], context: Context | None, writes: Sequence[EnlistedWrite]
    ) -> None:
        for one in opened:
            check_savable(one.stream, one.aggregate)
        events: dict[Any, Any] = {}
        versions = {one.stream.id: one.aggregate._versioning() for one in opened}  # noqa: SLF001
        for one in opened:
            pending = one.aggregate._pending_events()  # noqa: SLF001 - of its own package
            if pending:
                events[one.stream.id] = [
                    identified(wrapped, index, context, None)
                    for index, wrapped in enumerate(pending)
                ]
        if not events:
            if writes:
                raise InvalidEnlistedWriteError(
                    "transact_with has writes, but no aggregate has emitted events: send the "
                    "writes yourself."
                )
            return
        stored = self._store.append_all(
            events,
            expected={stream: versions[stream] for stream in events},
            unchanged={stream: at for stream, at in versions.items() if stream not in events},
            transact_with=writes,
        )
        for one in opened:
            if one.stream.id in stored:
                aggregate, stream_id = one.aggregate, one.stream.id
                aggregate._stream_id = stream_id  # noqa: SLF001
                aggregate._stored(  # noqa: SLF001
                    events[stream_id], stored[stream_id], of_command=False
                )
                self._opening.snapshots.apply(self._store, stream_id, aggregate)  # type: ignore[arg-type]


def _decide(
    decide: Callable[..., R], opened: Sequence[_Opened]
) -> tuple[R, AppendAllConflictError | None]:
    """Return the result of a decision, and the conflict if its states were out of date, or None."""
    try:
        result = decide(*(one.aggregate for one in opened))
    except Exception as error:
        changed = _changed(opened)
        if changed is None:
            raise
        changed.__cause__ = error
        return cast("R", None), changed
    refuse_unfinished(result, decide, DECIDE)
    emitted = any(one.aggregate.__changes__ for one in opened)
    return result, None if emitted else _changed(opened)


def _changed(opened: Sequence[_Opened]) -> AppendAllConflictError | None:
    """Return the conflict of streams that changed while the others were loaded; None: none did."""
    for one in opened[:-1]:
        if replace(one.stream, consistent=False).has_gone_on(one.raws):
            last = (one.raws[-1].version or 0) if one.raws else 0
            conflict = ConcurrentStreamWriteError(one.stream.id, last, None)
            return AppendAllConflictError({one.stream.id: conflict})
    return None


def _refuse_twins(opened: Sequence[_Opened]) -> None:
    """Raise `InputError` if two of the streams, or two of the aggregates, are the same."""
    seen = set()
    owners: dict[int, StreamId] = {}
    for one in opened:
        if one.stream.id in seen:
            raise InputError(
                f"Stream {describe_stream(one.stream.id)} is given twice: give each aggregate once."
            )
        seen.add(one.stream.id)
        owner = owners.setdefault(id(one.aggregate), one.stream.id)
        if owner is not one.stream.id:
            raise InputError(
                f"Streams {describe_stream(owner)} and {describe_stream(one.stream.id)} have the "
                "same aggregate, so both would get its events. Give each its own aggregate."
            )

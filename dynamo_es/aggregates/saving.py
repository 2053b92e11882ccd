"""Stores the events that an aggregate emitted, once for each command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from dynamo_es.aggregates.aggregate import Aggregate
from dynamo_es.aggregates.commands import DecidedCommands
from dynamo_es.contracts import ANOTHER_GENERATION, EnlistedWrite
from dynamo_es.event_store.comparison import find_difference
from dynamo_es.exceptions import (
    ConcurrentStreamWriteError,
    InputError,
    InvalidEnlistedWriteError,
    describe_stream,
)

if TYPE_CHECKING:
    from dynamo_es.aggregates.commands import Command, Decided
    from dynamo_es.aggregates.streams import AggregateStream
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.wrapped import Context, WrappedEvent
    from dynamo_es.values import RawEvent

TAggregate = TypeVar("TAggregate", bound=Aggregate)

TransactWith: TypeAlias = Sequence[EnlistedWrite] | Callable[[TAggregate], Sequence[EnlistedWrite]]
"""Writes to your own tables with the events, or a callable that returns them for an aggregate."""


def writes_of(
    transact_with: TransactWith[TAggregate], aggregate: TAggregate
) -> Sequence[EnlistedWrite]:
    """Return the writes to your own tables for an aggregate's events."""
    return _listed(transact_with(aggregate) if callable(transact_with) else transact_with)


def kept(transact_with: TransactWith[TAggregate]) -> TransactWith[TAggregate]:
    """Return the writes so that every attempt can read them: an iterable becomes a tuple."""
    return transact_with if callable(transact_with) else _listed(transact_with)


def _listed(writes: Iterable[EnlistedWrite]) -> Sequence[EnlistedWrite]:
    try:
        return tuple(writes)
    except TypeError:
        raise InvalidEnlistedWriteError(
            "transact_with must be a list of writes, or a plain function that returns one, "
            f"not {type(writes).__name__}."
        ) from None


def was_decided(stream: AggregateStream, aggregate: Aggregate, command: Command) -> bool:
    """Return whether the stream had a command's events when the aggregate was loaded or saved.

    Raises:
        ConcurrentStreamWriteError: the stream was deleted in the meantime.
    """
    known = aggregate._known_commands()  # noqa: SLF001 - of its own package
    if known.find(command) is not None:
        return True
    if known.complete or aggregate._stream_id != stream.id:  # noqa: SLF001
        return False
    version, generation = aggregate._stored_version, aggregate._generation  # noqa: SLF001
    aggregate._commands = stream.commands_up_to(version, generation)  # noqa: SLF001
    return aggregate._commands.find(command) is not None  # noqa: SLF001


def save(
    stream: AggregateStream,
    aggregate: Aggregate,
    context: Context | None,
    transact_with: TransactWith[Any],
    command: Command | None,
) -> bool:
    """Append the emitted events for `Repository.save`; return whether a snapshot may be due.

    Raises:
        InputError: the aggregate is a state of the past, or no longer matches its stream.
    """
    _refuse_past(stream, aggregate)
    writes = writes_of(transact_with, aggregate)
    if command is not None and was_decided(stream, aggregate, command):
        # The state had the command's events already, and the emitted ones were applied again.
        aggregate._outdated = bool(aggregate.__changes__)  # noqa: SLF001 - of its own package
        aggregate._pending_events().clear()  # noqa: SLF001
        return False
    expected = int(aggregate.stored_version)
    if append(stream, aggregate, context, writes, command):
        return True
    raws = stream.store.load_raw(stream.id, expected + 1)
    decided = None if command is None else DecidedCommands(raws).find(command)
    if decided is None:
        raise ConcurrentStreamWriteError(stream.id, expected, None, ANOTHER_GENERATION)
    take_as_decided(aggregate, stream, raws, decided)
    return False


def _refuse_past(stream: AggregateStream, aggregate: Aggregate) -> None:
    if aggregate._past:  # noqa: SLF001 - of its own package
        raise InputError(
            f"Stream {describe_stream(stream.id)}: the aggregate was loaded with at_version or "
            "as_of, as the stream was then, so it cannot be saved. Load it without them to change "
            "it."
        )


def check_savable(stream: AggregateStream, aggregate: Aggregate) -> None:
    """Raise unless an aggregate can be saved to a stream.

    Raises:
        InputError: it is a state of the past, no longer matches its stream, or belongs to another
            stream.
    """
    _refuse_past(stream, aggregate)
    if aggregate._outdated:  # noqa: SLF001 - of its own package
        raise InputError(
            f"Stream {describe_stream(stream.id)}: the aggregate decided a command whose events "
            "were stored before, so its state differs from the stream. Load the aggregate again."
        )
    if aggregate._stream_id not in (None, stream.id):  # noqa: SLF001
        raise InputError(
            f"Stream {describe_stream(stream.id)}: the aggregate was loaded from stream "
            f"{describe_stream(aggregate._stream_id)}. Save it there."  # noqa: SLF001
        )


def append(
    stream: AggregateStream,
    aggregate: Aggregate,
    context: Context | None,
    writes: Sequence[EnlistedWrite],
    command: Command | None,
) -> bool:
    """Append the emitted events; return False if another run of the command stored its events."""
    check_savable(stream, aggregate)
    pending = aggregate._pending_events()  # noqa: SLF001
    if not pending:
        if writes:
            raise InvalidEnlistedWriteError(
                "transact_with has writes, but the aggregate has emitted no events: send "
                "the writes yourself, or give a callable that returns none in this case."
            )
        return True
    events = [identified(one, index, context, command) for index, one in enumerate(pending)]
    options: dict[str, Any] = {"transact_with": writes} if writes else {}
    version = stream.store.append(
        *events,
        stream_id=stream.id,
        expected_version=aggregate._versioning(),  # noqa: SLF001
        **options,
    )
    if command is not None and version is not None and version.repeated:
        return False
    aggregate._stream_id = stream.id  # noqa: SLF001
    aggregate._stored(events, version, of_command=command is not None)  # noqa: SLF001
    return True


def has_emitted(aggregate: Aggregate, events: Sequence[Event]) -> bool:
    """Return whether an aggregate's changes equal these events; two nan count as equal."""
    emitted = [wrapped.event for wrapped in aggregate._pending_events()]  # noqa: SLF001
    if len(emitted) != len(events):
        return False
    pairs = zip(emitted, events, strict=True)
    return all(find_difference(own, stored) is None for own, stored in pairs)


def take_as_decided(
    aggregate: Aggregate, stream: AggregateStream, raws: list[RawEvent], decided: Decided
) -> None:
    """Replace the emitted events of an aggregate by those that the command has stored.

    If they differ, the aggregate no longer matches its stream, and the next save refuses it.
    """
    same = has_emitted(aggregate, stream.events_of(raws, decided))
    aggregate._pending_events().clear()  # noqa: SLF001 - of its own package
    aggregate._outdated = not same  # noqa: SLF001
    aggregate._known_commands().take(decided)  # noqa: SLF001
    aggregate._stored_version = decided.last  # noqa: SLF001
    aggregate._generation = raws[-1].generation  # noqa: SLF001


def identified(
    wrapped: WrappedEvent[Any], index: int, context: Context | None, command: Command | None
) -> WrappedEvent[Any]:
    """Return an emitted event with the context and the id to store it with."""
    if context is not None:
        wrapped = replace(wrapped, context=context)
    return wrapped if command is None else replace(wrapped, uuid=command.event_id(index))

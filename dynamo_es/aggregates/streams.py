"""Reads the stored events of one aggregate's stream, and turns them into objects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from dynamo_es.aggregates.commands import NOTE, Command, DecidedCommands
from dynamo_es.contracts import ANOTHER_GENERATION
from dynamo_es.exceptions import (
    ConcurrentStreamWriteError,
    InputError,
    InvalidStreamIdError,
    describe_stream,
)
from dynamo_es.values import StreamId
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dynamo_es.aggregates.commands import CommandId, Decided
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.values import RawEvent


AggregateId: TypeAlias = UUID | str
"""The UUID of the aggregate's stream (also a `StreamId` or `StreamUUID`), or its name."""


@dataclass(frozen=True, slots=True)
class AggregateStream:
    """One stream and its event store.

    Loaded events are kept in stored form. Each attempt at a decision gets new objects of them, so
    that a refused attempt cannot affect the next one.

    Attributes:
        store: the event store.
        id: the stream.
        consistent: whether `load` must be consistent. All other reads are.
    """

    store: EventStore
    id: StreamId
    consistent: bool = True

    def command(self, command_id: CommandId | None) -> Command | None:
        """Return the command with this id, for this stream; None for None."""
        if command_id is None:
            return None
        return Command.of(command_id, self.store.tenant_id, self.id)

    def load(self, command: Command | None = None) -> list[RawEvent]:
        """Return the newest snapshot and the events after it, or all events.

        Args:
            command: the command to decide on, or None. If its events are not found and the snapshot
                has no list of commands, all events are read.
        """
        raws = self.store.load_raw(self.id, consistent=self.consistent)
        if command is not None:
            commands = self.commands_in(raws)
            if not commands.complete and commands.find(command) is None:
                return self.store.load_raw(self.id, 1)
        return raws

    def load_past(self, at_version: int | None, as_of: datetime | None) -> list[RawEvent]:
        """Return the events, or a snapshot and the events after it, up to a version or a time.

        Raises:
            InputError: both are given, the version is not the end of a commit, or the time has no
                time zone.
            StreamGapError: the stream was deleted in the meantime.
        """
        if as_of is None and at_version is not None:
            return self.store.load_past(self.id, self.store.version_at(self.id, at_version))
        if at_version is None and as_of is not None:
            return self.store.load_past(self.id, self.store.version_as_of(self.id, as_of))
        raise InputError("Give at_version or as_of, not both.")

    def commands_in(self, raws: list[RawEvent]) -> DecidedCommands:
        """Return the commands in loaded events."""
        return DecidedCommands(raws, complete=not self._hide_commands(raws))

    def commands_up_to(self, version: int, generation: int | None) -> DecidedCommands:
        """Return the commands in all events up to a version. Errors are those of `before`."""
        return DecidedCommands(self._read(generation, 1, version + 1))

    def follow(
        self, raws: list[RawEvent], winning: Sequence[RawEvent], command: Command | None
    ) -> list[RawEvent]:
        """Return the loaded events and the events that were stored after them.

        Args:
            raws: the loaded events.
            winning: the events after them, if a refusal had them; empty: read them.
            command: as for `load`.
        """
        if winning:
            return [*raws, *winning]
        last = raws[-1] if raws else None
        again = replace(self, consistent=True)
        if last is None or last.version is None:
            return again.load(command)
        newer = self.store.load_raw(self.id, last.version + 1)
        if not newer or newer[0].generation != last.generation:
            return again.load(command)
        return [*raws, *newer]

    def has_gone_on(self, raws: list[RawEvent]) -> bool:
        """Return whether the stream has events after the loaded ones.

        If the events were loaded consistently, it returns False without a request.
        """
        if self.consistent:
            return False
        now = self.store.version(self.id)
        if not raws:
            return now != 0
        return now is None or (now, now.generation) != (raws[-1].version, raws[-1].generation)

    def before(self, raws: list[RawEvent], decided: Decided) -> list[RawEvent]:
        """Return the events before a command, or a snapshot and the events after it.

        Args:
            raws: the loaded events; the command was found in them.
            decided: place of the command in the stream.

        Raises:
            ConcurrentStreamWriteError: the stream was deleted in the meantime.
        """
        if (raws[0].version or 0) < decided.version:
            return [raw for raw in raws if (raw.version or 0) < decided.version]
        return self._read(raws[-1].generation, 1, decided.version)

    def events_of(self, raws: list[RawEvent], decided: Decided) -> list[Event]:
        """Return the events of a command. Arguments and errors are those of `before`."""
        start, stop = decided.version, decided.last + 1
        if (raws[0].version or 0) < start or NOTE not in raws[0].context:
            part = [raw for raw in raws if start <= (raw.version or 0) < stop]
        else:  # the loaded snapshot replaces them
            part = self._read(raws[-1].generation, start, stop)
        return [wrapped.event for wrapped in self.store.read(part)]

    def _hide_commands(self, raws: list[RawEvent]) -> bool:
        """Return whether the events begin with a snapshot without a list of commands."""
        if not raws or NOTE in raws[0].context:
            return False
        return (raws[0].version or 0) > 1 or self.store.is_snapshot(raws[0])

    def _read(self, generation: int | None, start: int, stop: int) -> list[RawEvent]:
        found = self.store.load_raw(self.id, start, stop) if start < stop else []
        if len(found) != stop - start or any(one.generation != generation for one in found):
            raise ConcurrentStreamWriteError(self.id, stop - 1, None, ANOTHER_GENERATION)
        return found


def stream_id_of(id: AggregateId, category: str) -> StreamId:  # noqa: A002
    """Return the stream of an aggregate.

    Raises:
        InvalidStreamIdError: the id has another category, or is not an id.
    """
    if isinstance(id, str):
        return StreamId(name=id, category=category)
    if isinstance(id, StreamId) and id.category != category:
        raise InvalidStreamIdError(
            f"{describe_stream(id)} is not of the aggregate's category {category!r}: give a "
            "StreamId of that category, or only the UUID or the name."
        )
    if not isinstance(id, UUID):
        raise InvalidStreamIdError(
            f"An aggregate's id must be a UUID, a StreamId or a name, not {shown(id)}."
        )
    name = getattr(id, "name", None)
    return StreamId(UUID(int=id.int), name, category=category)

"""Recognizes a command that is delivered twice.

The ids of a command's events derive from the command's id. So a stream that has an event with the
first of these ids has seen the command. A snapshot replaces the events before it, so the snapshots
of a repository list the latest commands. Other snapshots have no such list.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from uuid import UUID, uuid5

from dynamo_es.exceptions import InputError, UnreadableEventError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.values import RawEvent, StreamId, TenantId

CommandId: TypeAlias = UUID | str
"""The id of a command: a UUID, or text that is not empty. A UUID equals its text."""

KEPT_COMMANDS: Final = 100
"""Number of the latest commands that a snapshot lists."""

NOTE: Final = "$commands"
"""Key in a snapshot's stored context with the list of the latest commands."""

_NAMESPACE: Final = UUID("6b0c1f5e-2f3d-4a53-9b39-0f4c3f0a7e51")
_VERSION_BITS: Final = 0xF << 76
_DERIVED: Final = 8 << 76
"""UUID version 8 is for custom ids, so other ids are not mistaken for those of a command."""


class Decided(NamedTuple):
    """A command whose events are in a stream.

    Attributes:
        first: id of the command's first event.
        version: version of the command's first event, 1-based.
        length: number of the command's events.
    """

    first: UUID
    version: int
    length: int

    @property
    def last(self) -> int:
        """Version of the command's last event."""
        return self.version + self.length - 1


@dataclass(frozen=True, slots=True)
class Command:
    """A command to one stream.

    Attributes:
        id: id of the command, as text.
        first: id that the command's first event gets.
    """

    id: str
    first: UUID

    @classmethod
    def of(cls, command_id: CommandId, tenant_id: TenantId, stream_id: StreamId) -> Command:
        """Return the command with this id, sent to this stream.

        Raises:
            InputError: the id is neither a UUID nor text, or is empty.
        """
        if not isinstance(command_id, UUID | str) or not str(command_id):
            raise InputError(
                "command_id must be a UUID or text that is not empty, not "
                f"{shown(command_id, str)}."
            )
        text = str(command_id)
        # As JSON, because two different lists never have the same JSON.
        identity = json.dumps([tenant_id, stream_id.category, str(stream_id), text])
        return cls(text, _derive(_NAMESPACE, identity))

    def event_id(self, index: int) -> UUID:
        """Return the id of the command's event at a 0-based index."""
        return _event_id(self.first, index)


class DecidedCommands:
    """The commands in loaded events and their snapshot, in the order of the stream.

    Args:
        raws: the stored events, or the newest snapshot and the events after it.
        complete: False if they begin with a snapshot that has no list of commands.

    Attributes:
        complete: whether the commands before the snapshot are known too.
    """

    __slots__ = ("_found", "_last", "complete")

    def __init__(self, raws: Iterable[RawEvent] = (), *, complete: bool = True) -> None:
        self.complete = complete
        self._found: dict[UUID, Decided] = {}
        self._last: Decided | None = None
        for raw in raws if complete else islice(raws, 1, None):
            if NOTE in raw.context:
                self._take(raw)
            elif raw.uuid.int & _VERSION_BITS == _DERIVED and raw.version is not None:
                self.add(raw.uuid, raw.version)

    def add(self, uuid: UUID, version: int) -> None:
        """Add the next event of the stream that a command stored."""
        last = self._last
        if (
            last is not None
            and version == last.version + last.length
            and uuid == _event_id(last.first, last.length)
        ):
            self._last = last._replace(length=last.length + 1)
        else:
            self._last = Decided(uuid, version, 1)
        self._found[self._last.first] = self._last

    def take(self, decided: Decided) -> None:
        """Add a command that was found in the stored events, as the last one."""
        self._found[decided.first] = self._last = decided

    def find(self, command: Command) -> Decided | None:
        """Return the place of a command in the stream; None if it was not found."""
        return self._found.get(command.first)

    def note(self) -> dict[str, Any]:
        """Return the entry for a snapshot's stored context; empty if the list is incomplete."""
        if not self.complete:
            return {}
        latest = list(self._found.values())[-KEPT_COMMANDS:]
        return {NOTE: [[one.first.hex, one.version, one.length] for one in latest]}

    def _take(self, snapshot: RawEvent) -> None:
        try:
            noted = [Decided(UUID(hex=a), int(b), int(c)) for a, b, c in snapshot.context[NOTE]]
        except (AttributeError, TypeError, ValueError):
            raise UnreadableEventError(
                snapshot.stream_id,
                snapshot.version,
                snapshot.name,
                f"this library did not write the {NOTE} in its context. Delete the snapshot.",
            ) from None
        self._found |= {one.first: one for one in noted}
        self._last = noted[-1] if noted else None


def _event_id(first: UUID, index: int) -> UUID:
    return first if index == 0 else _derive(first, str(index))


def _derive(namespace: UUID, name: str) -> UUID:
    return UUID(int=uuid5(namespace, name).int & ~_VERSION_BITS | _DERIVED)

"""Decides on one command in a boundary, and again after each conflict."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from dynamo_es.aggregates.commands import Command
from dynamo_es.aggregates.retries import append_surely
from dynamo_es.boundaries.decision import apply_to, begin, events_decided, refuse_changed
from dynamo_es.boundaries.saved_states import FollowedModel, SavedStates
from dynamo_es.contracts.boundaries.states import Part
from dynamo_es.event_store.wrapped import WrappedEvent
from dynamo_es.exceptions import BoundaryConflictError
from dynamo_es.values import Query, StoredVersion, tags_of
from dynamo_es.values import tags as own_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.aggregates.commands import CommandId
    from dynamo_es.aggregates.retries import Retries
    from dynamo_es.boundaries.decision import Decision
    from dynamo_es.boundaries.stream import BoundaryStream
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.wrapped import Context
    from dynamo_es.values import RawEvent, Tag


@dataclass(frozen=True, slots=True)
class Decided:
    """The outcome of a command.

    Attributes:
        events: the events that the command has stored; empty if it stored none.
        version: version of the last of them; without events, the version that the decision is based
            on.
        repeated: whether an earlier delivery of the command stored the events.
    """

    events: tuple[Event, ...]
    version: StoredVersion
    repeated: bool = False


def command_tag(stream: BoundaryStream, command_id: CommandId | None) -> Tag | None:
    """Return the tag for the events of a command; None for None.

    A decision depends on the events with this tag. So its read shows whether the command was
    decided before, and the condition of its append refuses a second delivery.

    Raises:
        InputError: the id is neither a UUID nor text, or is empty.
    """
    if command_id is None:
        return None
    return own_tags.command_tag(Command.of(command_id, stream.tenant_id, stream.id).first)


class Deciding:
    """Makes one decision and stores its events.

    Args:
        stream: the stream of the boundary.
        decision: a new decision, whose models have no events so far.
        tag: tag of the command's events; None: the command has no id.
        context: metadata for the stored events.
        snapshot_every: see `Boundary`.

    Raises:
        InputError: it is not a decision, or has no model.
        DecisionDefinitionError: a model has an attribute that cannot be part of the key of its
            saved states.
    """

    def __init__(
        self,
        stream: BoundaryStream,
        decision: Decision,
        tag: Tag | None,
        context: Context | None,
        snapshot_every: int | None = None,
    ) -> None:
        self._stream = stream
        self._decision = decision
        self._tag = tag
        self._context = context
        self._models = begin(decision)
        query = Query.of_items(item for _, own in self._models for item in own.items)
        self._query = stream.resolved(query if tag is None else query | Query(tags=[tag]))
        self._followed = [FollowedModel(model, stream.resolved(own)) for model, own in self._models]
        self._states = SavedStates(stream, self._followed, snapshot_every)
        self._head: StoredVersion | None = None
        self._stored: list[RawEvent] = []

    def run(self, retries: Retries) -> Decided:
        """Read, decide and append; after a conflict, apply the new events and decide again.

        Raises:
            BoundaryConflictError: there was a conflict at every attempt. Without matching events,
                the boundary was deleted.
        """
        self._begin()
        while True:
            if self._stored:
                return self._decided_before(self._stored)
            self._states.take(self._head)
            events = events_decided(self._decision)
            refuse_changed(self._models)
            if not events:
                self._states.save()
                return Decided((), self._head or StoredVersion(0, 0))
            try:
                version = self._append(events, retries)
            except BoundaryConflictError as refused:
                if not refused.matching:
                    raise
                self._stored += self._of_command(refused.matching)
                if self._stored:
                    continue  # another delivery of the command was faster, which is no failure
                waited = retries.wait_or_raise(refused)
                self._take(refused.matching, refused.head)
                if waited:
                    self._catch_up()
            else:
                self._states.save()
                return Decided(tuple(events), version)

    def _begin(self) -> None:
        """Read the events that the decision depends on, or saved states and the later events."""
        if not self._states.load():
            self._catch_up()
            return
        try:
            found = self._stream.fetch_parts(self._parts())
        except BoundaryConflictError:
            # A state is from an earlier generation of the boundary.
            self._states.forget()
            self._catch_up()
            return
        self._states.restore()
        self._take(found.events, found.head)

    def _parts(self) -> list[Part]:
        parts = [each.part for each in self._followed]
        if self._tag is not None:
            parts.append(Part(Query(tags=[self._tag])))  # no state has all commands
        return parts

    def _catch_up(self) -> None:
        found = self._stream.fetch(self._query, self._head)
        self._take(found.events, found.head)

    def _take(self, raws: Sequence[RawEvent], head: StoredVersion) -> None:
        """Apply stored events to each model whose query they match."""
        for each in self._followed:
            part = each.part
            own = [raw for raw in raws if part.wants(raw)]
            for wrapped in self._stream.read(own):  # new objects, because a model may change them
                apply_to(each.model, wrapped.event)
            each.events += len(own)
        self._stored += self._of_command(raws)
        self._head = head

    def _of_command(self, raws: Sequence[RawEvent]) -> list[RawEvent]:
        """Return those of the events that an earlier delivery of the command stored."""
        if self._tag is None:
            return []
        text = self._tag.text
        return [raw for raw in raws if text in tags_of(raw)]

    def _append(self, events: Sequence[Event], retries: Retries) -> StoredVersion:
        """Append the events; after a lost answer, append the same events again."""
        wrapped = [WrappedEvent.wrap(event, context=self._context) for event in events]
        raws = self._stream.stored_form(wrapped, self._tag)
        version = append_surely(
            partial(self._stream.append, raws, self._query, self._head), retries
        )
        return StoredVersion(version, version.generation)

    def _decided_before(self, raws: Sequence[RawEvent]) -> Decided:
        events = tuple(wrapped.event for wrapped in self._stream.read(raws))
        last = raws[-1]
        version = StoredVersion(last.version or 0, last.generation or 0, repeated=True)
        return Decided(events, version, repeated=True)

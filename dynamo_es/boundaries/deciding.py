"""Decides one command in a boundary, again after each conflict."""

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
        version: version of the last of them; without events, the version that was decided on.
        repeated: whether an earlier delivery of the command stored them.
    """

    events: tuple[Event, ...]
    version: StoredVersion
    repeated: bool = False


def command_tag(stream: BoundaryStream, command_id: CommandId | None) -> Tag | None:
    """Return the tag of the events of a command; None for None.

    A decision with the command's id depends on it. So the read shows whether the command was
    decided before, and the condition of the append keeps another delivery out.

    Raises:
        InputError: an id that is neither a UUID nor text, or is empty.
    """
    if command_id is None:
        return None
    return own_tags.command_tag(Command.of(command_id, stream.tenant_id, stream.id).first)


class Deciding:
    """Makes one decision and stores its events.

    Args:
        stream: the stream of the boundary.
        decision: a new one; its models have no events so far.
        tag: the tag of the command's events; None: the command has no id.
        context: metadata for the stored events.
        snapshot_every: see `Boundary`.

    Raises:
        InputError: not a decision, or one without a model.
        DecisionDefinitionError: a model with an attribute that saved states cannot take into
            account.
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
            BoundaryConflictError: the boundary was deleted; or, with matching events, there were
                conflicts at every attempt.
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
        """Read all events that the decision depends on, or saved states and the events after."""
        if not self._states.load():
            self._catch_up()
            return
        try:
            found = self._stream.fetch_parts(self._parts())
        except BoundaryConflictError:
            # A state is of an earlier generation of the boundary.
            self._states.forget()
            self._catch_up()
            return
        self._states.restore()
        self._take(found.events, found.head)

    def _parts(self) -> list[Part]:
        parts = [each.part for each in self._followed]
        if self._tag is not None:
            parts.append(Part(Query(tags=[self._tag])))  # no state knows all commands
        return parts

    def _catch_up(self) -> None:
        found = self._stream.fetch(self._query, self._head)
        self._take(found.events, found.head)

    def _take(self, raws: Sequence[RawEvent], head: StoredVersion) -> None:
        """Apply stored events to each model whose query they match."""
        for each in self._followed:
            part = each.part
            own = [raw for raw in raws if part.wants(raw)]
            for wrapped in self._stream.read(own):  # new objects for each model
                apply_to(each.model, wrapped.event)
            each.events += len(own)
        self._stored += self._of_command(raws)
        self._head = head

    def _of_command(self, raws: Sequence[RawEvent]) -> list[RawEvent]:
        """Return the events of an earlier delivery of the command."""
        if self._tag is None:
            return []
        text = self._tag.text
        return [raw for raw in raws if text in tags_of(raw)]

    def _append(self, events: Sequence[Event], retries: Retries) -> StoredVersion:
        """Append the events; after a lost answer, append the same again while the retries last."""
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

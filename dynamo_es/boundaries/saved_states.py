"""Loads the saved states of a decision's models, and saves those that are due."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dynamo_es.boundaries.decision import has_snapshots, restore, snapshot_of
from dynamo_es.boundaries.fingerprints import fingerprint
from dynamo_es.contracts.boundaries.states import Part
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.event_store.event import Snapshot
from dynamo_es.event_store.wrapped import WrappedEvent
from dynamo_es.exceptions import EventStoreError, describe_stream
from dynamo_es.values import StoredVersion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.boundaries.decision import DecisionModel
    from dynamo_es.boundaries.stream import BoundaryStream
    from dynamo_es.values import Query, RawEvent

_LOG: Final = logging.getLogger("dynamo_es.boundaries")


@dataclass(slots=True, eq=False)
class FollowedModel:
    """A model of a decision, with its saved state and the number of its events.

    Attributes:
        model: the model.
        query: its query, with stored names as types.
        key: key of its saved states; None: its states are not saved.
        state: the loaded state that it begins with; None: it begins with the first event.
        after: version of that state, with its generation; None without a state.
        events: number of events that it got after that state.
        due: its present state in stored form, to be saved; None: none is due.
    """

    model: DecisionModel
    query: Query
    key: str | None = None
    state: Snapshot | None = None
    after: StoredVersion | None = None
    events: int = 0
    due: RawEvent | None = None

    @property
    def part(self) -> Part:
        """The part of the boundary that the model needs."""
        return Part(self.query, self.after)

    def begin_without_state(self) -> None:
        """Drop the loaded state, so that the model begins with the first event."""
        self.state = self.after = None


class SavedStates:
    """The saved states of a decision's models.

    Args:
        stream: the stream of the boundary.
        models: the models, before their first event.
        every: save a state if its model got at least this number of events after the last one;
            None: neither save nor use states.

    Raises:
        DecisionDefinitionError: an attribute of a model cannot be part of the key of its states.
    """

    def __init__(
        self, stream: BoundaryStream, models: Sequence[FollowedModel], every: int | None
    ) -> None:
        self._stream = stream
        self._every = every
        self._models = [] if every is None else [m for m in models if has_snapshots(m.model)]
        for each in self._models:
            each.key = fingerprint(each.model, each.query)

    def load(self) -> bool:
        """Load the states; return whether any was found. The models do not change yet.

        A state that cannot be read is left out, because the events lead to the same state.
        """
        keys = [each.key for each in self._models if each.key is not None]
        if not keys:
            return False
        try:
            saved = self._stream.storage.fetch_states(self._stream.id, keys)
        except EventStoreError as error:
            self._warn("were not read", error)
            return False
        for each, raw in zip(self._models, saved, strict=True):
            if raw is not None and raw.version is not None and raw.generation is not None:
                each.state = self._read(raw)
                if each.state is not None:
                    each.after = StoredVersion(raw.version, raw.generation)
        return any(each.state is not None for each in self._models)

    def forget(self) -> None:
        """Drop all loaded states."""
        for each in self._models:
            each.begin_without_state()

    def restore(self) -> None:
        """Give the loaded states to their models."""
        for each in self._models:
            if each.state is not None:
                restore(each.model, each.state)

    def take(self, head: StoredVersion | None) -> None:
        """Take the states that are due, from models that have all events up to a version.

        Call it before the decision is made, so that the decision cannot change the states. It never
        raises.
        """
        for each in self._models:
            each.due = None
            if self._every is not None and each.events >= self._every and head:
                try:
                    each.due = self._stored_form(each, head)
                except Exception as error:  # noqa: BLE001 - the decision needs no saved state
                    self._warn("were not saved", error)

    def save(self) -> None:
        """Save the states that `take` has taken. Never raises, because the events are stored."""
        for each in self._models:
            if each.due is None or each.key is None:
                continue
            try:
                self._stream.storage.save_state(each.key, each.due)
            except Exception as error:  # noqa: BLE001 - the decision succeeded
                self._warn("were not saved", error)

    def _read(self, raw: RawEvent) -> Snapshot | None:
        serde = self._stream.serde
        if serde.is_outdated_snapshot(raw):
            return None
        try:
            event = serde.deserialize(raw).event
        except EventStoreError as error:
            self._warn("were not used", error)
            return None
        return event if isinstance(event, Snapshot) else None

    def _stored_form(self, followed: FollowedModel, head: StoredVersion) -> RawEvent:
        wrapped = WrappedEvent(snapshot_of(followed.model), int(head), generation=head.generation)
        return self._stream.serde.serialize(wrapped, self._stream.id)

    def _warn(self, what: str, error: Exception) -> None:
        _LOG.warning(
            "Boundary %s: states of models %s: %s",
            describe_stream(self._stream.id),
            what,
            describe_error(error),
        )

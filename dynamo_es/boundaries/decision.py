"""`DecisionModel` and `Decision`, the base classes for the rules of your application."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.contracts.checks.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.event_store.event import Event, Snapshot
from dynamo_es.exceptions import (
    AsynchronousFunctionError,
    DecisionDefinitionError,
    InputError,
)
from dynamo_es.values import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

M = TypeVar("M", bound="DecisionModel")

_APPLY: Final = "__apply__"
_RESTORE: Final = "__restore__"
_SNAPSHOT: Final = "__snapshot__"
_DECIDE: Final = "decide"

_BEGUN: Final = "_has_begun"
"""Attribute of a decision whose models have got events."""

IN_USE: Final = "_is_in_use"
"""Attribute of a model that belongs to a decision."""


class DecisionModel:
    """Base class of decision models: the state for one rule, from the events of one query.

    ::

        class Places(DecisionModel):
            def __init__(self, course: str) -> None:
                self.query = Query(
                    types=[CourseDefined, StudentEnrolled], tags=[Tag("course", course)]
                )
                self.left = 0

            def __apply__(self, event: Event) -> None:
                if isinstance(event, CourseDefined):
                    self.left += event.capacity
                else:
                    self.left -= 1

    A boundary can save the state of a model that has many events (``snapshot_every``), if the class
    defines::

            def __snapshot__(self) -> PlacesLeft:
                return PlacesLeft(left=self.left)

            def __restore__(self, state: PlacesLeft) -> None:
                self.left = state.left

    Make new models for each decision.

    Attributes:
        query: selects the events that the model gets. It must not change.

    Raises:
        DecisionDefinitionError: ``__apply__``, ``__snapshot__`` or ``__restore__`` of the class is
            asynchronous or a generator.
    """

    query: Query

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _check_hooks(cls, _APPLY, _SNAPSHOT, _RESTORE)

    def __apply__(self, event: Any, /) -> None:
        """Change the state according to the event. Never refuse it: it has happened already."""
        raise NotImplementedError(f"{type(self).__qualname__} must define __apply__(event).")

    def __snapshot__(self) -> Snapshot:
        """Return the state, for the boundary to save. It must depend only on the events.

        If you change the meaning of the state, raise the ``__schema_version__`` of its class. Saved
        states of earlier schema versions are then ignored.
        """
        raise NotImplementedError(f"{type(self).__qualname__} must define __snapshot__().")

    def __restore__(self, state: Any, /) -> None:
        """Take over a saved state, before the events after it. By default, apply it as an event."""
        self.__apply__(state)


class Decision(ABC):
    """Base class of your decisions: made for one command, with the models that its rules need.

    ::

        class Enrolment(Decision):
            def __init__(self, command: Enrol) -> None:
                self.command = command
                self.places = self.use(Places(command.course))

            def decide(self) -> StudentEnrolled:
                if self.places.left < 1:
                    raise CourseIsFullError(self.command.course)
                return StudentEnrolled(course=self.command.course, student=self.command.student)

    Raises:
        DecisionDefinitionError: ``decide`` of the class is asynchronous or a generator.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _check_hooks(cls, _DECIDE)

    def use(self, model: M, /) -> M:
        """Base the decision on a model, and return the model. Call it in ``__init__``.

        Raises:
            InputError: it is not a `DecisionModel`, it is in use already, or the models have got
                their events.
        """
        check_kind("model", model, DecisionModel)
        if _BEGUN in self.__dict__:
            raise InputError(
                f"{type(self).__qualname__} called self.use(…) after its models got their "
                "events, so this model would get none: call self.use(…) in __init__."
            )
        if IN_USE in model.__dict__:
            raise InputError(
                f"This {type(model).__qualname__} is in use already, so it would get its events "
                "twice: make a new model for each self.use(…)."
            )
        model.__dict__[IN_USE] = True
        self.models.append(model)
        return model

    @property
    def models(self) -> list[DecisionModel]:
        """The models that the decision is based on."""
        # In __dict__, because a subclass may not call super().__init__(), or be a frozen dataclass.
        models: list[DecisionModel] = self.__dict__.setdefault("_models", [])
        return models

    @abstractmethod
    def decide(self) -> Event | Sequence[Event] | None:
        """Return the events to store: one event, a list, or None. Raise to refuse the command.

        It is called again after each conflict, when the models have got the new events. So it must
        have no other effects, and must not change the models.
        """


def events_decided(decision: Decision) -> list[Event]:
    """Make a decision, and return its events as a list.

    Raises:
        InputError: it returned something other than events.
    """
    returned: Any = decision.decide()
    refuse_unfinished(returned, type(decision).decide, f"{type(decision).__qualname__}.decide")
    if returned is None:
        return []
    events = list(returned) if isinstance(returned, list | tuple) else [returned]
    for event in events:
        check_kind(f"The result of {type(decision).__qualname__}.decide", event, Event)
    return events


def apply_to(model: DecisionModel, event: Event) -> None:
    """Apply an event to a model."""
    returned: Any = model.__apply__(event)  # type: ignore[func-returns-value]
    kind = type(model)
    refuse_unfinished(returned, kind.__apply__, f"{kind.__qualname__}.{_APPLY}")


def begin(decision: Decision) -> list[tuple[DecisionModel, Query]]:
    """Return the models of a decision, each with its query, and mark the decision as begun.

    Raises:
        InputError: the decision has no model or was decided before, or a model has no query.
    """
    check_kind("The result of decision", decision, Decision)
    kind = type(decision).__qualname__
    if not decision.models:
        raise InputError(
            f"{kind} uses no model, so nothing could conflict with it: call self.use(…) in its "
            "__init__, or append the events without a condition."
        )
    if _BEGUN in decision.__dict__:
        raise InputError(
            f"This {kind} was decided before, so its models would get their events twice: make a "
            "new decision at each call."
        )
    decision.__dict__[_BEGUN] = True
    return [(model, _query_of(model)) for model in decision.models]


def refuse_changed(models: Iterable[tuple[DecisionModel, Query]]) -> None:
    """Raise `InputError` if the query of a model has changed since its events were read."""
    for model, query in models:
        if _query_of(model) != query:
            raise InputError(
                f"{type(model).__qualname__}.query has changed since its events were read: set it "
                "in __init__. If the query depends on events, read them first, and give the "
                "decision what you found."
            )


def _query_of(model: DecisionModel) -> Query:
    query: Any = getattr(model, "query", None)
    check_kind(f"{type(model).__qualname__}.query", query, Query)
    return query  # type: ignore[no-any-return]


def has_snapshots(model: DecisionModel) -> bool:
    """Return whether a model's class defines ``__snapshot__``."""
    return type(model).__snapshot__ is not DecisionModel.__snapshot__


def snapshot_of(model: DecisionModel) -> Snapshot:
    """Return the state of a model.

    Raises:
        InputError: the model did not return a `Snapshot`.
    """
    kind = type(model)
    returned: Any = model.__snapshot__()
    refuse_unfinished(returned, kind.__snapshot__, f"{kind.__qualname__}.{_SNAPSHOT}")
    check_kind(f"The result of {kind.__qualname__}.{_SNAPSHOT}", returned, Snapshot)
    state: Snapshot = returned
    return state


def restore(model: DecisionModel, state: Snapshot) -> None:
    """Give a saved state to a new model."""
    kind = type(model)
    returned: Any = model.__restore__(state)  # type: ignore[func-returns-value]
    refuse_unfinished(returned, kind.__restore__, f"{kind.__qualname__}.{_RESTORE}")


def _check_hooks(kind: type, *hooks: str) -> None:
    for hook in hooks:
        try:
            refuse_asynchronous(getattr(kind, hook), f"{kind.__qualname__}.{hook}")
        except AsynchronousFunctionError as error:
            raise DecisionDefinitionError(str(error)) from None

"""Upkeep: the work that handlers do on a schedule, beside the records that they handle.

A schedule of the templates calls each function with one of two events:

- ``{"dynamo_es": "upkeep"}``, each minute: the handler goes on with work that an earlier call had
  no time for, and writes metrics that need a value even while no records arrive.
- ``{"dynamo_es": "retry_parked"}``, less often: it applies the events of parked streams again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from dynamo_es.exceptions import ConfigurationError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Collection

Task: TypeAlias = Literal["upkeep", "retry_parked"]

_KEY: Final = "dynamo_es"


def task_of(event: object, known: Collection[Task]) -> Task | None:
    """Return the task that a schedule's event asks for; None for any other event.

    Args:
        event: the event that Lambda called the function with.
        known: the tasks that the handler has.

    Raises:
        ConfigurationError: a task that the handler does not have.
    """
    if not isinstance(event, dict) or _KEY not in event:
        return None
    for task in known:
        if event[_KEY] == task:
            return task
    tasks = " or ".join(f'{{"{_KEY}": "{task}"}}' for task in known)
    raise ConfigurationError(
        f"This handler has no task {shown(event[_KEY])}: let the schedule send {tasks}."
    )

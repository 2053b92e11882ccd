"""`ProjectedEvents`: the read model that a projection built from given events."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Self

from dynamo_es.contracts.checks.arguments import check_callable
from dynamo_es.contracts.checks.functions import refuse_asynchronous
from dynamo_es.projections.projector import Projector
from dynamo_es.testing.differences import are_same, side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.memory import MemoryBackend


class ProjectedEvents:
    """A projection that has handled the given events. `GivenEvents.project` makes one."""

    def __init__(self, run: Callable[[], None], rows: Callable[[], object]) -> None:
        self._run = run
        self._rows = rows

    def then(self, *expected: object) -> Self:
        """Assert the rows of the read model; ``1``, ``1.0`` and ``True`` differ.

        ``.then([("ann", 5)])``, or each row as an argument: ``.then(("ann", 5), ("bob", 0))``.

        Args:
            expected: the expected result of ``rows`` (a dictionary or a list), or the rows
                themselves.

        Raises:
            AssertionError: the read model has other rows; the text shows both lists.
        """
        actual = self._rows()
        wanted: object = list(expected)
        if len(expected) == 1 and type(expected[0]) is type(actual):
            wanted = expected[0]
        elif isinstance(actual, tuple):
            actual = list(actual)
        if not are_same(wanted, actual):
            raise AssertionError(f"The read model has other rows.\n\n{_table(wanted, actual)}")
        return self

    def again(self) -> Self:
        """Deliver all events once more, as after a crash. The rows should not change.

        ``.then(rows).again().then(rows)`` tests that the handler is idempotent.
        """
        self._run()
        return self


def project(
    backend: MemoryBackend,
    handler: Callable[[Recorded], object],
    rows: Callable[[], object] | None,
    selection: dict[str, Any],
) -> ProjectedEvents:
    """Run a projection over the events of a backend.

    Args:
        backend: the backend with the events.
        handler: called with each event.
        rows: returns the read model; None: the rows are the handler's results, without None.
        selection: arguments for `Backend.projection`.
    """
    if not isinstance(handler, Projector):
        check_callable("handler", handler)
        refuse_asynchronous(handler, "handler")
    if rows is not None:
        check_callable("rows", rows)
        refuse_asynchronous(rows, "rows")
    returned: list[object] = []
    runs = count(1)

    def keep(recorded: Recorded) -> None:
        row = handler(recorded)
        if row is not None:
            returned.append(row)

    def run() -> None:
        returned.clear()
        wanted = handler if isinstance(handler, Projector) else keep
        backend.projection(f"given-{next(runs)}", wanted, **selection).run_once()

    run()
    return ProjectedEvents(run, (lambda: list(returned)) if rows is None else rows)


def _table(expected: object, actual: object) -> str:
    if isinstance(expected, dict) and isinstance(actual, dict):
        names = [*expected, *(name for name in actual if name not in expected)]
        left: list[object] = [{name: expected[name]} if name in expected else "-" for name in names]
        right: list[object] = [{name: actual[name]} if name in actual else "-" for name in names]
    else:
        left = list(expected) if isinstance(expected, list | tuple) else [expected]
        right = list(actual) if isinstance(actual, list | tuple) else [actual]
    same = [are_same(one, other) for one, other in zip(left, right, strict=False)]
    return side_by_side(left, right, same)

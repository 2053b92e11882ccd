"""The cost of a page: adds up the requests and units while the page is made."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es.contracts import OperationReport


@dataclass(slots=True)
class Cost:
    """The cost of one page so far.

    Attributes:
        began: start time in seconds of a monotonic clock.
        requests: number of API calls to DynamoDB.
        read_units: consumed read units; None if DynamoDB reported none.
        write_units: consumed write units; None if DynamoDB reported none.
    """

    began: float = field(default_factory=time.perf_counter)
    requests: int = 0
    read_units: float | None = None
    write_units: float | None = None

    @property
    def milliseconds(self) -> int:
        """Milliseconds since the page's request came in."""
        return round((time.perf_counter() - self.began) * 1000)

    def add(self, report: OperationReport) -> None:
        """Add the cost of one operation."""
        self.requests += report.requests
        if report.read_units is not None:
            self.read_units = (self.read_units or 0.0) + report.read_units
        if report.write_units is not None:
            self.write_units = (self.write_units or 0.0) + report.write_units


# The thread that makes a page gets a copy of this context, which refers to the same object.
_current: ContextVar[Cost | None] = ContextVar("dynamo_es_ui_cost", default=None)


def observe(report: OperationReport, /) -> None:
    """Add an operation to the cost of its page. Pass this function as a backend's observer."""
    cost = _current.get()
    if cost is not None:
        cost.add(report)


def begin() -> Cost:
    """Start counting the cost of a new page."""
    cost = Cost()
    _current.set(cost)
    return cost


def current() -> Cost:
    """Return the cost of the page that is being made."""
    return _current.get() or begin()

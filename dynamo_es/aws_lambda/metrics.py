"""Metrics of the handlers, as lines of CloudWatch's embedded metric format.

The only dimension is the function's name. So the alarms of the templates find the metrics, and the
number of metrics does not grow with tenants and streams. Outside of Lambda nothing is written.
"""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.environment import FUNCTION_NAME, METRICS_DISABLED, METRICS_NAMESPACE
from dynamo_es.forking import new_lock
from dynamo_es.observability.lines import metric_line, print_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.aws_lambda.batch import LambdaContext

_log = logging.getLogger("dynamo_es")

_DEFAULT_NAMESPACE: Final = "dynamo_es"
_UNITS: Final = {"LagSeconds": "Seconds", "OldestSeconds": "Seconds"}
_ON: Final = frozenset({"Creating", "Enabling", "Enabled", "Updating"})


class FunctionMetrics:
    """Collects the figures of a call of a handler, and writes them as one line.

    | metric | written by | meaning |
    |---|---|---|
    | ``Failures`` | all | records and tries that failed; the next call tries them again |
    | ``Sequenced``, ``SetAside`` | sequencer | events that got positions, commits set aside |
    | ``LagSeconds`` | sequencer | how long an event has waited for its position |
    | ``Published``, ``Dead`` | outbox | published events, and dead entries |
    | ``Waiting``, ``OldestSeconds`` | outbox | entries, and the time since the oldest one failed |
    | ``Indexed`` | tag index | events that the call indexed |
    | ``Parked`` | projections | parked streams |
    | ``Lag`` | projections of the log | positions up to the end of the log |
    | ``MappingsOff`` | all | event source mappings of the function that are off or missing |

    Args:
        consumer: name of the projection or the outbox; ``sequencer`` for a sequencer.
        write: called with each line; None: prints it.
        clock: returns seconds since the epoch.
        mappings: returns the states of the function's event source mappings, given its name; None:
            asks Lambda.
    """

    def __init__(
        self,
        consumer: str,
        *,
        write: Callable[[str], object] = print_line,
        clock: Callable[[], float] = time.time,
        mappings: Callable[[str], list[str]] | None = None,
    ) -> None:
        self._consumer = consumer
        self._write = write
        self._clock = clock
        self._mappings = mappings or _states
        self._lock = new_lock()
        self._values: dict[str, float] = {}

    def count(self, name: str, number: float) -> None:
        """Add to a sum. Adding 0 does nothing, because every metric costs money."""
        if number:
            with self._lock:
                self._values[name] = self._values.get(name, 0) + number

    def gauge(self, name: str, value: float) -> None:
        """Set a value. It is written even if it is 0."""
        with self._lock:
            self._values[name] = value

    def check_mappings(self) -> None:
        """Count the function's mappings that are off. A function without any counts as 1."""
        function = FUNCTION_NAME.read()
        if function is None:
            return
        try:
            states = self._mappings(function)
        except Exception as error:  # noqa: BLE001 - the alarm treats a missing value as breaching
            _log.warning("Could not read the state of the mappings: %s", trace_error(error))
            return
        self.gauge("MappingsOff", sum(one not in _ON for one in states) if states else 1)

    def flush(self, context: LambdaContext | None = None) -> None:
        """Write one line with the figures since the last one; nothing if there are none.

        Args:
            context: Lambda's; its request id connects the line with the call's other log lines.
        """
        with self._lock:
            values, self._values = self._values, {}
        function = FUNCTION_NAME.read()
        if not values or function is None or METRICS_DISABLED.read():
            return
        details: dict[str, Any] = {"consumer": self._consumer}
        if request_id := getattr(context, "aws_request_id", None):
            details["request_id"] = request_id
        namespace = METRICS_NAMESPACE.read() or _DEFAULT_NAMESPACE
        now = self._clock()
        self._write(metric_line(namespace, {"function": function}, values, now, _UNITS, details))


@cache
def _lambda() -> Any:
    """Return a client of Lambda, in the function's own region and with its role."""
    from boto3.session import Session
    from botocore.config import Config

    config = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
    return Session().client("lambda", config=config)


def _states(function: str) -> list[str]:
    """Return the states of a function's event source mappings. Cost: 1 request to Lambda."""
    answer = _lambda().list_event_source_mappings(FunctionName=function)
    return [one["State"] for one in answer["EventSourceMappings"]]

"""CloudWatch metrics in the embedded metric format: lines of JSON that are both logs and metrics.

CloudWatch turns the lines into metrics, whether a Lambda function prints them or the CloudWatch
agent collects them from a container. The process itself sends no requests for them.

Source: CloudWatch's "Specification: Embedded metric format".
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar

from dynamo_es.contracts.checks.arguments import seconds_of
from dynamo_es.contracts.checks.functions import check_injected
from dynamo_es.environment import (
    FUNCTION_NAME,
    METRICS_DISABLED,
    METRICS_NAMESPACE,
    SERVICE_NAME,
)
from dynamo_es.exceptions import ConfigurationError
from dynamo_es.forking import new_lock
from dynamo_es.observability.lines import metric_line, print_line
from dynamo_es.observability.reports import CONFLICTS, ERRORS, THROTTLES, outcome_of, retries_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from dynamo_es.contracts import OperationReport
    from dynamo_es.observability.reports import ProgressOfConsumer

P = ParamSpec("P")
T = TypeVar("T")

MAX_VALUES: Final = 100
"""The most values of one metric in one line."""

_MAX_DIMENSIONS: Final = 30
_MAX_NAMESPACE: Final = 256
_UNITS: Final = {"Duration": "Milliseconds"}
_DEFAULT_NAME: Final = "dynamo_es"
_METRICS: Final = frozenset(
    {
        *("Duration", "Requests", "WriteUnits", "ReadUnits", "Retries", "Lag", "Parked"),
        *(CONFLICTS, THROTTLES, ERRORS),
    }
)
_TAKEN: Final = _METRICS | {"_aws", "operation", "consumer", "bytes_written", "bytes_read"}


@dataclass(slots=True)
class _Sums:
    """The figures of one operation or one consumer since the last line."""

    values: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    details: dict[str, float] = field(default_factory=dict)

    def count(self, name: str, number: float) -> None:
        # Zeros are left out: CloudWatch bills a metric for each hour in which it has a value.
        if number:
            self.counts[name] = self.counts.get(name, 0) + number

    def detail(self, name: str, number: float) -> None:
        if number:
            self.details[name] = self.details.get(name, 0) + number


class EmfMetrics:
    """An observer that turns reports into CloudWatch metrics. Safe to share between threads.

    | metric | dimensions | meaning |
    |---|---|---|
    | ``Duration`` | service, operation | milliseconds; the sample count is that of operations |
    | ``Requests`` | the same | API calls |
    | ``WriteUnits``, ``ReadUnits`` | the same | consumed units, if DynamoDB reports them |
    | ``Retries`` | the same | HTTP attempts beyond the first of a request |
    | ``Conflicts`` | the same | appends that lost to another writer |
    | ``Throttles`` | the same | operations that failed for lack of capacity |
    | ``Errors`` | the same | operations that failed for other reasons |
    | ``Lag`` | service, consumer | positions between a projection and the end of the log |
    | ``Parked`` | the same | streams that a projection has parked |

    Set ``DYNAMO_ES_REPORT_CAPACITY=true`` to make DynamoDB report units.

    The lines also have the bytes written and read, for queries in CloudWatch Logs; these are not
    metrics. Zeros are left out, because every metric costs money: let alarms treat missing data as
    good. CloudWatch bills each value of a dimension as a metric, so tenants and streams are left
    out.

    The observer writes lines when you call `flush`, when ``interval`` is over, and when a line is
    full. Lambda freezes a function after its reply, so decorate the handler::

        metrics = EmfMetrics()
        backend = DynamoBackend.from_env(observer=metrics)

        @metrics.flushing
        def handler(event, context): ...

    Args:
        namespace: namespace of the metrics; None: ``POWERTOOLS_METRICS_NAMESPACE``, or
            ``dynamo_es``.
        service: value of the dimension ``service``, which Powertools for AWS Lambda uses too;
            None: ``POWERTOOLS_SERVICE_NAME``, or the Lambda function's name, or ``dynamo_es``.
        dimensions: more dimensions, the same for all metrics, such as the stage.
        by_operation: whether each operation has its own metrics; False: about a tenth as many
            metrics.
        interval: the first report after this time writes the lines, a timedelta or seconds.
        write: called with each line, without a line end; None: the line is printed. Nothing is
            written if ``POWERTOOLS_METRICS_DISABLED`` is true.
        clock: returns seconds since the epoch.
        environ: the environment variables; None: those of the process.

    Raises:
        ConfigurationError: a namespace or dimensions that CloudWatch refuses.
        InvalidSubscriptionError: an interval below 0.
        InputError: ``clock`` or ``write`` is not callable.
    """

    def __init__(  # noqa: PLR0913 - options, each by its name
        self,
        namespace: str | None = None,
        service: str | None = None,
        *,
        dimensions: Mapping[str, str] | None = None,
        by_operation: bool = True,
        interval: timedelta | float = 60.0,
        write: Callable[[str], object] | None = None,
        clock: Callable[[], float] = time.time,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        check_injected(clock=clock, write=write or print_line)
        self.namespace = namespace or METRICS_NAMESPACE.read(environ) or _DEFAULT_NAME
        self.service = (
            service or SERVICE_NAME.read(environ) or FUNCTION_NAME.read(environ) or _DEFAULT_NAME
        )
        self._fixed = {"service": self.service, **(dimensions or {})}
        _check(self.namespace, self._fixed)
        self._by_operation = by_operation
        self._interval_s = seconds_of("interval", interval)
        disabled = METRICS_DISABLED.read(environ)
        self._write = _nowhere if disabled else write or print_line
        self._clock = clock
        self._lock = new_lock()
        self._sums: dict[tuple[str, str], _Sums] = {}
        self._since = clock()

    def __call__(self, report: OperationReport, /) -> None:
        """Take the report of one operation."""
        dimension = ("operation", report.operation) if self._by_operation else ("", "")
        with self._lock:
            sums = self._sums.setdefault(dimension, _Sums())
            durations = sums.values.setdefault("Duration", [])
            durations.append(round(report.duration * 1000, 3))
            sums.count("Requests", report.requests)
            sums.count("WriteUnits", report.write_units or 0)
            sums.count("ReadUnits", report.read_units or 0)
            sums.count("Retries", retries_of(report))
            if outcome := outcome_of(report.error):
                sums.count(outcome, 1)
            sums.detail("bytes_written", report.bytes_written)
            sums.detail("bytes_read", report.bytes_read)
            lines = self._due(full=len(durations) >= MAX_VALUES)
        self._send(lines)

    def progress(self, progress: ProgressOfConsumer, /) -> None:
        """Take the progress of a projection: ``run_once(on_progress=metrics.progress)``."""
        with self._lock:
            sums = self._sums.setdefault(("consumer", progress.name), _Sums())
            lags = sums.values.setdefault("Lag", [])
            lags.append(progress.lag)
            parked = getattr(progress, "parked", 0)
            if parked or "Parked" in sums.values:  # 0 as well, once there were some
                sums.values.setdefault("Parked", []).append(parked)
            lines = self._due(full=len(lags) >= MAX_VALUES)
        self._send(lines)

    def flush(self) -> None:
        """Write the lines for all reports since the last flush."""
        with self._lock:
            lines = self._take()
        self._send(lines)

    def flushing(self, handler: Callable[P, T]) -> Callable[P, T]:
        """Return a Lambda handler, or any function, that calls `flush` when it ends."""

        @wraps(handler)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            with self:
                return handler(*args, **kwargs)

        return run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def _due(self, *, full: bool) -> list[str]:
        return self._take() if full or self._clock() - self._since >= self._interval_s else []

    def _take(self) -> list[str]:
        now = self._clock()
        self._since = now
        taken, self._sums = self._sums, {}
        return [self._line(now, *key, sums) for key, sums in taken.items()]

    def _line(self, now: float, name: str, value: str, sums: _Sums) -> str:
        own = {name: value} if name else {}
        metrics: dict[str, Any] = {**sums.values, **sums.counts}
        return metric_line(
            self.namespace, {**self._fixed, **own}, metrics, now, _UNITS, sums.details
        )

    def _send(self, lines: list[str]) -> None:
        for line in lines:
            self._write(line)


def _check(namespace: str, dimensions: Mapping[str, str]) -> None:
    if len(namespace) > _MAX_NAMESPACE or namespace.startswith("AWS/"):
        raise ConfigurationError(
            f"namespace must have at most {_MAX_NAMESPACE} characters and not begin with 'AWS/'; "
            f"got {namespace[:300]!r}."
        )
    if len(dimensions) >= _MAX_DIMENSIONS:
        raise ConfigurationError(
            f"dimensions must have at most {_MAX_DIMENSIONS - 1} entries, 'service' included; got "
            f"{len(dimensions)}."
        )
    taken = _TAKEN & dimensions.keys()
    wrong = [name for name, value in dimensions.items() if not name or not value or name[0] == ":"]
    if taken or wrong:
        raise ConfigurationError(
            f"Rename these dimensions or give them a value: {sorted([*taken, *wrong])}. A name "
            "must not be empty, begin with ':' or be the name of a metric or field of the line."
        )


def _nowhere(_line: str) -> None:
    pass

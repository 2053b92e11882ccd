"""A client with scripted replies, and a clock that moves only during a sleep."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from dynamo_es import DynamoConfig, OperationReport, StreamId
from dynamo_es.dynamodb.wire.gateway import Gateway

CONFIG = DynamoConfig(events_table="events", log_table="log", keys_table="keys")
STREAM = StreamId(name="order 1")


DYNAMODB: Any = SimpleNamespace(
    service_id=SimpleNamespace(hyphenize=lambda: "dynamodb"),
)
WRITING = SimpleNamespace(name="PutItem", output_shape=object())


def a_reply(status: int) -> tuple[Any, dict[str, Any]]:
    """Return a sound reply as botocore shows it to those that decide on another attempt."""
    metadata = {"HTTPHeaders": {"content-type": "application/x-amz-json-1.0"}}
    parsed: dict[str, Any] = {"ResponseMetadata": metadata}
    if status >= 300:
        parsed["Error"] = {"Code": "SomeException"}
    return SimpleNamespace(status_code=status, content=b"{}"), parsed


class Time:
    """A monotonic clock, and a sleep that moves it on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


class Call:
    """One call of the client: what its HTTP attempts came to, and what it returns or raises."""

    def __init__(self, outcome: Any, *attempts: int | Exception, seconds: float = 0.0) -> None:
        self.outcome = outcome
        self.attempts = attempts or (200,)
        self.seconds = seconds


class StubClient:
    """Plays calls one after the other; the last one, given as a list, again and again."""

    def __init__(self, *calls: Any, time: Time | None = None) -> None:
        self.calls = list(calls)
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.watchers: dict[str, Any] = {}
        self.meta = SimpleNamespace(
            events=SimpleNamespace(register_first=self._register), service_model=DYNAMODB
        )
        self.time = time or Time()

    def _register(self, event: str, handler: Any, unique_id: str) -> None:
        assert event == "needs-retry.dynamodb"
        self.watchers[unique_id] = handler

    def __getattr__(self, operation: str) -> Any:
        def method(**params: Any) -> Any:
            self.sent.append((operation, params))
            chosen = self.calls[0][0] if isinstance(self.calls[0], list) else self.calls.pop(0)
            call = chosen if isinstance(chosen, Call) else Call(chosen)
            self.time.now += call.seconds
            for attempt in call.attempts:
                failure = attempt if isinstance(attempt, Exception) else None
                for watcher in self.watchers.values():
                    watcher(
                        response=a_reply(attempt) if isinstance(attempt, int) else None,
                        caught_exception=failure,
                        operation=WRITING,
                        endpoint=SimpleNamespace(host="http://stub"),
                    )
            if isinstance(call.outcome, BaseException):
                raise call.outcome
            return call.outcome

        return method


class Wiring:
    """A gateway on a stub, and what it reported."""

    def __init__(self, *calls: Any, observed: bool = True, **settings: Any) -> None:
        self.time = Time()
        self.client: Any = StubClient(*calls, time=self.time)
        self.reports: list[OperationReport] = []
        self.gateway = Gateway(
            lambda: self.client,
            replace(CONFIG, **settings),
            self._keep if observed else None,
            sleep=self.time.sleep,
            monotonic=self.time.monotonic,
        )

    def _keep(self, report: OperationReport) -> None:
        self.reports.append(report)

    def run(self, steps: Any) -> Any:
        return self.gateway.run("append", "acme", STREAM, steps)

    @property
    def report(self) -> OperationReport:
        (report,) = self.reports
        return report

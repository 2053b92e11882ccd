"""Sending: runs an algorithm's requests on a boto3 client, and reports what they cost."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts import OperationReport
from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.dynamodb.wire.attempts import attempts, watch
from dynamo_es.dynamodb.wire.errors import (
    OutcomeUnknown,
    bad_reply,
    came_as_reply,
    refusal,
    translate,
    unreadable_reply,
    worth_retrying,
)
from dynamo_es.dynamodb.wire.replies import misdirected, misdirected_refusal
from dynamo_es.dynamodb.wire.sizes import item_size
from dynamo_es.dynamodb.wire.steps import Pause, Request
from dynamo_es.exceptions import ContentionError, ServiceError, ThrottledError
from dynamo_es.forking import tell_of_forks

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient
    from tenacity import Retrying

    from dynamo_es.contracts import Observer
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.wire.steps import Response, Steps, T
    from dynamo_es.exceptions import EventStoreError
    from dynamo_es.values import StreamId, TenantId

_log = logging.getLogger("dynamo_es")

_READS: Final = frozenset({"get_item", "query", "batch_get_item", "scan"})
_MOST_REPEATS: Final = 20
_MOST_REMEMBERED: Final = 1_000


class _Tally:
    """What one operation has sent so far."""

    __slots__ = ("attempts", "bytes_read", "bytes_written", "read_units", "requests", "write_units")

    def __init__(self) -> None:
        self.requests = 0
        self.attempts = 0
        self.bytes_read = 0
        self.bytes_written = 0
        self.read_units: float | None = None
        self.write_units: float | None = None

    def count(self, request: Request, response: Response) -> None:
        metadata = response.get("ResponseMetadata", {})
        self.bytes_read += int(metadata.get("HTTPHeaders", {}).get("content-length", 0))
        self.bytes_written += _bytes_written(request)
        reported = response.get("ConsumedCapacity")
        if not reported:
            return
        units = sum(
            entry["CapacityUnits"]
            for entry in (reported if isinstance(reported, list) else [reported])
        )
        if request.operation in _READS:
            self.read_units = (self.read_units or 0.0) + units
        else:
            self.write_units = (self.write_units or 0.0) + units


class Gateway:
    """The one place that talks to DynamoDB; safe to share between threads.

    Throttling and transport failures are the SDK's to retry; what it does not retry
    (conflicts between transactions, lost races) is retried here, with jitter and one
    deadline per operation.

    Args:
        client: makes the client, or hands out the one given, on first use.
        config: deadline, and whether to ask for consumed capacity.
        observer: told of each operation; None: nobody.
        sleep: waits so many seconds.
        monotonic: seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        client: Callable[[], DynamoDBClient],
        config: DynamoConfig,
        observer: Observer | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make_client = client
        self._config = config
        self._observer = observer
        self._sleep = sleep
        self._monotonic = monotonic
        self._methods: dict[str, Callable[..., Any]] = {}
        self._keys = {
            config.events_table: ("stream_key", "version"),
            config.log_table: ("log_key", "place"),
            config.keys_table: ("tenant", "subject"),
        }
        tell_of_forks(self)

    def after_fork(self) -> None:
        """Ask for the client again: a child has one of its own."""
        self._methods = {}

    def run(
        self, operation: str, tenant_id: TenantId, stream_id: StreamId | None, steps: Steps[T]
    ) -> T:
        """Run an algorithm to its end and return its result.

        Args:
            operation: name of the operation, for the observer.
            tenant_id: the tenant it runs for.
            stream_id: its stream, if it has one.
            steps: the algorithm.

        Raises:
            EventStoreError: whatever the algorithm raised, or did not handle.
        """
        observer = self._observer
        if observer is None:
            return self._drive(steps, stream_id, None)
        tally = _Tally()
        begin = self._monotonic()
        failure: BaseException | None = None
        try:
            return self._drive(steps, stream_id, tally)
        except BaseException as error:
            failure = error
            raise
        finally:
            report = OperationReport(
                operation=operation,
                tenant_id=tenant_id,
                stream_id=stream_id,
                requests=tally.requests,
                attempts=tally.attempts,
                read_units=tally.read_units,
                write_units=tally.write_units,
                bytes_written=tally.bytes_written,
                bytes_read=tally.bytes_read,
                duration=self._monotonic() - begin,
                error=failure,
            )
            try:
                observer(report)
            except Exception as error:  # noqa: BLE001 - it must not fail what it observes
                _log.error("The observer failed on %s: %s", operation, trace_error(error))

    def _drive(self, steps: Steps[T], stream_id: StreamId | None, tally: _Tally | None) -> T:
        begin = self._monotonic()
        circles: _Circles | None = None
        try:
            request = next(steps)
            while True:
                if self._monotonic() - begin >= self._config.retry_deadline:
                    circles = circles or _Circles()
                    circles.check(request, stream_id)
                if isinstance(request, Pause):
                    self._pause(request, begin, stream_id)
                    request = steps.send({})
                    continue
                try:
                    response = self._send(request, begin, stream_id, tally)
                    if request.operation in _READS:
                        _check_subject(request, response, stream_id)
                except Exception as error:  # noqa: BLE001 - the algorithm decides
                    request = steps.throw(error)
                else:
                    request = steps.send(response)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except OutcomeUnknown as unknown:
            raise unknown.error from unknown.__cause__

    def _send(
        self, request: Request, begin: float, stream_id: StreamId | None, tally: _Tally | None
    ) -> Response:
        method = self._methods.get(request.operation) or self._method(request.operation)
        params = request.params
        if self._config.report_capacity:
            params = {**params, "ReturnConsumedCapacity": "TOTAL"}
        attempts.reset()
        retrying: Retrying | None = None
        response: Response = {}
        try:
            try:
                response = method(**params)
            except Exception as error:
                if not worth_retrying(error):
                    raise
                retrying = self._retrying(begin)
                response = retrying(_after(error, method), **params)
        except Exception as error:
            raise self._failure(error, request, stream_id) from error
        finally:
            if tally is not None:
                calls = 1 if retrying is None else retrying.statistics["attempt_number"]
                tally.requests += calls
                tally.attempts += max(attempts.count, calls)
                tally.count(request, response)
        return response

    def _failure(self, error: Exception, request: Request, stream_id: StreamId | None) -> Exception:
        maybe_landed = attempts.maybe_landed or not came_as_reply(error)
        name, subject = _api_name(request), _subject(request, stream_id)
        if refused := refusal(error, maybe_landed=maybe_landed):
            other = misdirected_refusal(request, refused.items, self._keys)
            if other is None and request.operation not in _READS:
                return refused
            maybe_landed = True
            translated: EventStoreError = bad_reply(name, subject, other or "a refused write")
        elif came_as_reply(error):
            translated = translate(error, name, subject)
        else:
            translated = unreadable_reply(error, name, subject)
        if maybe_landed and request.operation not in _READS:
            return OutcomeUnknown(translated)
        return translated

    def _method(self, operation: str) -> Callable[..., Any]:
        client = self._make_client()
        watch(client)
        method: Callable[..., Any] = getattr(client, operation)
        self._methods[operation] = method
        return method

    def _retrying(self, begin: float) -> Retrying:
        # Loaded on the first conflict: most processes never see one, and cold starts count.
        from tenacity import Retrying, retry_if_exception, wait_random_exponential

        return Retrying(
            retry=retry_if_exception(lambda e: isinstance(e, Exception) and worth_retrying(e)),
            stop=lambda _: self._monotonic() - begin >= self._config.retry_deadline,
            wait=wait_random_exponential(multiplier=0.02, max=1.0),
            sleep=self._sleep,
            reraise=True,
        )

    def _pause(self, pause: Pause, begin: float, stream_id: StreamId | None) -> None:
        if self._monotonic() - begin >= self._config.retry_deadline:
            raise _given_up(pause, "" if stream_id is None else str(stream_id))
        from tenacity import RetryCallState, Retrying, wait_random_exponential

        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = pause.attempt
        # Short: who waits longer than the others take for an append never gets his turn.
        longest = 1.0 if pause.throttled else 0.02
        self._sleep(wait_random_exponential(multiplier=0.001, max=longest)(state))


class _Circles:
    """Notices, past the deadline, that an operation asks the same thing again and again.

    A long operation may take longer than its deadline, but then each request is another one. One
    that comes again is a retry that nobody counts, such as of items that can never be read.
    """

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: Counter[int] = Counter()

    def check(self, request: Request | Pause, stream_id: StreamId | None) -> None:
        """Count a request.

        Raises:
            ServiceError: it was sent too often.
        """
        if isinstance(request, Pause):
            return  # which has a deadline of its own
        if len(self._seen) > _MOST_REMEMBERED:  # nothing like this for long
            self._seen.clear()
        asked = hash(f"{request.operation} {request.params!r}")
        self._seen[asked] += 1
        if self._seen[asked] > _MOST_REPEATS:
            raise ServiceError(
                _api_name(request),
                "NoProgress",
                f"the same request was sent {_MOST_REPEATS} times after the deadline. What is "
                "stored there cannot be worked through: look at it with `dynamo-es log verify`.",
                _subject(request, stream_id),
            )


def _check_subject(request: Request, response: Response, stream_id: StreamId | None) -> None:
    if other := misdirected(request, response):
        raise bad_reply(_api_name(request), _subject(request, stream_id), other)


def _api_name(request: Request) -> str:
    return "".join(word.capitalize() for word in request.operation.split("_"))


def _subject(request: Request, stream_id: StreamId | None) -> str:
    return str(request.params.get("TableName", "")) if stream_id is None else str(stream_id)


def _given_up(pause: Pause, subject: str) -> ServiceError:
    if pause.throttled:
        return ThrottledError(
            "BatchGetItem",
            "UnprocessedKeys",
            f"keys were left out {pause.attempt} times, until the deadline.",
            subject,
        )
    return ContentionError(
        "PutItem",
        "LostRaces",
        f"other writers were faster {pause.attempt} times in a row.",
        subject,
    )


def _after(error: Exception, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``method`` as it is to be retried: the first call is the failure it already had."""
    failed = [error]

    def call(**params: Any) -> Any:
        if failed:
            raise failed.pop()
        return method(**params)

    return call


def _bytes_written(request: Request) -> int:
    params = request.params
    if "Item" in params:
        return item_size(params["Item"])
    if "TransactItems" in params:
        return sum(
            item_size(write["Put"]["Item"]) for write in params["TransactItems"] if "Put" in write
        )
    return 0

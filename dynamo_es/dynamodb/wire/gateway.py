"""The gateway: sends an algorithm's requests with a boto3 client, and reports their cost."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.dynamodb.wire.attempts import reply_checks
from dynamo_es.dynamodb.wire.attempts.retries import Retries, after_failure
from dynamo_es.dynamodb.wire.attempts.watching import attempts, watch
from dynamo_es.dynamodb.wire.errors import (
    MAYBE_LANDED,
    OutcomeUnknown,
    bad_reply,
    came_as_reply,
    refusal,
    subject_of,
    translate,
    unreadable_reply,
    worth_retrying,
)
from dynamo_es.dynamodb.wire.parallel.at_once import AtOnce
from dynamo_es.dynamodb.wire.partiql.statements import inserted_items
from dynamo_es.dynamodb.wire.sizes import item_size
from dynamo_es.dynamodb.wire.steps import Pause, Together
from dynamo_es.exceptions import TransactionsUnsupportedError
from dynamo_es.forking import tell_of_forks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from tenacity import Retrying

    from dynamo_es.contracts import Observer, OperationReport
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.wire.steps import Request, Response, Steps, T

    Asked: TypeAlias = Request | Pause | Together
    from dynamo_es.exceptions import EventStoreError
    from dynamo_es.values import StreamId, TenantId

_log = logging.getLogger("dynamo_es")

READS: Final = frozenset({"get_item", "query", "batch_get_item", "scan"})


class _Tally:
    """The requests and units of one operation so far."""

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
        if request.operation in READS:
            self.read_units = (self.read_units or 0.0) + units
        else:
            self.write_units = (self.write_units or 0.0) + units

    def add(self, other: _Tally) -> None:
        self.requests += other.requests
        self.attempts += other.attempts
        self.bytes_read += other.bytes_read
        self.bytes_written += other.bytes_written
        if other.read_units is not None:
            self.read_units = (self.read_units or 0.0) + other.read_units
        if other.write_units is not None:
            self.write_units = (self.write_units or 0.0) + other.write_units

    def report(
        self,
        operation: str,
        tenant_id: TenantId,
        stream_id: StreamId | None,
        duration: float,
        error: BaseException | None,
    ) -> OperationReport:
        """Return the report on the operation."""
        # Imported here, so that a process without an observer starts faster.
        from dynamo_es.contracts.observer import OperationReport

        return OperationReport(
            operation=operation,
            tenant_id=tenant_id,
            stream_id=stream_id,
            requests=self.requests,
            attempts=self.attempts,
            read_units=self.read_units,
            write_units=self.write_units,
            bytes_written=self.bytes_written,
            bytes_read=self.bytes_read,
            duration=duration,
            error=error,
        )


class Gateway:
    """Runs algorithms: sends their requests to DynamoDB. Safe to share between threads.

    The SDK retries throttling and transport failures. `Retries` retries the rest, with jitter and
    one deadline per operation.

    Args:
        client: returns the boto3 client; called at the first request.
        config: the deadline, the most requests at once, and whether to ask for consumed capacity.
        observer: called after each operation; None: no reports.
        sleep: waits the given number of seconds.
        monotonic: returns seconds of a monotonic clock.
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
        self._at_once = AtOnce(config.max_parallel)
        tell_of_forks(self)

    def after_fork(self) -> None:
        """Forget the client, because a forked child needs its own."""
        self._methods = {}

    def run(
        self, operation: str, tenant_id: TenantId, stream_id: StreamId | None, steps: Steps[T]
    ) -> T:
        """Run an algorithm and return its result.

        Args:
            operation: name of the operation, for the observer.
            tenant_id: tenant of the operation.
            stream_id: stream of the operation; None: the operation is not about a single stream.
            steps: the algorithm.

        Raises:
            EventStoreError: an error that the algorithm raised or did not handle.
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
            duration = self._monotonic() - begin
            report = tally.report(operation, tenant_id, stream_id, duration, failure)
            try:
                observer(report)
            except Exception as error:  # noqa: BLE001 - it must not fail what it observes
                _log.error("The observer failed on %s: %s", operation, trace_error(error))

    def _drive(self, steps: Steps[T], stream_id: StreamId | None, tally: _Tally | None) -> T:
        deadline = self._config.seconds("retry_deadline")
        retries = Retries(deadline, stream_id, self._sleep, self._monotonic)
        try:
            request = self._advance(steps.send, None)
            while True:
                try:
                    if isinstance(request, Together):
                        response = self._carry_out_together(request, retries, stream_id, tally)
                    else:
                        response = self._carry_out(request, retries, stream_id, tally)
                except Exception as error:  # noqa: BLE001 - the algorithm decides
                    request = steps.throw(error)
                else:
                    request = self._advance(steps.send, response)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except OutcomeUnknown as unknown:
            raise unknown.error from unknown.__cause__

    def _advance(self, send: Callable[[Any], Asked], response: Any) -> Asked:
        """Give the algorithm a response, and return its next request."""
        return send(response)

    def _carry_out(
        self,
        request: Request | Pause,
        retries: Retries,
        stream_id: StreamId | None,
        tally: _Tally | None,
    ) -> Response:
        """Send a request, or pause. Raise each failure into the algorithm.

        The algorithm knows what it has written. So an append that gives up after a lost reply
        reports an unknown outcome instead of a failure.
        """
        retries.check_progress(request)
        if isinstance(request, Pause):
            retries.pause(request)
            return {}
        response = self._send(request, retries, stream_id, tally)
        if request.operation in READS:
            _check_reply(request, response, stream_id)
        elif request.operation == "batch_execute_statement":
            _check_batch(request, response, stream_id, self._keys)
        return response

    def _carry_out_together(
        self,
        requests: Together,
        retries: Retries,
        stream_id: StreamId | None,
        tally: _Tally | None,
    ) -> Any:
        """Send requests at once; return the reply or the failure of each.

        Each request has its own retries and tally. All share the deadline of the operation.
        """
        # Attempts are counted for each thread, and a thread sends one request at a time.
        tallies = [None if tally is None else _Tally() for _ in requests.requests]

        def one(place: int) -> Response:
            return self._carry_out(requests.requests[place], retries, stream_id, tallies[place])

        try:
            return self._at_once.run(one, len(tallies))
        finally:
            for each in tallies:
                if tally is not None and each is not None:
                    tally.add(each)

    def _send(
        self, request: Request, retries: Retries, stream_id: StreamId | None, tally: _Tally | None
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
                retrying = retries.retrying()
                response = retrying(after_failure(error, method), **params)
        except Exception as error:
            raise self._failure(error, request, stream_id) from error
        finally:
            attempts.sending = False
            if tally is not None:
                calls = 1 if retrying is None else retrying.statistics["attempt_number"]
                tally.requests += calls
                tally.attempts += max(attempts.count, calls)
                tally.count(request, response)
        if attempts.maybe_landed and request.operation == "batch_execute_statement":
            response[MAYBE_LANDED] = True
        return response

    def _failure(self, error: Exception, request: Request, stream_id: StreamId | None) -> Exception:
        maybe_landed = attempts.maybe_landed or not came_as_reply(error)
        name, subject = request.api_name, subject_of(request, stream_id)
        if refused := refusal(error, maybe_landed=maybe_landed):
            other = reply_checks.misdirected_refusal(request, refused.items, self._keys)
            if other is None and request.operation not in READS:
                return refused
            maybe_landed = True
            translated: EventStoreError = bad_reply(name, subject, other or "a refused write")
        elif came_as_reply(error):
            translated = translate(error, name, subject)
        else:
            translated = unreadable_reply(error, name, subject)
        if maybe_landed and request.operation not in READS:
            return OutcomeUnknown(translated)
        return translated

    def _method(self, operation: str) -> Callable[..., Any]:
        if operation == "transact_write_items" and self._config.replication == "strong":
            raise TransactionsUnsupportedError
        client = self._make_client()
        watch(client)
        method: Callable[..., Any] = getattr(client, operation)
        if operation == "batch_execute_statement":
            # Imported for the first batch: most processes that only append send none.
            from dynamo_es.dynamodb.wire.partiql.mocked import executing

            method = executing(client, self._keys)
        self._methods[operation] = method
        return method


def _check_reply(request: Request, response: Response, stream_id: StreamId | None) -> None:
    if other := reply_checks.misdirected(request, response):
        raise bad_reply(request.api_name, subject_of(request, stream_id), other)


def _check_batch(
    request: Request,
    response: Response,
    stream_id: StreamId | None,
    keys: Mapping[str, Sequence[str]],
) -> None:
    if other := reply_checks.misdirected_batch(request, response, keys):
        raise OutcomeUnknown(bad_reply(request.api_name, subject_of(request, stream_id), other))


def _bytes_written(request: Request) -> int:
    params = request.params
    if "Item" in params:
        return item_size(params["Item"])
    if "TransactItems" in params:
        return sum(
            item_size(write["Put"]["Item"]) for write in params["TransactItems"] if "Put" in write
        )
    if "Statements" in params:
        return sum(map(item_size, inserted_items(params["Statements"])))
    return 0

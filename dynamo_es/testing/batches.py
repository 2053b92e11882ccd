"""Lambda's rules for the batches of a stream, as pure functions.

Source: "Using AWS Lambda with Amazon DynamoDB" and "Configuring partial batch response" in the AWS
Lambda Developer Guide.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.exceptions import InputError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.testing.stream_records import ShardRecord

EXHAUSTED: Final = "RetryAttemptsExhausted"
TOO_OLD: Final = "RecordAgeExceeded"

_DAY: Final = 86_400.0
"""How many seconds DynamoDB Streams keeps a record."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of an event source mapping; see `EventSourceMapping`.

    Attributes:
        report: whether Lambda reads the failures that a function reports.
        bisect: whether Lambda halves a batch after an error.
        retries: the most retries; -1: no limit.
        age: the most seconds that a record may wait; -1: until the stream drops it.
    """

    report: bool
    bisect: bool
    retries: int
    age: float

    @property
    def longest(self) -> float:
        """The most seconds that a record may wait."""
        return _DAY if self.age < 0 else min(self.age, _DAY)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that Lambda passes to a function in one call.

    Attributes:
        records: the records, in the order of the shard.
        read_at: when Lambda read them, in seconds of the mapping's clock.
        retries: number of retries used so far.
        calls: number of calls with these records so far.
        error: the error of the last call.
    """

    records: tuple[ShardRecord, ...]
    read_at: float
    retries: int = 0
    calls: int = 0
    error: BaseException | None = None


def answer_error(answer: object) -> Exception | None:
    """Return the error of a call whose result Lambda cannot write as JSON; None: it can.

    Lambda treats such a call as failed, with ``Runtime.MarshalError``.
    """
    try:
        json.dumps(answer, default=_number)
    except (TypeError, ValueError, RecursionError) as error:
        return error
    return None


def failed_from(rules: Rules, batch: Batch, answer: object) -> int | None:
    """Return the index of the lowest record that a function reports as failed; None: all done.

    Args:
        rules: the rules of the mapping.
        batch: the batch with which the function was called.
        answer: the result of the function.

    Raises:
        InputError: the result is not a JSON object. Lambda's documentation does not cover that.
    """
    if not rules.report or answer is None:
        return None
    if not isinstance(answer, dict):
        raise InputError(
            "A function that reports batch item failures must return a dict or None, not "
            f"{shown(answer)}."
        )
    failures = answer.get("batchItemFailures")
    if not failures:
        return None
    if not isinstance(failures, list):
        raise InputError(f"batchItemFailures must be a list, not {shown(failures)}.")
    numbers = [one.number for one in batch.records]
    try:
        return min(numbers.index(_identifier(failure)) for failure in failures)
    except ValueError:
        return 0  # with an identifier that Lambda does not know, the whole batch has failed


def after_success(rules: Rules, batch: Batch, first_failed: int) -> list[Batch]:
    """Return the batches to try next, after a function reported failures.

    With bisecting, splitting a batch does not use a retry. Without it, each try uses one.
    """
    left = replace(batch, records=batch.records[first_failed:], calls=batch.calls + 1, error=None)
    if first_failed == 0:
        return after_failure(rules, batch, None)
    return [left if rules.bisect else replace(left, retries=left.retries + 1)]


def after_failure(rules: Rules, batch: Batch, error: BaseException | None) -> list[Batch]:
    """Return the batches to try next, in order, after a call that failed as a whole."""
    tried = replace(batch, calls=batch.calls + 1, error=error)
    if rules.bisect and len(batch.records) > 1:
        middle = len(batch.records) // 2
        return [
            replace(tried, records=batch.records[:middle]),
            replace(tried, records=batch.records[middle:]),
        ]
    return [replace(tried, retries=tried.retries + 1)]


def reason_to_give_up(rules: Rules, batch: Batch, now: float) -> str | None:
    """Return why Lambda discards a batch; None: it calls the function."""
    if now - batch.read_at > rules.longest:
        return TOO_OLD
    if 0 <= rules.retries < batch.retries:
        return EXHAUSTED
    return None


def failure_record(batch: Batch, reason: str) -> dict[str, Any]:
    """Return the record that Lambda sends to the on-failure destination for a discarded batch."""
    first, last = batch.records[0], batch.records[-1]
    return {
        "requestContext": {
            "requestId": "00000000-0000-0000-0000-000000000000",
            "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:test",
            "condition": reason,
            "approximateInvokeCount": batch.calls,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": None if batch.error is None else "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2026-01-01T12:00:00.000Z",
        "DDBStreamBatchInfo": {
            "shardId": first.shard_id,
            "startSequenceNumber": first.number,
            "endSequenceNumber": last.number,
            "approximateArrivalOfFirstRecord": "2026-01-01T12:00:00Z",
            "approximateArrivalOfLastRecord": "2026-01-01T12:00:00Z",
            "batchSize": len(batch.records),
            "streamArn": first.record.get("eventSourceARN"),
        },
    }


def numbers_of(records: Sequence[ShardRecord]) -> tuple[str, ...]:
    """Return the sequence numbers of records."""
    return tuple(one.number for one in records)


def _number(value: object) -> float:
    """Return a decimal number as Lambda writes it.

    Raises:
        TypeError: another value that is not JSON.
    """
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(
        f"The function returned a value of the class {type(value).__qualname__}, which Lambda "
        "cannot write as JSON (Runtime.MarshalError): return None, or the batch item failures."
    )


def _identifier(failure: object) -> str:
    found = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    return found if isinstance(found, str) else ""

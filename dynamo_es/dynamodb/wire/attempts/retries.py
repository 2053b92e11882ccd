"""Retries: which failures an operation sends again, how long it waits, and when it gives up.

The SDK retries throttling and transport failures. This module retries the rest: conflicts between
transactions, and races that a writer lost.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.wire.attempts.time_limit import seconds_left
from dynamo_es.dynamodb.wire.errors import subject_of, worth_retrying
from dynamo_es.dynamodb.wire.steps import Pause, Request
from dynamo_es.exceptions import (
    ContentionError,
    ServiceError,
    ThrottledError,
    describe_stream,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import Retrying

    from dynamo_es.values import StreamId

_MOST_REPEATS: Final = 20
_MOST_REMEMBERED: Final = 1_000


class Retries:
    """The retries of one operation, until its deadline.

    Args:
        deadline: number of seconds from now after which nothing is tried again.
        stream_id: the stream of the operation, for its errors; None: it has none.
        sleep: waits the given number of seconds.
        monotonic: returns seconds of a monotonic clock.
    """

    __slots__ = ("_begin", "_deadline", "_monotonic", "_seen", "_sleep", "_stream_id")

    def __init__(
        self,
        deadline: float,
        stream_id: StreamId | None,
        sleep: Callable[[float], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._deadline = deadline
        self._stream_id = stream_id
        self._sleep = sleep
        self._monotonic = monotonic
        self._begin = monotonic()
        self._seen: Counter[int] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed, or a Lambda function has no time left."""
        left = seconds_left()
        if left is not None and left <= 0:
            return True
        return self._monotonic() - self._begin >= self._deadline

    def retrying(self) -> Retrying:
        """Return a caller that repeats a request after a conflict, until the deadline."""
        # Imported on the first conflict: most processes never see one, and cold starts count.
        from tenacity import Retrying, retry_if_exception, wait_random_exponential

        return Retrying(
            retry=retry_if_exception(lambda e: isinstance(e, Exception) and worth_retrying(e)),
            stop=lambda _: self.is_over,
            wait=wait_random_exponential(multiplier=0.02, max=1.0),
            sleep=self._sleep,
            reraise=True,
        )

    def pause(self, pause: Pause) -> None:
        """Wait before the next try of an algorithm.

        Raises:
            ThrottledError: the deadline has passed, and DynamoDB still leaves keys out.
            ContentionError: the deadline has passed, and other writers were always faster.
        """
        if self.is_over:
            raise self._given_up(pause)
        from tenacity import RetryCallState, Retrying, wait_random, wait_random_exponential

        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = pause.attempt
        if pause.within is not None:
            self._sleep(wait_random(0, pause.within)(state))
            return
        # Keep it short: a writer that waits longer than an append takes never wins.
        longest = 1.0 if pause.throttled else 0.02
        self._sleep(wait_random_exponential(multiplier=0.001, max=longest)(state))

    def check_progress(self, request: Request | Pause) -> None:
        """Refuse to send the same request again and again after the deadline.

        A long operation may take longer than its deadline, but then each request differs. A
        repeated request is a retry without a limit, for example because items stay unreadable.

        Raises:
            ServiceError: the request was sent too often.
        """
        if isinstance(request, Pause) or not self.is_over:
            return  # a pause has its own deadline
        if self._seen is None or len(self._seen) > _MOST_REMEMBERED:
            self._seen = Counter()
        asked = hash(f"{request.operation} {request.params!r}")
        self._seen[asked] += 1
        if self._seen[asked] > _MOST_REPEATS:
            raise ServiceError(
                request.api_name,
                "NoProgress",
                f"the same request was sent {_MOST_REPEATS} times after the deadline. The stored "
                "items block the operation: inspect them with `dynamo-es log verify`.",
                subject_of(request, self._stream_id),
            )

    def _given_up(self, pause: Pause) -> ServiceError:
        subject = "" if self._stream_id is None else f"stream {describe_stream(self._stream_id)}"
        if pause.throttled:
            return ThrottledError(
                "BatchGetItem",
                "UnprocessedKeys",
                f"DynamoDB left out keys {pause.attempt} times, until the deadline.",
                subject,
            )
        return ContentionError(
            "PutItem",
            "LostRaces",
            f"other writers were faster {pause.attempt} times in a row.",
            subject,
        )


def after_failure(error: Exception, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method whose first call raises a failure that the request already had."""
    failed = [error]

    def call(**params: Any) -> Any:
        if failed:
            raise failed.pop()
        return method(**params)

    return call

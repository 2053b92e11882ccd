"""`LambdaContext`, which Lambda passes to a function, and `Killed`."""

from __future__ import annotations


class Killed(BaseException):
    """The function ended without a reply: it timed out, or its process died.

    Raise it in a handler under test. No ``except Exception`` catches it.
    """


class LambdaContext:
    """The context of a call.

    Args:
        remaining_ms: milliseconds that the function may still run.
        step_ms: how many milliseconds less remain after each call of
            `get_remaining_time_in_millis`.

    Attributes:
        function_name: name of the function.
        aws_request_id: id of the call.
    """

    function_name = "test"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:test"
    memory_limit_in_mb = 128
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self, remaining_ms: int = 60_000, step_ms: int = 0) -> None:
        self._left = remaining_ms
        self._step = step_ms

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that the function may still run."""
        left, self._left = self._left, self._left - self._step
        return left

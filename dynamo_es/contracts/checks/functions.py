"""Refuses asynchronous functions where the library needs plain ones: they would never run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from inspect import (
    isasyncgen,
    isasyncgenfunction,
    isawaitable,
    iscoroutinefunction,
    isgenerator,
    isgeneratorfunction,
)
from typing import Any, Final

from dynamo_es.contracts.checks.arguments import check_callable
from dynamo_es.exceptions import AsynchronousFunctionError, InvalidSubscriptionError
from dynamo_es.wording import shown_function

_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
_TAKE_COROUTINES: Final = {
    "decide": "AsyncRepository",
    "handler": "AsyncProjection",
    "listener": "AsyncListeners",
    "publisher": "AsyncOutbox",
    "read_model": "AsyncProjector",
}
"""For each role of a function, the class of `dynamo_es.aio` that takes a coroutine function."""
_CONTAINERS: Final = (list, tuple, dict, set, frozenset)


def refuse_asynchronous(function: object, role: str) -> None:
    """Raise `AsynchronousFunctionError` if a plain call would not run a function.

    A call of a coroutine function or of a generator function only returns an object, which the
    library does not run. The check also finds such functions in a ``functools.partial``, as a
    method and as the ``__call__`` of an object. It cannot look into a lambda; `refuse_unfinished`
    checks what the lambda returns.

    Args:
        function: the function to check; it is not called.
        role: role of the function, the subject of the message: "A handler".
    """
    for candidate in _called(function):
        if iscoroutinefunction(candidate) or isasyncgenfunction(candidate):
            raise _refusal(function, role, "is asynchronous")
        if isgeneratorfunction(candidate):
            raise _refusal(function, role, "is a generator")


def check_injected(**functions: object) -> None:
    """Raise unless each of these clocks, sleeps and other functions is a plain function.

    Raises:
        InputError: one is not callable; the message says its name.
        AsynchronousFunctionError: one is asynchronous, such as ``asyncio.sleep``.
    """
    for label, function in functions.items():
        check_callable(label, function)
        refuse_asynchronous(function, label)


def check_stop(stop: object) -> None:
    """Raise `InvalidSubscriptionError` unless ``stop`` works like a `threading.Event`."""
    for name in ("is_set", "wait"):
        method = getattr(stop, name, None)
        check_callable(f"stop.{name}", method, InvalidSubscriptionError)
        refuse_asynchronous(method, f"stop.{name}")


def refuse_unfinished(returned: object, function: object, role: str) -> None:
    """Raise `AsynchronousFunctionError` if a function returned an object that has yet to run.

    Such an object is an awaitable, the future of an executor, an asynchronous generator, or an
    iterator, such as a generator or a map. It may be an entry of a list, tuple, dict or set. It is
    closed or cancelled, so that Python does not warn that it was never awaited.

    Args:
        returned: the object that the function returned.
        function: the function, for the message.
        role: role of the function, the subject of the message: "A handler".
    """
    # Most functions return None or a plain value: they skip the slow checks below.
    if type(returned) in _PLAIN:
        return
    entries = [returned, *returned] if isinstance(returned, _CONTAINERS) else [returned]
    if isinstance(returned, dict):
        entries += returned.values()
    reasons = [
        reason for entry in entries if type(entry) not in _PLAIN and (reason := _stopped(entry))
    ]
    if reasons:
        raise _refusal(function, role, reasons[0])


def _stopped(returned: Any) -> str:
    """Close an object that has yet to run, and return what is wrong with it; "" for others."""
    from concurrent.futures import Future  # imported late: few processes need it

    if isawaitable(returned) or isasyncgen(returned) or isinstance(returned, Future):
        _close(returned)
        return "is asynchronous"
    if isinstance(returned, Iterator):
        if isgenerator(returned):
            returned.close()
        return "returned an iterator"
    return ""


def _called(function: Any) -> list[object]:
    """Return the functions that may run when a value is called."""
    while isinstance(function, partial):
        function = function.func
    if isinstance(function, type):
        return []
    return [function, type(function).__call__]


def _close(returned: Any) -> None:
    for name in ("close", "cancel"):
        method = getattr(returned, name, None)
        if method is not None:
            method()
            return


def _refusal(function: object, role: str, reason: str) -> AsynchronousFunctionError:
    taker = _TAKE_COROUTINES.get(role.lower().removeprefix("a "))
    instead = "" if taker is None else f", or use dynamo_es.aio.{taker}, which awaits it"
    return AsynchronousFunctionError(
        f"{role} {reason}: {shown_function(function)} would never run, because the library "
        "does not await it. Give a plain function that returns when its work is done, such as one "
        f"that calls asyncio.run{instead}."
    )

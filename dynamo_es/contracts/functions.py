"""Checks of functions that you give to the library: an asynchronous one would never run."""

from __future__ import annotations

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

from dynamo_es.contracts.checks import check_callable
from dynamo_es.exceptions import AsynchronousFunctionError, InvalidSubscriptionError
from dynamo_es.wording import shown_function

_PLAIN: Final = frozenset({bool, int, float, str, bytes, list, tuple, dict, set})


def refuse_asynchronous(function: object, role: str) -> None:
    """Raise `AsynchronousFunctionError` if calling a function would not run it.

    A coroutine function, an asynchronous generator and a generator only return an object, which
    the library does not run. The check sees them in a ``functools.partial``, in a method and in an
    object with such a ``__call__``. `refuse_unfinished` sees a lambda around one when it returns.

    Args:
        function: the function, which is called later.
        role: role of the function, the subject of the message: "A handler".
    """
    for candidate in _called(function):
        if iscoroutinefunction(candidate) or isasyncgenfunction(candidate):
            raise _refusal(function, role, "is asynchronous")
        if isgeneratorfunction(candidate):
            raise _refusal(function, role, "is a generator")


def check_stop(stop: object) -> None:
    """Raise `InvalidSubscriptionError` unless ``stop`` can stop a run, as a threading.Event can."""
    for name in ("is_set", "wait"):
        method = getattr(stop, name, None)
        check_callable(f"stop.{name}", method, InvalidSubscriptionError)
        refuse_asynchronous(method, f"stop.{name}")


def refuse_unfinished(returned: object, function: object, role: str) -> None:
    """Raise `AsynchronousFunctionError` if a function returned an object that has yet to run.

    Such an object is an awaitable, an asynchronous generator or a generator. It is closed, so that
    Python does not warn that it was never awaited.

    Args:
        returned: the object that the function returned.
        function: the function.
        role: role of the function, the subject of the message: "A handler".
    """
    # Most functions return None or a plain value: they skip the slow checks below.
    if returned is None or type(returned) in _PLAIN:
        return
    if isawaitable(returned) or isasyncgen(returned):
        _close(returned)
        raise _refusal(function, role, "is asynchronous")
    if isgenerator(returned):
        returned.close()
        raise _refusal(function, role, "is a generator")


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
    return AsynchronousFunctionError(
        f"{role} {reason}: {shown_function(function)} would never run, because the library "
        "does not await it. "
        "Give a plain function that returns when its work is done, such as one that calls "
        "asyncio.run."
    )

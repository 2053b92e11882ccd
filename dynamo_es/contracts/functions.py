"""The checks of functions that are called by the library: what would never run is refused."""

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

_PLAIN: Final = frozenset({bool, int, float, str, bytes, list, tuple, dict, set})


def refuse_asynchronous(function: object, role: str) -> None:
    """Raise `AsynchronousFunctionError` if calling a function would not run it.

    A coroutine function, an asynchronous generator and a generator only return an object that
    nobody here would run. They are found in a ``functools.partial``, in a method and in an object
    with such a ``__call__``. A lambda around one is found when it returns: see `refuse_unfinished`.

    Args:
        function: to be called later.
        role: what it is, as a sentence begins with it: "A handler".
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
        refuse_asynchronous(method, "What stops a run")


def refuse_unfinished(returned: object, function: object, role: str) -> None:
    """Raise `AsynchronousFunctionError` if what a function returned is still to be run.

    That is an awaitable, an asynchronous generator or a generator. It is closed, so that Python
    does not warn that it was never awaited.

    Args:
        returned: by the function.
        function: that was called.
        role: what it is, as a sentence begins with it: "A handler".
    """
    # Most return None or a plain value: they need no look into abstract classes.
    if returned is None or type(returned) in _PLAIN:
        return
    if isawaitable(returned) or isasyncgen(returned):
        _close(returned)
        raise _refusal(function, role, "is asynchronous")
    if isgenerator(returned):
        returned.close()
        raise _refusal(function, role, "is a generator")


def _called(function: Any) -> list[object]:
    """Return what may run when a value is called: what a partial is around, and its method."""
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
        f"{role} {reason}: {function!r} would never run, because nobody waits for what it returns. "
        "Give a plain function that returns when all is done, such as one that calls asyncio.run."
    )

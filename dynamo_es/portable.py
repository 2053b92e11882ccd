"""Makes exceptions survive `pickle` and `copy`, so that they can cross process borders.

Python restores a pickled exception by calling its class with the message alone. That fails if the
class takes other arguments. These functions restore the message, attributes, notes and causes.
"""

from __future__ import annotations

import copy
from typing import Any, Final, TypeVar

ErrorT = TypeVar("ErrorT", bound=BaseException)

_PLAIN: Final = (str, int, float, bool, bytes, type(None))
_LINKS: Final = ("__cause__", "__context__", "__suppress_context__")


def reduce_error(error: BaseException) -> tuple[Any, ...]:
    """Return the parts from which `pickle` restores an error: ``__reduce__`` of our errors.

    An attribute that cannot be pickled becomes its ``repr``. A cause that cannot be pickled becomes
    a `RemoteError` with its text. So every error can be pickled.
    """
    state = {name: _portable(value) for name, value in vars(error).items()}
    hidden = error.__suppress_context__
    state["__cause__"] = _portable_error(error.__cause__)
    # Tracebacks do not show a suppressed context, so it is not worth its bytes.
    state["__context__"] = None if hidden else _portable_error(error.__context__)
    state["__suppress_context__"] = hidden
    return _bare, (type(error), error.args), state


def copy_error(error: ErrorT) -> ErrorT:
    """Return a shallow copy of an error: ``__copy__`` of our errors."""
    return _restored(error, vars(error))


def deepcopy_error(error: ErrorT, memo: dict[int, Any]) -> ErrorT:
    """Return a copy of an error with its own attributes: ``__deepcopy__`` of our errors.

    Its causes are shared, not copied.
    """
    attributes = {name: _deep_copy(value, memo) for name, value in vars(error).items()}
    return _restored(error, attributes)


class RemoteError(Exception):
    """Stands for a cause that cannot be pickled; it has the cause's class name and text.

    Attributes:
        kind: full name of the cause's class.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind

    __reduce__ = reduce_error


def _bare(kind: type[ErrorT], args: tuple[Any, ...]) -> ErrorT:
    """Create an error without calling its ``__init__``."""
    error = kind.__new__(kind, *args)
    error.args = args
    return error


def _restored(error: ErrorT, attributes: dict[str, Any]) -> ErrorT:
    again = _bare(type(error), error.args)
    vars(again).update(attributes)
    for name in _LINKS:
        setattr(again, name, getattr(error, name))
    return again


def _portable(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    import pickle

    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301 - pickled in this very line
    except Exception:  # noqa: BLE001 - whatever its own code raises
        return _described(value)
    return value


def _portable_error(error: BaseException | None) -> BaseException | None:
    if error is None or type(error).__reduce__ is reduce_error:
        return error
    import pickle

    try:
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled in this very line
        same = type(again) is type(error) and str(again) == str(error)
    except Exception:  # noqa: BLE001 - whatever its own code raises
        same = False
    if same:
        return error
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return RemoteError(kind, str(error))


def _deep_copy(value: Any, memo: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # noqa: BLE001 - a lock, a socket: shared, as in a shallow copy
        return value


def _described(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a broken repr must not hide the error
        return f"<{type(value).__qualname__}>"

"""Describes errors for logs and stored entries without quoting values of an event."""

from __future__ import annotations

import re
from pathlib import PurePath
from traceback import extract_tb, format_list
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.exceptions import RedactedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from traceback import FrameSummary

_PACKAGE: Final = __name__.partition(".")[0]
_CODE: Final = re.compile(r"[A-Za-z0-9._]{1,100}")
_FRAMES: Final = 3


def describe_error(error: BaseException) -> str:
    """Return one line with the class of an error and the places where it was raised.

    Example: ``KeyError at balances.py:31 in apply``. The error's own text is left out, because it
    may quote an event. Errors that this library raises do not quote events, so their text is kept.
    The code of an AWS error is kept too.
    """
    name = _name_of(error)
    if _is_ours(error):
        return f"{name}: {error}"
    if code := _code_of(error):
        name = f"{name} ({code})"
    places = [
        f"{PurePath(frame.filename).name}:{frame.lineno} in {frame.name}"
        for frame in _frames(error)
        if not _is_file_of_ours(frame)
    ]
    shown = list(dict.fromkeys(places))[-_FRAMES:]  # an error raised again has a place twice
    return f"{name} at {', '.join(shown)}" if shown else name


def redacted(error: BaseException, text: str | None = None) -> RedactedError:
    """Return an error to attach as a cause in place of one that may quote an event.

    Raise your own error after the ``except`` clause. Within it, Python would attach the original
    error too.

    Args:
        error: the original error, which does not change.
        text: message of the returned error, without values of an event; None: the result of
            `describe_error`.
    """
    return RedactedError(text or describe_error(error)).with_traceback(error.__traceback__)


def trace_error(error: BaseException) -> str:
    """Return the tracebacks of an error and its causes, without their texts."""
    return "\n".join(_trace(error))


def _trace(error: BaseException | None) -> Iterator[str]:
    seen: set[int] = set()
    title = ""
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield f"{title}{describe_error(error)}"
        yield "".join(format_list(_frames(error))).rstrip()
        title = "Caused by "
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _name_of(error: BaseException) -> str:
    return type(error).__qualname__.encode(errors="replace").decode()


def _is_ours(error: BaseException) -> bool:
    """Return whether this library raised an error, and so wrote its text.

    The class is not enough: an application may raise our errors too, with values of events.
    """
    if type(error).__module__.partition(".")[0] != _PACKAGE:
        return False
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] == _PACKAGE


def _is_file_of_ours(frame: FrameSummary) -> bool:
    return _PACKAGE in PurePath(frame.filename).parts[:-1]


def _frames(error: BaseException) -> list[FrameSummary]:
    return list(extract_tb(error.__traceback__))


def _code_of(error: BaseException) -> str:
    response: Any = getattr(error, "response", None)
    details = response.get("Error") if isinstance(response, dict) else None
    code = details.get("Code") if isinstance(details, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""

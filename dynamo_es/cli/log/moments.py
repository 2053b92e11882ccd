"""Times on the command line: ``2h`` ago, or a date with a time and a time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PARTS: Final = re.compile(r"(?:\d{1,9}[smhdw])+", re.ASCII)
_PART: Final = re.compile(r"(\d+)([smhdw])", re.ASCII)


def moment_of(option: str, text: str, now: datetime) -> datetime:
    """Return the time that an option names.

    Args:
        option: name of the option, for messages.
        text: how long ago, such as ``90s``, ``2h`` or ``1d12h``; or a time in ISO 8601 with a zone,
            such as ``2026-11-26T08:00Z`` or ``2026-11-26T09:00+01:00``.
        now: the current time.

    Raises:
        typer.BadParameter: the text is neither, has no time zone, or is before the year 1.
    """
    if _PARTS.fullmatch(text):
        ago = {_UNITS[unit]: 0 for _, unit in _PART.findall(text)}
        for number, unit in _PART.findall(text):
            ago[_UNITS[unit]] += int(number)
        try:
            return now - timedelta(**ago)
        except OverflowError:
            raise typer.BadParameter(f"{option} {text!r} is too long ago.") from None
    try:
        moment = datetime.fromisoformat(text)
        if moment.utcoffset() is not None:
            return moment.astimezone(UTC)
    except (OverflowError, ValueError):
        pass
    else:
        raise typer.BadParameter(
            f"{option} {text!r} has no time zone: add Z for UTC, as in 2026-11-26T08:00Z."
        )
    raise typer.BadParameter(
        f"{option} must be a time such as 2026-11-26T08:00Z, or how long ago, such as 2h, 90m or "
        f"1d12h, not {text!r}."
    )

"""Adds the correlation id of an event to log records.

JSON formatters, such as that of Lambda, write the attributes of a record as members of the line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME: Final = "correlation_id"
_MOST_CHARACTERS: Final = 128


def correlated(context: object) -> Mapping[str, str]:
    """Return the log record attributes for an event; empty if it has no correlation id.

    Args:
        context: the event's context, stored or loaded. Its other fields are values of the event and
            are never logged.
    """
    found = context.get(_NAME) if isinstance(context, dict) else getattr(context, _NAME, None)
    if found is None or not str(found):
        return {}
    return {_NAME: str(found)[:_MOST_CHARACTERS]}

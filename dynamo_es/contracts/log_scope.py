"""The scope of a log: one log for all tenants, or one for each.

It is a module of its own because every process loads it at its start.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

from dynamo_es.exceptions import ConfigurationError
from dynamo_es.wording import shown

LogScope: TypeAlias = Literal["table", "tenant"]
"""``"table"``: one log holds the events of all tenants. ``"tenant"``: each tenant has its own."""

LOG_SCOPES: Final[tuple[LogScope, ...]] = get_args(LogScope)


def is_per_tenant(log_scope: LogScope) -> bool:
    """Return whether each tenant has a log of its own.

    Raises:
        ConfigurationError: it is not a scope.
    """
    if log_scope not in LOG_SCOPES:
        raise ConfigurationError(
            f"log_scope must be one of {', '.join(LOG_SCOPES)}, not {shown(log_scope, str)}."
        )
    return log_scope == "tenant"

"""Whose events a log holds. A module of its own: every start of a process reads it."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

from dynamo_es.exceptions import ConfigurationError
from dynamo_es.wording import shown

LogScope: TypeAlias = Literal["table", "tenant"]
"""Whose events a log holds: those of all tenants, or of one."""

LOG_SCOPES: Final[tuple[LogScope, ...]] = get_args(LogScope)


def is_per_tenant(log_scope: LogScope) -> bool:
    """Return whether each tenant has a log of its own.

    Raises:
        ConfigurationError: not a scope.
    """
    if log_scope not in LOG_SCOPES:
        raise ConfigurationError(
            f"log_scope must be one of {', '.join(LOG_SCOPES)}, not {shown(log_scope, str)}."
        )
    return log_scope == "tenant"

"""A moment at which botocore signs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import botocore.auth

if TYPE_CHECKING:
    from datetime import datetime


def botocore_at(now: datetime) -> Any:
    """Return a context in which botocore takes a time without a zone for the present one."""
    if hasattr(botocore.auth, "get_current_datetime"):
        return patch("botocore.auth.get_current_datetime", lambda **_: now)
    # Older releases ask the class.
    stands = SimpleNamespace(utcnow=lambda: now, strptime=type(now).strptime)
    return patch("botocore.auth.datetime", SimpleNamespace(datetime=stands))

"""Makes clients as in production: without the handler that moto gives to every client."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

import botocore.handlers

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def without_moto() -> AbstractContextManager[object]:
    """Keep moto's handler off the clients that are made meanwhile.

    The default transport leaves the requests to botocore where it finds a handler of somebody else.
    """
    handlers = [entry for entry in botocore.handlers.BUILTIN_HANDLERS if entry[0] != "before-send"]
    return patch.object(botocore.handlers, "BUILTIN_HANDLERS", handlers)

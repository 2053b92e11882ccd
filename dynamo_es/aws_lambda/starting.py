"""Does the slow part of a function's start while its module is imported, before the first call.

Lambda gives a function all of a machine's CPU while its module is imported, and does not count that
time towards the function's time-out.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.environment import FUNCTION_NAME, HANDLER
from dynamo_es.exceptions import EventStoreError

if TYPE_CHECKING:
    from dynamo_es.facade.backend import Backend

_log = logging.getLogger("dynamo_es")


def prepare_in_function(backend: Backend) -> None:
    """Prepare a backend if this process is a Lambda function; elsewhere, do nothing.

    An error here is only logged: the first request tries again, and raises it.
    """
    if FUNCTION_NAME.read() is None:
        return
    try:
        backend.prepare()
    except EventStoreError as error:
        _log.debug("Could not prepare the backend; its first request will: %s", trace_error(error))


def is_handler_of_function(module: str) -> bool:
    """Return whether this process is a Lambda function that runs the ``handler`` of a module."""
    return (HANDLER.read() or "").replace("/", ".") == f"{module}.handler"

"""Does the slow part of a function's start while its module is imported, and not in its first call.

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

    An error is left to the first request, which raises it again.
    """
    if FUNCTION_NAME.read() is None:
        return
    try:
        backend.prepare()
    except EventStoreError as error:
        _log.debug("The backend is prepared by its first request: %s", trace_error(error))


def is_handler_of_function(module: str) -> bool:
    """Whether this process is a Lambda function with the ``handler`` of a module."""
    return (HANDLER.read() or "").replace("/", ".") == f"{module}.handler"

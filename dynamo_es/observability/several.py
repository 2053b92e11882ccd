"""Several observers in the place of one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dynamo_es.contracts.error_texts import trace_error

if TYPE_CHECKING:
    from dynamo_es.contracts import Observer, OperationReport

_log = logging.getLogger("dynamo_es")


def observers(*several: Observer) -> Observer:
    """Return an observer that tells each of these, in their order, whatever one of them raises."""

    def tell(report: OperationReport, /) -> None:
        for observer in several:
            try:
                observer(report)
            except Exception as error:  # noqa: BLE001 - the others are to be told, too
                _log.error(
                    "The observer %r failed on %s: %s",
                    observer,
                    report.operation,
                    trace_error(error),
                )

    return tell

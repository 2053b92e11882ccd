"""Metrics and traces of a backend's operations.

=====================  =====================================================================
observer               what it does with each operation's report
=====================  =====================================================================
`EmfMetrics`           writes CloudWatch metrics as lines of JSON; needs no library
`OpenTelemetry`        makes a span; needs the extra ``otel``
`observers`            passes it to several observers
=====================  =====================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es.observability.emf import EmfMetrics
    from dynamo_es.observability.reports import observers
    from dynamo_es.observability.tracing import OpenTelemetry
else:
    from dynamo_es.lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "EmfMetrics": ".emf",
            "OpenTelemetry": ".tracing",
            "observers": ".reports",
        },
    )

__all__ = ["EmfMetrics", "OpenTelemetry", "observers"]

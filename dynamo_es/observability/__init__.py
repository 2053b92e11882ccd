"""What a backend does, as metrics and as traces.

=====================  =====================================================================
observer               what becomes of the report of each operation
=====================  =====================================================================
`EmfMetrics`           CloudWatch metrics, as lines of JSON in the function's log; no library
`OpenTelemetry`        spans of OpenTelemetry; extra ``otel``
`observers`            several of them at once
=====================  =====================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es.observability.emf import EmfMetrics
    from dynamo_es.observability.several import observers
    from dynamo_es.observability.tracing import OpenTelemetry

__all__ = ["EmfMetrics", "OpenTelemetry", "observers"]

_HOMES = {"EmfMetrics": "emf", "OpenTelemetry": "tracing", "observers": "several"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value

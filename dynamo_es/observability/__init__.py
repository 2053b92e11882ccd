"""Metrics and traces of a backend's operations.

=====================  =====================================================================
observer               what it does with the report of each operation
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

__all__ = ["EmfMetrics", "OpenTelemetry", "observers"]

_HOMES = {"EmfMetrics": "emf", "OpenTelemetry": "tracing", "observers": "reports"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value

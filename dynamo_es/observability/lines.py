"""Lines of CloudWatch's embedded metric format.

Source: CloudWatch's "Specification: Embedded metric format".
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def metric_line(
    namespace: str,
    dimensions: Mapping[str, str],
    metrics: Mapping[str, Any],
    now: float,
    units: Mapping[str, str],
    details: Mapping[str, Any],
) -> str:
    """Return a line of JSON that CloudWatch turns into metrics.

    Args:
        namespace: namespace of the metrics.
        dimensions: names and values; every metric of the line has all of them.
        metrics: each metric's value, or list of values.
        now: seconds since the epoch.
        units: units other than ``Count``, by metric.
        details: other members of the line, which are not metrics.
    """
    return json.dumps(
        {
            "_aws": {
                "Timestamp": int(now * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": namespace,
                        "Dimensions": [[*dimensions]],
                        "Metrics": [
                            {"Name": metric, "Unit": units.get(metric, "Count")}
                            for metric in metrics
                        ],
                    }
                ],
            },
            **dimensions,
            **metrics,
            **details,
        },
        ensure_ascii=False,
    )


def print_line(line: str) -> None:
    """Print a line in one call, so that lines of several threads do not mix."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()

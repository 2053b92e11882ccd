"""All probes, by subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.engines.probes import (
    batches,
    capacity,
    conditions,
    expressions,
    limits,
    queries,
    statements,
    streams,
    tables,
    transactions,
    values,
)

if TYPE_CHECKING:
    from tests.engines.probe import Probe

BY_SUBJECT: Final[dict[str, list[Probe]]] = {
    "Conditions": conditions.PROBES,
    "Transactions": transactions.PROBES,
    "Limits": limits.PROBES,
    "Values": values.PROBES,
    "Expressions": expressions.PROBES,
    "Queries": queries.PROBES,
    "Batches": batches.PROBES,
    "Statements": statements.PROBES,
    "Capacity": capacity.PROBES,
    "Tables": tables.PROBES,
    "Streams": streams.PROBES,
}

PROBES: Final = [probe for probes in BY_SUBJECT.values() for probe in probes]

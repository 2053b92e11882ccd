"""What an observer of a backend is told: one report per operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dynamo_es.values import StreamId, TenantId


@dataclass(frozen=True, slots=True)
class OperationReport:
    """What one operation cost.

    Attributes:
        operation: of streams, ``append``, ``load``, ``head``, ``save_snapshot``, ``delete``; of
            keys, ``get_key``, ``create_key``, ``delete_key``; of the log, ``sequence``,
            ``position``, ``read_log``, ``read_markers``, ``streams``, ``look_further``; of
            consumers, ``checkpoint``, ``checkpoints``, ``move_checkpoint``, ``reset_checkpoint``,
            ``cursor``, ``claim``, ``renew_claim``, ``release_claim``, and ``outbox_…`` with
            ``look``, ``take``, ``settle``, ``move``, ``fail``, ``release``, ``entries`` or
            ``retry``.
        tenant_id: the tenant it ran for.
        stream_id: the stream, where it is about one.
        requests: API calls made by the operation.
        attempts: HTTP attempts, retries of the SDK included; ``requests`` or more.
        read_units: read units consumed as DynamoDB reports them; None unless asked for
            (``DynamoConfig(report_capacity=True)``).
        write_units: write units consumed, likewise.
        bytes_written: bytes of the items sent, by DynamoDB's size rules, without retries.
        bytes_read: bytes of the responses' bodies.
        duration: seconds from call to return.
        error: the error it ended with; None on success.
    """

    operation: str
    tenant_id: TenantId
    stream_id: StreamId | None
    requests: int
    attempts: int
    read_units: float | None
    write_units: float | None
    bytes_written: int
    bytes_read: int
    duration: float
    error: BaseException | None


class Observer(Protocol):
    """Called after each operation, in the thread that ran it; its errors are logged, not raised."""

    def __call__(self, report: OperationReport, /) -> None:
        """Take the report of one operation."""

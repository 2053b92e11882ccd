"""`Observer`: called with an `OperationReport` after each operation of a backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dynamo_es.values import StreamId, TenantId


@dataclass(frozen=True, slots=True)
class OperationReport:
    """The cost of one operation.

    Attributes:
        operation: of streams, ``append``, ``load``, ``head``, ``save_snapshot``, ``delete``; of
            keys, ``get_key``, ``create_key``, ``delete_key``; of the log, ``sequence``,
            ``position``, ``read_log``, ``read_markers``, ``streams``, ``look_further``; of
            consumers, ``checkpoint``, ``checkpoints``, ``move_checkpoint``, ``fail_checkpoint``,
            ``reset_checkpoint``, ``cursor``, ``take_cursor``, ``renew_cursor``,
            ``release_cursor``, ``find_consumers``, and ``outbox_…`` with ``look``, ``take``,
            ``remove``, ``move``, ``fail``, ``release``, ``entries``, ``retry`` or ``reset``.
        tenant_id: tenant of the operation.
        stream_id: stream of the operation; None if it is about no single stream.
        requests: API calls.
        attempts: HTTP attempts, with the SDK's retries; ``requests`` or more.
        read_units: consumed read units that DynamoDB reports; None without
            ``DynamoConfig(report_capacity=True)``.
        write_units: consumed write units, likewise.
        bytes_written: bytes of the items sent, by DynamoDB's size rules, without retries.
        bytes_read: bytes of the replies' bodies.
        duration: seconds from call to return.
        error: the error that the operation raised; None on success.
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
    """Called after each operation, in its thread; the library logs its errors, and goes on."""

    def __call__(self, report: OperationReport, /) -> None:
        """Handle the report of one operation."""

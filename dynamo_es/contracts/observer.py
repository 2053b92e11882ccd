"""`Observer`: called with an `OperationReport` after each operation of a backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dynamo_es.values import StreamId, TenantId


@dataclass(frozen=True, slots=True)
class OperationReport:
    """Says what one operation did and what it cost.

    Attributes:
        operation: name of the operation. Of streams: ``append``, ``append_many``, ``load``,
            ``head``, ``save_snapshot``, ``load_states``, ``save_state``, ``delete``. Of keys:
            ``get_key``, ``create_key``, ``delete_key``. Of the log: ``sequence``, ``set_aside``,
            ``position``, ``read_log``, ``read_markers``, ``streams``, ``list_categories``,
            ``look_further``. Of consumers: ``checkpoint``, ``checkpoints``, ``move_checkpoint``,
            ``fail_checkpoint``, ``reset_checkpoint``, ``apply_projection``, ``cursor``,
            ``take_cursor``, ``renew_cursor``, ``release_cursor``, ``apply_projector``,
            ``find_consumers``, and ``outbox_`` followed by ``look``, ``take``, ``remove``,
            ``move``, ``fail``, ``release``, ``entries``, ``retry`` or ``reset``. Adapters, and the
            commands that verify and repair the log, have names of their own.
        tenant_id: tenant of the operation.
        stream_id: stream of the operation; None if it is not about a single stream.
        requests: number of API calls.
        attempts: number of HTTP attempts, including the SDK's retries; ``requests`` or more.
        read_units: consumed read units that DynamoDB reports; None without
            ``DynamoConfig(report_capacity=True)``.
        write_units: consumed write units that DynamoDB reports; None as for ``read_units``.
        bytes_written: bytes of the items sent, by DynamoDB's size rules, without retries.
        bytes_read: bytes of the replies' bodies.
        duration: seconds from the call to the return.
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
    """A function that gets a report after each operation, in the thread of the operation.

    The library logs an error that the observer raises, and goes on. Example::

        def observe(report: OperationReport) -> None:
            print(report.operation, report.requests, report.duration)

        backend = DynamoBackend(config, observer=observe)
    """

    def __call__(self, report: OperationReport, /) -> None:
        """Handle the report of one operation."""

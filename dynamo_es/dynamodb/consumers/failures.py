"""The attributes of a consumer's item that hold its failure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.consumers.failures import ConsumerFailure
from dynamo_es.dynamodb.wire.steps import number

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.failures import NewFailure
    from dynamo_es.dynamodb.wire.steps import Item

FORGET: Final = "failed_place, failed_attempts, failed_reason, failed_at, failed_after"
"""The attributes of a failure, for a ``REMOVE``."""


def store_failure(failure: NewFailure, values: dict[str, Any], *, again: bool) -> str:
    """Return the assignments that store a failure.

    Args:
        failure: the failure to store.
        values: a dict to which the values of the assignments are added.
        again: whether the stored failure, if any, is of the same event.
    """
    values |= {
        ":place": number(failure.place),
        ":reason": {"S": failure.reason},
        ":failed_at": number(failure.at_ms),
        ":one": number(1),
    }
    attempts = ":one"
    if again:
        values[":none"] = number(0)
        attempts = "if_not_exists(failed_attempts, :none) + :one"
    return (
        f"failed_place = :place, failed_attempts = {attempts}, failed_reason = :reason, "
        "failed_at = :failed_at"
    )


def read_failure(item: Item) -> ConsumerFailure | None:
    """Return the failure that an item holds; None without one."""
    if "failed_place" not in item:
        return None
    return ConsumerFailure(
        place=int(item["failed_place"]["N"]),
        attempts=int(item["failed_attempts"]["N"]),
        reason=item["failed_reason"]["S"],
        failed_at=datetime.fromtimestamp(int(item["failed_at"]["N"]) / 1000, UTC),
    )

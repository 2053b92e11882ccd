"""Makes AWS errors as botocore raises them."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError


def reply(code, message="It is so.", status=400, **more: Any) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return ClientError(response, "PutItem")


def cancelled(*reasons: str | dict[str, Any]) -> ClientError:
    """Return a cancelled transaction, with the reason of each of its writes."""
    return reply(
        "TransactionCanceledException",
        "Transaction cancelled",
        CancellationReasons=[
            {"Code": reason} if isinstance(reason, str) else reason for reason in reasons
        ],
    )

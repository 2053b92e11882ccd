"""Records every API call of a client with its parameters, and every HTTP attempt."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynamo_es.dynamodb.wire.partiql.statements import inserted_items
from dynamo_es.dynamodb.wire.sizes import item_size, write_units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(slots=True)
class Recording:
    """The calls of one client, in order.

    Attributes:
        calls: API operation and parameters, such as ``("PutItem", {…})``.
        attempts: HTTP requests, those of the SDK's retries included.
    """

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    attempts: int = 0

    @property
    def operations(self) -> list[str]:
        """The API operations alone."""
        return [operation for operation, _ in self.calls]

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items put, in order."""
        found = []
        for _, params in self.calls:
            if "Item" in params:
                found.append(params["Item"])
            found += [
                entry["Put"]["Item"] for entry in params.get("TransactItems", ()) if "Put" in entry
            ]
            found += inserted_items(params.get("Statements", ()))
        return found

    @property
    def write_units(self) -> int:
        """The write units of what was put or checked to be absent, by DynamoDB's size rules."""
        checks = self.checks
        transactional = len(self.items) + checks > 1
        return 2 * checks + sum(
            write_units(item_size(item), transactional=transactional) for item in self.items
        )

    @property
    def checks(self) -> int:
        """The condition checks of transactions."""
        entries = [entry for _, params in self.calls for entry in params.get("TransactItems", ())]
        return sum("ConditionCheck" in entry for entry in entries)


@contextmanager
def recording(client: DynamoDBClient) -> Iterator[Recording]:
    """Record what a client sends within the context."""
    record = Recording()

    def note_call(params: dict[str, Any], model: Any, **_: Any) -> None:
        record.calls.append((model.name, dict(params)))

    def note_attempt(**_: Any) -> None:
        record.attempts += 1

    events = client.meta.events
    events.register("provide-client-params.dynamodb", note_call)
    events.register_first("before-send.dynamodb", note_attempt)
    try:
        yield record
    finally:
        events.unregister("provide-client-params.dynamodb", note_call)
        events.unregister("before-send.dynamodb", note_attempt)

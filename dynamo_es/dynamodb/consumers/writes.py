"""`Writes`: the changes that one event makes to a read model in DynamoDB."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeAlias

from dynamo_es.contracts.consumers.writes import ReturnedWrites
from dynamo_es.exceptions import InvalidEnlistedWriteError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamo_es.dynamodb.wire.steps import Item

Kind: TypeAlias = Literal["put", "update", "add", "delete"]


class Change(NamedTuple):
    """One change of one item, in the wire format.

    Attributes:
        kind: the kind of change.
        table: name of the table.
        key: the item's key attributes.
        values: the other attributes.
    """

    kind: Kind
    table: str
    key: Item
    values: Item


class Writes(ReturnedWrites):
    """The changes that an event makes to a read model: ``Writes().add("balances", key, amounts)``.

    Return it from the handler of a projection with ``writes=True``. The changes that several events
    make to one item become one write. Keys and values are plain values, as for boto3's ``Table``:
    text, int, Decimal, bool, bytes, None, lists, dicts and sets. Each method returns this object.
    """

    def __init__(self) -> None:
        self._changes: list[Change] = []

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes, in their order."""
        return tuple(self._changes)

    def put(self, table: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> Self:
        """Store an item. It replaces an item that exists.

        Args:
            table: name of the table.
            key: the item's partition key, and its sort key if the table has one.
            values: the other attributes.

        Raises:
            InvalidEnlistedWriteError: a value that DynamoDB cannot store, or no key.
        """
        return self._change("put", table, key, values)

    def update(self, table: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> Self:
        """Set attributes of an item, and keep its others. Create the item if it does not exist.

        Args:
            table: name of the table.
            key: the item's key.
            values: the attributes to set, one or more.

        Raises:
            InvalidEnlistedWriteError: a value that DynamoDB cannot store, or no key.
        """
        return self._change("update", table, key, _not_empty("values", values))

    def add(self, table: str, key: Mapping[str, Any], amounts: Mapping[str, int | Decimal]) -> Self:
        """Add numbers to attributes of an item. A missing attribute or item counts as 0.

        Args:
            table: name of the table.
            key: the item's key.
            amounts: what to add to each attribute, negative to subtract.

        Raises:
            InvalidEnlistedWriteError: an amount that is not an int or a Decimal, or no key.
        """
        for name, amount in _not_empty("amounts", amounts).items():
            if type(amount) is not int and not isinstance(amount, Decimal):
                raise InvalidEnlistedWriteError(
                    f"add takes an int or a Decimal for {name!r:.80}, not {type(amount).__name__}."
                )
        return self._change("add", table, key, amounts)

    def delete(self, table: str, key: Mapping[str, Any]) -> Self:
        """Delete an item. Nothing happens if it does not exist.

        Args:
            table: name of the table.
            key: the item's key.

        Raises:
            InvalidEnlistedWriteError: no key.
        """
        return self._change("delete", table, key, {})

    def _change(
        self, kind: Kind, table: str, key: Mapping[str, Any], values: Mapping[str, Any]
    ) -> Self:
        if not isinstance(table, str) or not table:
            raise InvalidEnlistedWriteError(
                f"table must be the name of a table, not {shown(table)}."
            )
        stored_key = _wire("key", _not_empty("key", key))
        stored = _wire("values", values)
        if both := stored_key.keys() & stored.keys():
            raise InvalidEnlistedWriteError(
                f"{min(both)!r:.80} is in the key and in the values: leave it out of the values."
            )
        self._changes.append(Change(kind, table, stored_key, stored))
        return self


def _not_empty(label: str, values: Any) -> Any:
    if not isinstance(values, dict) or not values:
        raise InvalidEnlistedWriteError(
            f'{label} must be a dict with at least one attribute, such as {{"id": "a-1"}}, not '
            f"{type(values).__name__ if not isinstance(values, dict) else 'an empty one'}."
        )
    return values


def _wire(label: str, values: Any) -> Item:
    """Return values in the wire format. An error names the attribute, never its value."""
    from boto3.dynamodb.types import TypeSerializer

    if not isinstance(values, dict):
        raise InvalidEnlistedWriteError(f"{label} must be a dict, not {type(values).__name__}.")
    serializer = TypeSerializer()
    stored: Item = {}
    for name, value in values.items():
        if not isinstance(name, str) or not name:
            raise InvalidEnlistedWriteError(f"{label} has an attribute whose name is not text.")
        try:
            stored[name] = serializer.serialize(value)
        except Exception:  # noqa: BLE001 - several kinds, and their texts quote the value
            raise InvalidEnlistedWriteError(
                f"{label} has {name!r:.80}, which DynamoDB cannot store: write text, int, Decimal, "
                "bool, bytes, None, or lists, dicts and sets of them. A float must be a Decimal."
            ) from None
    return stored

"""Merges the changes that several events make to one item into one write."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.wire.sizes import item_size
from dynamo_es.exceptions import InvalidEnlistedWriteError

if TYPE_CHECKING:
    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.consumers.writes import Change
    from dynamo_es.dynamodb.wire.steps import Item

EXACT: Final = Context(prec=400)
"""Adds without rounding: DynamoDB's numbers have 38 digits, between 1E-130 and 1E+126."""


@dataclass(frozen=True, slots=True)
class Folded:
    """The combined effect of all changes to one item so far.

    Attributes:
        table: name of the table.
        key: the item's key.
        whole: the whole item to put; None: its other attributes are kept.
        deleted: whether the item is deleted.
        changed: attributes to set.
        added: numbers to add.
    """

    table: str
    key: Item
    whole: Item | None = None
    deleted: bool = False
    changed: Item = field(default_factory=dict)
    added: dict[str, Decimal] = field(default_factory=dict)

    def then(self, change: Change) -> Folded:
        """Return the combined effect of these changes and a further one."""
        if change.kind == "put":
            return Folded(self.table, self.key, whole={**self.key, **change.values})
        if change.kind == "delete":
            return Folded(self.table, self.key, deleted=True)
        # An update of an item that does not exist creates it.
        whole = dict(self.key) if self.deleted else self.whole
        if change.kind == "update":
            return self._updated(whole, change.values)
        return self._added_to(whole, change.values)

    def _updated(self, whole: Item | None, values: Item) -> Folded:
        if whole is not None:
            return Folded(self.table, self.key, whole={**whole, **values})
        added = {name: amount for name, amount in self.added.items() if name not in values}
        return replace(self, changed={**self.changed, **values}, added=added)

    def _added_to(self, whole: Item | None, amounts: Item) -> Folded:
        changed, added = dict(self.changed), dict(self.added)
        known = changed if whole is None else {**whole}
        for name, amount in amounts.items():
            if name in known or whole is not None:
                known[name] = _sum(name, known.get(name, {"N": "0"}), amount)
            else:
                added[name] = EXACT.add(added.get(name, Decimal(0)), Decimal(amount["N"]))
        if whole is not None:
            return Folded(self.table, self.key, whole=known)
        return replace(self, changed=changed, added=added)

    @property
    def size(self) -> int:
        """The bytes that DynamoDB counts, as far as they are known here."""
        if self.whole is not None:
            return item_size(self.whole)
        return item_size({**self.key, **self.changed, **_amounts(self.added)})

    def request(self) -> EnlistedWrite:
        """Return the write, as an entry of ``TransactItems``."""
        if self.whole is not None:
            return {"Put": {"TableName": self.table, "Item": self.whole}}
        if self.deleted:
            return {"Delete": {"TableName": self.table, "Key": self.key}}
        names: dict[str, str] = {}
        values: dict[str, Any] = {}
        parts = []
        for verb, sign, attributes in (
            ("SET", " =", self.changed),
            ("ADD", "", _amounts(self.added)),
        ):
            listed = []
            for name, value in attributes.items():
                at = len(names)
                names[f"#{at}"], values[f":{at}"] = name, value
                listed.append(f"#{at}{sign} :{at}")
            if listed:
                parts.append(f"{verb} {', '.join(listed)}")
        return {
            "Update": {
                "TableName": self.table,
                "Key": self.key,
                "UpdateExpression": " ".join(parts),
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
            }
        }


def _amounts(added: dict[str, Decimal]) -> Item:
    return {name: {"N": f"{amount:f}"} for name, amount in added.items()}


def _sum(name: str, there: Any, amount: Any) -> Any:
    if "N" not in there:
        raise InvalidEnlistedWriteError(
            f"add cannot add to {name!r:.80}: an earlier write stored a value that is not a number."
        )
    return {"N": f"{EXACT.add(Decimal(there['N']), Decimal(amount['N'])):f}"}

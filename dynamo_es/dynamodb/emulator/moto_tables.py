"""Makes moto's tables faster: a query reads one partition, and a transaction copies no items.

moto sorts all items of a table for each query. To be able to undo a transaction, it copies the
table once for each write, with all items and stream records. It walks through the syntax tree of an
update ten times, and copies the item twice.
"""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from typing import Any, Final

from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import ConditionalCheckFailed
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

_PROJECTION: Final = 5
"""Index of the projection among the arguments of a query, after the partition's key."""

_SURELY_SMALL: Final = 390_000
"""An item of this many bytes fits into DynamoDB, however its size is counted."""

_ATTRIBUTE: Final = r"#?\w+"
_ASSIGNMENT: Final = rf"{_ATTRIBUTE} ?= ?:\w+"
_SETS_AND_REMOVES: Final = re.compile(
    rf"(?:SET (?P<set>{_ASSIGNMENT}(?:, ?{_ASSIGNMENT})*))? ?"
    rf"(?:REMOVE (?P<removed>{_ATTRIBUTE}(?:, ?{_ATTRIBUTE})*))?"
)


class CheapBackend(DynamoDBBackend):
    """One DynamoDB whose tables are `CheapTable`."""

    def create_table(self, *args: Any, **settings: Any) -> Table:
        """Create a table as moto does, but as a `CheapTable`."""
        table = super().create_table(*args, **settings)
        table.__class__ = CheapTable  # type: ignore[type-abstract]  # like moto's own
        return table

    def update_item(
        self, table_name: str, key: dict[str, dict[str, Any]], *args: Any, **update: Any
    ) -> Item:
        """Update an item as moto does, but keep the old item for copies of the table."""
        table = self.tables.get(table_name)
        if isinstance(table, CheapTable) and key.keys() >= set(table.table_key_attrs):
            keys = self.get_keys_value(table, key)
            if not args and (updated := table.updated(*keys, **update)) is not None:
                return updated
            table.replace_by_copy(*keys)
        return super().update_item(table_name, key, *args, **update)


class CheapTable(Table):
    """A table whose copies share its items, because every change replaces the item."""

    _queried: DynamoType | None = None

    def query(self, hash_key: DynamoType | None, *args: Any, **query: Any) -> Any:
        """Query as moto does, but sort and filter only the items of the partition."""
        if self.has_range_key and not self.all_indexes():
            self._queried = hash_key
        names, args = _without_names(args)
        try:
            items, *rest = super().query(hash_key, *args, **query)
        finally:
            self._queried = None
        return [items if names is None else [_project(item, names) for item in items], *rest]

    def all_items(self) -> list[Item]:
        """Return the items of the queried partition, or outside of a query those of the table."""
        if self._queried is None:
            return super().all_items()
        return list(self.items.get(self._queried, {}).values())

    def updated(  # noqa: PLR0913 - the arguments of moto
        self,
        hash_key: DynamoType,
        range_key: DynamoType | None,
        *,
        update_expression: str,
        expression_attribute_names: dict[str, str] | None,
        expression_attribute_values: dict[str, dict[str, Any]] | None,
        condition_expression: str | None = None,
        return_values_on_condition_check_failure: str | None = None,
        **others: Any,
    ) -> Item | None:
        """Carry out an update that sets whole attributes to values, or removes some.

        It returns None if moto must do it, because the update does something else, is wrong, or the
        item does not exist.

        Raises:
            ConditionalCheckFailed: the condition is not met.
        """
        names, values = expression_attribute_names or {}, expression_attribute_values or {}
        old = self.get_item(hash_key, range_key)
        change = _change_of(update_expression, names, values)
        if old is None or change is None or any(others.values()):
            return None
        changed, removed = change
        fixed = {*self.attribute_keys, *(entry["AttributeName"] for entry in self.attr)}
        if not fixed.isdisjoint(changed) or not fixed.isdisjoint(removed):
            return None
        new = _item_of(old, old.attrs | changed, removed)
        if new.size() > _SURELY_SMALL:
            return None
        if not get_filter_expression(condition_expression, names, values).expr(old):
            if return_values_on_condition_check_failure == "ALL_OLD":
                raise ConditionalCheckFailed(item=old.to_json()["Attributes"])
            raise ConditionalCheckFailed
        self._put(hash_key, range_key, new)
        if self.stream_shard is not None:
            self.stream_shard.add(old, new)
        return new

    def replace_by_copy(self, hash_key: DynamoType, range_key: DynamoType | None) -> None:
        """Replace an item that moto is about to change by a copy."""
        if item := self.get_item(hash_key, range_key):
            self._put(hash_key, range_key, copy.deepcopy(item))

    def _put(self, hash_key: DynamoType, range_key: DynamoType | None, item: Item) -> None:
        if range_key is None:
            self.items[hash_key] = item  # type: ignore[assignment]
        else:
            self.items[hash_key][range_key] = item

    def __deepcopy__(self, memo: dict[int, Any]) -> CheapTable:
        twin: CheapTable = copy.copy(self)
        memo[id(self)] = twin
        for name, value in vars(self).items():
            if name not in {"items", "stream_shard"}:
                setattr(twin, name, copy.deepcopy(value, memo))
        twin.items = defaultdict(dict)
        for key, partition in self.items.items():
            # moto creates an empty partition for each key that it does not find. Leave these out.
            if partition:
                twin.items[key] = dict(partition) if self.has_range_key else partition
        if self.stream_shard is not None:
            twin.stream_shard = copy.copy(self.stream_shard)
            twin.stream_shard.table = twin
            twin.stream_shard.items = list(self.stream_shard.items)
        return twin


def _without_names(args: tuple[Any, ...]) -> tuple[list[str] | None, tuple[Any, ...]]:
    """Remove the projection from the arguments of a query, if it names only whole attributes.

    For each name, moto would convert each item to Python values and back.
    """
    expressions: list[list[str]] | None = args[_PROJECTION]
    if not expressions or any(len(parts) > 1 or "[" in parts[0] for parts in expressions):
        return None, args
    return [name for (name,) in expressions], (*args[:_PROJECTION], None, *args[_PROJECTION + 1 :])


def _project(item: Item, names: list[str]) -> Item:
    return _item_of(item, {name: item.attrs[name] for name in names if name in item.attrs})


def _item_of(
    like: Item, attributes: dict[str, DynamoType], without: frozenset[str] = frozenset()
) -> Item:
    """Return an item with the key of another one."""
    item = Item(like.hash_key, like.range_key, {})
    # Set all at once: for each assignment, moto's dictionary would add up the sizes of all values.
    dict.update(
        item.attrs, {name: value for name, value in attributes.items() if name not in without}
    )
    return item


def _change_of(
    expression: str, names: dict[str, str], values: dict[str, dict[str, Any]]
) -> tuple[dict[str, DynamoType], frozenset[str]] | None:
    """Return the attributes that an update sets, and the names of those that it removes.

    None: the update does something else, or moto must report an error.
    """
    parts = _SETS_AND_REMOVES.fullmatch(expression)
    if parts is None:
        return None
    assigned = [one.replace(" ", "").split("=") for one in (parts["set"] or "").split(",") if one]
    removed = [one.strip() for one in (parts["removed"] or "").split(",") if one]
    targets = [*(name for name, _ in assigned), *removed]
    reserved = ReservedKeywords.get_reserved_keywords()
    if any(name.upper() in reserved or name[0].isdecimal() for name in targets):
        return None
    attributes = [names.get(name, "") if name[0] == "#" else name for name in targets]
    if not targets or "" in attributes or len(set(attributes)) < len(attributes):
        return None
    if any(value not in values for _, value in assigned):
        return None
    changed = [DynamoType(values[value]) for _, value in assigned]
    return (
        dict(zip(attributes[: len(assigned)], changed, strict=True)),
        frozenset(attributes[len(assigned) :]),
    )

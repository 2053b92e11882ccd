"""Makes moto's tables faster: a query reads one partition, a transaction copies no item.

moto sorts all items of a table for each query. Before a transaction it copies the table once for
each of the transaction's writes, with all items and all stream records, to undo them.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table

if TYPE_CHECKING:
    from moto.dynamodb.models.dynamo_type import DynamoType

_PROJECTION: Final = 5
"""The place of the projection among the arguments of a query, after the partition's key."""


class CheapBackend(DynamoDBBackend):
    """One DynamoDB whose tables are `CheapTable`."""

    def create_table(self, *args: Any, **settings: Any) -> Table:
        """Make a table as moto does."""
        table = super().create_table(*args, **settings)
        table.__class__ = CheapTable  # type: ignore[type-abstract]  # as moto's own is
        return table

    def update_item(
        self, table_name: str, key: dict[str, dict[str, Any]], *args: Any, **update: Any
    ) -> Item:
        """Update an item as moto does, but leave the old item to the copies of its table."""
        table = self.tables.get(table_name)
        if isinstance(table, CheapTable) and key.keys() >= set(table.table_key_attrs):
            table.replace_by_copy(*self.get_keys_value(table, key))
        return super().update_item(table_name, key, *args, **update)


class CheapTable(Table):
    """A table whose copies share its items: every change puts another item in the place of one."""

    _queried: DynamoType | None = None

    def query(self, hash_key: DynamoType | None, *args: Any, **query: Any) -> Any:
        """Query as moto does, but sort and filter the items of the partition alone."""
        if self.has_range_key and not self.all_indexes():
            self._queried = hash_key
        names, args = _without_names(args)
        try:
            items, *rest = super().query(hash_key, *args, **query)
        finally:
            self._queried = None
        return [items if names is None else [_project(item, names) for item in items], *rest]

    def all_items(self) -> list[Item]:
        """Return the items of the partition that is being queried, or else of the table."""
        if self._queried is None:
            return super().all_items()
        return list(self.items.get(self._queried, {}).values())

    def replace_by_copy(self, hash_key: DynamoType, range_key: DynamoType | None) -> None:
        """Put a copy in the place of an item that moto is about to change."""
        if item := self.get_item(hash_key, range_key):
            if range_key is None:
                self.items[hash_key] = copy.deepcopy(item)  # type: ignore[arg-type]
            else:
                self.items[hash_key][range_key] = copy.deepcopy(item)

    def __deepcopy__(self, memo: dict[int, Any]) -> CheapTable:
        twin: CheapTable = copy.copy(self)
        memo[id(self)] = twin
        for name, value in vars(self).items():
            if name not in {"items", "stream_shard"}:
                setattr(twin, name, copy.deepcopy(value, memo))
        twin.items = defaultdict(dict)
        for key, partition in self.items.items():
            # moto leaves an empty partition for each key that it did not find.
            if partition:
                twin.items[key] = dict(partition) if self.has_range_key else partition
        if self.stream_shard is not None:
            twin.stream_shard = copy.copy(self.stream_shard)
            twin.stream_shard.table = twin
            twin.stream_shard.items = list(self.stream_shard.items)
        return twin


def _without_names(args: tuple[Any, ...]) -> tuple[list[str] | None, tuple[Any, ...]]:
    """Take the projection out of the arguments of a query, if it names whole attributes.

    moto converts each item to Python's values and back, once for each name.
    """
    expressions: list[list[str]] | None = args[_PROJECTION]
    if not expressions or any(len(parts) > 1 or "[" in parts[0] for parts in expressions):
        return None, args
    return [name for (name,) in expressions], (*args[:_PROJECTION], None, *args[_PROJECTION + 1 :])


def _project(item: Item, names: list[str]) -> Item:
    projected = Item(item.hash_key, item.range_key, {})
    # Not one by one: a dictionary of moto's adds up the sizes of all values each time.
    dict.update(projected.attrs, {name: item.attrs[name] for name in names if name in item.attrs})
    return projected

"""Builds and reads PartiQL statements, for ``BatchExecuteStatement``.

Each statement is a conditional write of one item. DynamoDB carries out each one separately, so it
may refuse some of a batch. A statement costs the same as the equivalent write.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.wire.steps import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dynamo_es.dynamodb.wire.steps import Item

MAX_STATEMENTS: Final = 25
"""The most statements of one ``BatchExecuteStatement``."""

_NAMED: Final = re.compile(r"""['"](\w+)['"]\s*(?::|[<>=]+)\s*\?""")


def insert(table: str, item: Item) -> dict[str, Any]:
    """Return the statement that puts an item if none exists there.

    If an item exists, DynamoDB refuses the statement (``DuplicateItem``) and does not return the
    item.
    """
    return {"Statement": _insert_text(table, tuple(item)), "Parameters": [*item.values()]}


def update(
    table: str,
    key: Item,
    changes: Item,
    conditions: Iterable[tuple[str, str, Mapping[str, Any]]],
    *,
    remove: Sequence[str] = (),
    all_old: bool = False,
) -> dict[str, Any]:
    """Return the statement that changes an item that exists and meets conditions.

    Args:
        table: name of the table.
        key: key of the item.
        changes: the attributes to set.
        conditions: conditions that must all hold: a name, an operator such as ``<`` and a value.
        remove: names of attributes to remove.
        all_old: whether a refusal returns the stored item.
    """
    met = list(conditions)
    compared = (
        *((name, "=") for name in key),
        *((name, operator) for name, operator, _ in met),
    )
    statement: dict[str, Any] = {
        "Statement": _update_text(table, tuple(changes), tuple(remove), compared),
        "Parameters": [*changes.values(), *key.values(), *(value for _, _, value in met)],
    }
    if all_old:
        statement["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return statement


# There are few texts: one for each kind of write and table.
@lru_cache(maxsize=128)
def _insert_text(table: str, names: tuple[str, ...]) -> str:
    members = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{members}}}'


@lru_cache(maxsize=128)
def _update_text(
    table: str,
    changed: tuple[str, ...],
    removed: tuple[str, ...],
    compared: tuple[tuple[str, str], ...],
) -> str:
    clauses = [
        f'UPDATE "{table}"',
        *(f'SET "{name}" = ?' for name in changed),
        *(f'REMOVE "{name}"' for name in removed),
        "WHERE " + " AND ".join(f'"{name}" {operator} ?' for name, operator in compared),
    ]
    return " ".join(clauses)


def execute(statements: Sequence[Mapping[str, Any]]) -> Request:
    """Return the request for up to 25 statements about different items, all of them writes."""
    return Request("batch_execute_statement", {"Statements": list(statements)})


def table_of(statement: Mapping[str, Any]) -> str:
    """Return the name of the table that a statement is about; empty if it names none."""
    tables = execute([statement]).tables
    return tables[0] if tables else ""


def inserted_items(statements: Iterable[Mapping[str, Any]]) -> Iterator[Item]:
    """Yield the items of the statements that insert one."""
    for statement in statements:
        if statement["Statement"].startswith("INSERT"):
            yield dict(_parameters(statement))


def target_of(statement: Mapping[str, Any], key_names: Iterable[str]) -> Item:
    """Return the key of a statement's item, or the part of the key that the statement names."""
    named = dict(_parameters(statement))
    return {name: named[name] for name in key_names if name in named}


def _parameters(statement: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    names = _names(statement["Statement"])
    return zip(names, statement.get("Parameters", ()), strict=False)


@lru_cache(maxsize=64)
def _names(text: str) -> list[str]:
    """Return the attribute that each placeholder of a statement is for, in order."""
    return _NAMED.findall(text)

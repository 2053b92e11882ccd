"""Reads PartiQL statements as requests that write one item.

moto does not support parameters in statements. This module understands the statements that the
library sends, and refuses all others:

- ``INSERT INTO "table" VALUE {'name': ?, …}``
- ``UPDATE "table" SET "name" = ? … REMOVE "name" … WHERE "key" = ? AND "name" < ? AND …``, with
  the operators ``=  <>  <  <=  >  >=``, and ``"name" IS MISSING`` and
  ``attribute_not_exists("name")``
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynamo_es.dynamodb.wire.steps import Item

_INSERT: Final = re.compile(r"""INSERT\s+INTO\s+"([^"]+)"\s+VALUE\s+\{(.*)\}""", re.IGNORECASE)
_MEMBER: Final = re.compile(r"""\s*'([^']+)'\s*:\s*\?\s*""")
_UPDATE: Final = re.compile(r"""UPDATE\s+"([^"]+)"\s+(.+?)\s+WHERE\s+(.+)""", re.IGNORECASE)
_CLAUSE: Final = re.compile(r"""\s+(?=(?:SET|REMOVE)\s)""", re.IGNORECASE)
_NAME: Final = r"""(?:"([^"]+)"|([A-Za-z_]\w*))"""
_SET: Final = re.compile(rf"""\s*{_NAME}\s*=\s*\?\s*""")
_REMOVE: Final = re.compile(rf"""REMOVE\s+{_NAME}""", re.IGNORECASE)
_COMPARED: Final = re.compile(rf"""{_NAME}\s*(=|<>|<=|>=|<|>)\s*\?""")
_MISSING: Final = re.compile(
    rf"""(?:{_NAME}\s+IS\s+MISSING|attribute_not_exists\(\s*{_NAME}\s*\))""", re.IGNORECASE
)
_AND: Final = re.compile(r"""\s+AND\s+""", re.IGNORECASE)


class UnknownStatementError(Exception):
    """The emulator does not understand a statement."""


class InvalidStatementError(Exception):
    """DynamoDB would refuse a statement as invalid."""


@dataclass(frozen=True, slots=True)
class Insert:
    """A statement that puts an item if none exists there.

    Attributes:
        table: name of the table.
        item: the item.
    """

    table: str
    item: Item


@dataclass(frozen=True, slots=True)
class Update:
    """A statement that changes an item.

    Attributes:
        table: name of the table.
        changes: the attributes to set.
        removed: names of the attributes to remove.
        compared: comparisons that must all hold: a name, an operator and a value each.
        missing: names of attributes that the item must not have.
    """

    table: str
    changes: Item
    removed: list[str] = field(default_factory=list)
    compared: list[tuple[str, str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def key(self, names: Sequence[str]) -> Item:
        """Return the key of the item that the statement changes.

        Args:
            names: names of the key attributes of the table.

        Raises:
            InvalidStatementError: the conditions do not name the whole key.
        """
        equal = {name: value for name, operator, value in self.compared if operator == "="}
        if not equal.keys() >= set(names):
            raise InvalidStatementError(
                "Where clause does not contain a mandatory equality on all key attributes"
            )
        return {name: equal[name] for name in names}

    def request(self, key_names: Sequence[str]) -> dict[str, Any]:
        """Return the parameters of an equivalent ``UpdateItem``.

        Args:
            key_names: names of the key attributes of the table.

        Raises:
            InvalidStatementError: the conditions do not name the whole key, or the statement
                changes the key.
        """
        for name in (*self.changes, *self.removed):
            if name in key_names:
                raise InvalidStatementError(
                    f"One or more parameter values were invalid: Cannot update attribute {name}. "
                    "This attribute is part of the key"
                )
        names: dict[str, str] = {}
        values: dict[str, Any] = {}

        def name_of(attribute: str) -> str:
            return names.setdefault(attribute, f"#n{len(names)}")

        def value_of(value: Any) -> str:
            placeholder = f":v{len(values)}"
            values[placeholder] = value
            return placeholder

        expression = ""
        if self.changes:
            expression = "SET " + ", ".join(
                f"{name_of(name)} = {value_of(value)}" for name, value in self.changes.items()
            )
        if self.removed:
            expression += " REMOVE " + ", ".join(map(name_of, self.removed))
        conditions = [f"attribute_exists({name_of(key_names[0])})"]
        conditions += [
            f"{name_of(name)} {operator} {value_of(value)}"
            for name, operator, value in self.compared
            if name not in key_names
        ]
        conditions += [f"attribute_not_exists({name_of(name)})" for name in self.missing]
        request: dict[str, Any] = {
            "TableName": self.table,
            "Key": self.key(key_names),
            "UpdateExpression": expression.strip(),
            "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": {short: name for name, short in names.items()},
        }
        return request | ({"ExpressionAttributeValues": values} if values else {})


def read_statement(text: str, parameters: Sequence[Any]) -> Insert | Update:
    """Parse a statement.

    Raises:
        UnknownStatementError: the statement has a form that this module does not understand.
        InvalidStatementError: the number of parameters is wrong.
    """
    left = iter(parameters)
    try:
        if found := _INSERT.fullmatch(text.strip()):
            members = [_matched(_MEMBER, member, text) for member in found[2].split(",")]
            return Insert(found[1], {member[1]: next(left) for member in members})
        if found := _UPDATE.fullmatch(text.strip()):
            return _read_update(found, text, left)
    except StopIteration:
        raise InvalidStatementError(
            "Number of parameters in request and statement don't match."
        ) from None
    raise _unknown(text)


def _read_update(found: re.Match[str], text: str, left: Iterator[Any]) -> Update:
    update = Update(found[1], {})
    for clause in _CLAUSE.split(found[2]):
        if clause[:3].upper() == "SET":
            for change in clause[3:].split(","):
                update.changes[_name(_matched(_SET, change, text))] = next(left)
        else:
            update.removed.append(_name(_matched(_REMOVE, clause, text)))
    for condition in _AND.split(found[3]):
        if missing := _MISSING.fullmatch(condition.strip()):
            update.missing.append(_name(missing))
        else:
            compared = _matched(_COMPARED, condition.strip(), text)
            update.compared.append((_name(compared), compared[3], next(left)))
    return update


def _unknown(text: str) -> UnknownStatementError:
    return UnknownStatementError(
        f"The emulator does not understand the statement {text!r:.200}. It understands INSERT and "
        "UPDATE of one item with parameters, as dynamo_es.dynamodb.wire.partiql.reading says. Use "
        "a local engine for others."
    )


def _matched(pattern: re.Pattern[str], part: str, text: str) -> re.Match[str]:
    found = pattern.fullmatch(part)
    if found is None:
        raise _unknown(text)
    return found


def _name(match: re.Match[str]) -> str:
    # The groups of `_NAME` come first; `_MISSING` has them twice.
    names = match.groups() if match.re is _MISSING else match.groups()[:2]
    return next(name for name in names if name is not None)

"""The part of DynamoDB that the store's requests use, in a few dictionaries.

moto takes a millisecond for a request. This engine takes some microseconds, so a test can try
thousands of interleavings. ``test_tiny_dynamo`` compares it with moto.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dynamo_es.dynamodb.wire.errors import ConditionRefused
from tests.parts import answer_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo_es.dynamodb.wire.steps import Item, Request, Response

_Values: TypeAlias = "Mapping[str, Any]"

_COMPARISON: Final = re.compile(r"(\w+) (=|<=|<|>=|>) (:\w+)")
_BETWEEN: Final = re.compile(r"(\w+) BETWEEN (:\w+) AND (:\w+)")
_EXISTENCE: Final = re.compile(r"attribute_(not_)?exists\((\w+)\)")
_ASSIGNMENT: Final = re.compile(r"(\w+) = (:\w+)")
_KINDS: Final = {"Put": "put_item", "ConditionCheck": "condition_check"}
_IGNORED: Final = {"ReturnConsumedCapacity", "ConsistentRead", "TableName"}


class TinyDynamo:
    """One table; its partitions are ordered by ``version``.

    Args:
        page: most items of the next page of a query; None: as many as there are.
    """

    def __init__(self, page: Callable[[], int | None] = lambda: None) -> None:
        self._page = page
        self._partitions: dict[str, dict[int, Item]] = {}
        self._tokens: dict[str, list[dict[str, Any]]] = {}

    def answer(self, request: Request, token: str | None = None) -> Response:
        """Carry out a request.

        Args:
            request: as the store builds it.
            token: ``ClientRequestToken`` of a transaction, which the SDK makes up.

        Raises:
            ConditionRefused: a condition was not met; nothing was written.
        """
        params = {name: value for name, value in request.params.items() if name not in _IGNORED}
        match request.operation:
            case "get_item":
                item = self._find(params.pop("Key"))
                return _all_used(params, {} if item is None else {"Item": item})
            case "query":
                return self._query(**params)
            case "transact_write_items":
                return self._transact(params["TransactItems"], token)
            case "batch_execute_statement":
                return answer_batch(request, self.answer)
            case operation:
                self._write([(operation, params)])
                return {}

    def expire(self, now: float, chosen: Callable[[], bool]) -> None:
        """Remove items whose time is over, as DynamoDB does: not all at once, in no order."""
        for partition in self._partitions.values():
            for version, item in list(partition.items()):
                if float(item.get("expires_at", {"N": "inf"})["N"]) < now and chosen():
                    del partition[version]

    def items(self) -> list[Item]:
        """Return everything."""
        return [
            partition[version]
            for _, partition in sorted(self._partitions.items())
            for version in sorted(partition)
        ]

    def _transact(self, writes: list[dict[str, Any]], token: str | None) -> Response:
        if token is not None and self._tokens.get(token) == writes:
            return {}
        self._write(
            [
                (_KINDS[kind], {name: at for name, at in params.items() if name != "TableName"})
                for write in writes
                for kind, params in write.items()
            ]
        )
        if token is not None:
            self._tokens[token] = writes
        return {}

    def _write(self, writes: list[tuple[str, dict[str, Any]]]) -> None:
        refusals: list[Item | None] = []
        changes: list[tuple[Item, Item | None]] = []
        refused: set[int] = set()
        for place, (operation, params) in enumerate(writes):
            rest = dict(params)
            key = rest.pop("Item") if operation == "put_item" else rest.pop("Key")
            stored = self._find(key)
            condition = rest.pop("ConditionExpression", None)
            values = rest.pop("ExpressionAttributeValues", {})
            told = rest.pop("ReturnValuesOnConditionCheckFailure", "NONE") == "ALL_OLD"
            met = condition is None or holds(condition, stored or {}, values)
            refused |= set() if met else {place}
            refusals.append(stored if told and not met else None)
            match operation:
                case "put_item":
                    changes.append((key, _all_used(rest, key)))
                case "delete_item":
                    changes.append((key, _all_used(rest, None)))
                case "update_item":
                    updated = _updated(rest.pop("UpdateExpression"), values, stored or {})
                    changes.append((key, _all_used(rest, {**key, **updated})))
                case "condition_check":
                    assert condition is not None
                    _all_used(rest, None)
                case _:
                    raise NotImplementedError(operation)
        if refused:
            raise ConditionRefused(refusals, maybe_landed=False, refused=frozenset(refused))
        for key, item in changes:
            partition = self._partitions.setdefault(key["stream_key"]["S"], {})
            version = int(key["version"]["N"])
            if item is None:
                partition.pop(version, None)
            else:
                partition[version] = item

    def _find(self, key: Item) -> Item | None:
        partition = self._partitions.get(key["stream_key"]["S"], {})
        return partition.get(int(key["version"]["N"]))

    def _query(
        self,
        KeyConditionExpression: str,  # noqa: N803 - DynamoDB's names
        ExpressionAttributeValues: _Values,  # noqa: N803
        ScanIndexForward: bool,  # noqa: N803
        Limit: int | None = None,  # noqa: N803
        ExclusiveStartKey: Item | None = None,  # noqa: N803
        ProjectionExpression: str | None = None,  # noqa: N803
    ) -> Response:
        _check_key_condition(KeyConditionExpression, ExpressionAttributeValues)
        partition = self._partitions.get(ExpressionAttributeValues[":key"]["S"], {})
        found = [
            partition[version]
            for version in sorted(partition, reverse=not ScanIndexForward)
            if holds(KeyConditionExpression, partition[version], ExpressionAttributeValues)
            and (ExclusiveStartKey is None or version < int(ExclusiveStartKey["version"]["N"]))
        ]
        most = min((at for at in (Limit, self._page()) if at is not None), default=None)
        response: Response = {"Items": found[:most]}
        if most is not None and len(found) > most:
            last = found[most - 1]
            response["LastEvaluatedKey"] = {at: last[at] for at in ("stream_key", "version")}
        if ProjectionExpression is not None:
            names = ProjectionExpression.split(", ")
            response["Items"] = [
                {name: item[name] for name in names if name in item} for item in response["Items"]
            ]
        return response


def _check_key_condition(expression: str, values: _Values) -> None:
    """Refuse what DynamoDB refuses: two conditions on the sort key, bounds that are reversed."""
    sort_key = expression.removeprefix("stream_key = :key").removeprefix(" AND ")
    between = _BETWEEN.fullmatch(sort_key)
    if between is not None:
        assert int(values[between[2]]["N"]) <= int(values[between[3]]["N"]), values
    else:
        assert " AND " not in sort_key, expression


def holds(expression: str, item: Mapping[str, Any], values: _Values) -> bool:
    """Whether a condition holds for an item; AND binds closer than OR.

    Raises:
        NotImplementedError: it has something in it that no request had so far.
    """
    # Only one pair of parentheses is around a whole alternative, where it changes nothing.
    alternatives = [part.strip("() ") for part in _outside_calls(expression).split(" OR ")]
    return any(
        all(_holds_one(term, item, values) for term in alternative.split(" AND "))
        for alternative in alternatives
    )


def _outside_calls(expression: str) -> str:
    # So that the parentheses of functions are not taken for grouping.
    both = _BETWEEN.sub(r"\1 >= \2 AND \1 <= \3", expression)
    return _EXISTENCE.sub(lambda found: f"{found[1] or ''}exists {found[2]}", both)


def _holds_one(term: str, item: Mapping[str, Any], values: _Values) -> bool:
    match term.split(" "):
        case ["exists", name]:
            return name in item
        case ["not_exists", name]:
            return name not in item
    found = _COMPARISON.fullmatch(term)
    if found is None:
        raise NotImplementedError(term)
    name, sign, value = found.groups()
    if name not in item:
        return False
    left, right = _comparable(item[name]), _comparable(values[value])
    if type(left) is not type(right):
        return False
    return bool(_SIGNS[sign](left, right))


_SIGNS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _comparable(attribute: Mapping[str, Any]) -> int | str:
    return int(attribute["N"]) if "N" in attribute else str(attribute["S"])


def _updated(expression: str, values: _Values, stored: Item) -> Item:
    assigning, _, removing = expression.partition(" REMOVE ")
    assignments = assigning.removeprefix("SET ").split(", ")
    found = [_ASSIGNMENT.fullmatch(assignment) for assignment in assignments]
    if not assigning.startswith("SET ") or None in found:
        raise NotImplementedError(expression)
    assigned = {one[1]: values[one[2]] for one in found if one is not None}
    removed = set(removing.split(", "))
    return {name: at for name, at in stored.items() if name not in removed} | assigned


def _all_used(rest: Mapping[str, Any], result: Any) -> Any:
    if rest:
        raise NotImplementedError(f"parameters {sorted(rest)}")
    return result

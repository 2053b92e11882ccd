"""Query and GetItem: order, pages, starting points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.engine import MOTO
from tests.engines.lab import item_of, key, number, text, versions
from tests.engines.probe import INVALID, SEEN, Probe

if TYPE_CHECKING:
    from tests.engines.lab import Lab

_QUERY = "API reference, Query"
_KEYS = "developer guide, Key condition expressions for the Query operation"
_PAGES = "developer guide, Paginating table query results in DynamoDB"
_START = f"{_QUERY}, ExclusiveStartKey"


def _page(page: dict[str, Any]) -> str:
    more = "more" if page.get("LastEvaluatedKey") else "no more"
    return f"{versions(page['Items'])}; {more}"


def _of_five(lab: Lab, condition: str = "", **params: Any) -> str:
    lab.put_versions(1, 2, 3, 4, 5)
    return _page(lab.query(condition, **params))


def _filtered(lab: Lab) -> str:
    lab.put_versions(1, 2, 3, 4)
    lab.put({**key(5), "mark": text("x")})
    page = lab.query(FilterExpression="mark = :mark", values={":mark": text("x")}, Limit=2)
    return f"{_page(page)}; {page['Count']} of {page['ScannedCount']}"


def _megabytes(lab: Lab, **params: Any) -> str:
    for version in range(1, 26):
        lab.put(item_of(100_000, version))
    pages, found = 1, 0
    page = lab.query(**params)
    found += page["Count"]
    while last := page.get("LastEvaluatedKey"):
        page = lab.query(ExclusiveStartKey=last, **params)
        pages, found = pages + 1, found + page["Count"]
    return f"{pages} pages, {found} items"


def _last_key(lab: Lab) -> str:
    lab.put_versions(1, 2, mark=text("x"))
    page = lab.query(ProjectionExpression="mark", Limit=1)
    return f"{page['Items']} {sorted(page['LastEvaluatedKey'])}"


def _in_order(lab: Lab) -> str:
    lab.put_versions(10, 9, 100, -1, 10**18)
    return versions(lab.query()["Items"])


def _from_a_gap(lab: Lab) -> str:
    lab.put_versions(1, 2, 4, 5)
    return _page(lab.query(ScanIndexForward=False, ExclusiveStartKey=key(3)))


def _by_bytes(lab: Lab) -> str:
    # In UTF-16 the last two would be the other way round.
    table = lab.another_table(sort_kind="S")
    for place in ("𝄞", "a", "\uffee", "B", "é"):
        lab.put({"id": text("a"), "version": text(place)}, TableName=table)
    items = lab.client.query(
        TableName=table,
        KeyConditionExpression="id = :id",
        ExpressionAttributeValues={":id": text("a")},
    )["Items"]
    return ", ".join(item["version"]["S"] for item in items)


PROBES = [
    Probe(
        name="order of numbers as sort keys",
        does=_in_order,
        answer="-1, 9, 10, 100, 1000000000000000000",
        source=_QUERY,
    ),
    Probe(
        name="query from the top down",
        does=lambda lab: _of_five(lab, ScanIndexForward=False),
        answer="5, 4, 3, 2, 1; no more",
        source=f"{_QUERY}, ScanIndexForward",
    ),
    Probe(
        name="query of a partition that is not there",
        does=lambda lab: _page(lab.query()),
        answer="none; no more",
        source=_QUERY,
    ),
    Probe(
        name="read of an item that is not there",
        does=lambda lab: "an Item" if "Item" in lab.get() else "no Item",
        answer="no Item",
        source="API reference, GetItem",
    ),
    Probe(
        name="query that ends before its limit",
        does=lambda lab: _of_five(lab, Limit=6),
        answer="1, 2, 3, 4, 5; no more",
        source=f"{_QUERY}, Limit",
    ),
    Probe(
        name="query that ends at its limit",
        does=lambda lab: _of_five(lab, Limit=5),
        answer="1, 2, 3, 4, 5; more",
        source=f"{_QUERY}, Limit",
        instead={MOTO: "1, 2, 3, 4, 5; no more"},
    ),
    Probe(
        name="query with a limit of 0",
        does=lambda lab: _of_five(lab, Limit=0),
        answer=INVALID,
        source=f"{_QUERY}, Limit",
        instead={MOTO: "IndexError raised in this process"},
    ),
    Probe(
        name="limit and filter: the limit counts what is looked at",
        does=_filtered,
        answer="none; more; 0 of 2",
        source=f"{_QUERY}, Limit",
    ),
    Probe(
        name="query of 2.5 MB, followed page by page",
        does=_megabytes,
        answer="3 pages, 25 items",
        source=_PAGES,
    ),
    Probe(
        name="query of 2.5 MB that projects the keys only",
        does=lambda lab: _megabytes(lab, ProjectionExpression="version"),
        answer="3 pages, 25 items",
        source=_PAGES,
    ),
    Probe(
        name="LastEvaluatedKey of a query that does not project the key",
        does=_last_key,
        answer="[{'mark': {'S': 'x'}}] ['id', 'version']",
        source=f"{_QUERY}, LastEvaluatedKey",
    ),
    Probe(
        name="start after a key that is not there, upwards",
        does=lambda lab: _of_five(lab, ExclusiveStartKey=key(version=0)),
        answer="1, 2, 3, 4, 5; no more",
        source=_START,
    ),
    Probe(
        name="start after a key that is not there, downwards",
        does=_from_a_gap,
        answer="2, 1; no more",
        source=_START,
    ),
    Probe(
        name="start after a key of another partition",
        does=lambda lab: _of_five(lab, ExclusiveStartKey=key(1, name="b")),
        answer=INVALID,
        source=SEEN,
        instead={MOTO: "none; no more"},
    ),
    Probe(
        name="start after a key outside of the condition",
        does=lambda lab: _of_five(
            lab, "version > :below", values={":below": number(3)}, ExclusiveStartKey=key(1)
        ),
        answer=INVALID,
        source=SEEN,
        instead={MOTO: "4, 5; no more"},
    ),
    Probe(
        name="start after half a key",
        does=lambda lab: _of_five(lab, ExclusiveStartKey={"id": text("a")}),
        answer=INVALID,
        source=SEEN,
        instead={MOTO: "TypeError raised in this process"},
    ),
    Probe(
        name="BETWEEN with both bounds in",
        does=lambda lab: _of_five(
            lab, "version BETWEEN :low AND :high", values={":low": number(2), ":high": number(4)}
        ),
        answer="2, 3, 4; no more",
        source=_KEYS,
    ),
    Probe(
        name="BETWEEN with its bounds reversed",
        does=lambda lab: _of_five(
            lab, "version BETWEEN :low AND :high", values={":low": number(4), ":high": number(2)}
        ),
        answer=INVALID,
        source=SEEN,
        instead={MOTO: "none; no more"},
    ),
    Probe(
        name="two conditions on the sort key",
        does=lambda lab: _of_five(
            lab,
            "version > :low AND version < :high",
            values={":low": number(1), ":high": number(4)},
        ),
        answer=INVALID,
        source=_KEYS,
        instead={MOTO: "1, 2, 3; no more"},
    ),
    Probe(
        name="text compared with a sort key that is a number",
        does=lambda lab: _of_five(lab, "version < :high", values={":high": text("4")}),
        answer=INVALID,
        source=_KEYS,
        instead={MOTO: "TypeError raised in this process"},
    ),
    Probe(
        name="condition on an attribute that is no key",
        does=lambda lab: _of_five(lab, "mark = :mark", values={":mark": text("x")}),
        answer=INVALID,
        source=_KEYS,
    ),
    Probe(
        name="filter on an attribute of the key",
        does=lambda lab: _of_five(
            lab, FilterExpression="version < :high", values={":high": number(4)}
        ),
        answer=INVALID,
        source="developer guide, Filter expressions for the Query operation",
        instead={MOTO: "1, 2, 3; no more"},
    ),
    Probe(
        name="order of texts as sort keys: by their bytes in UTF-8",
        does=_by_bytes,
        answer="B, a, é, \uffee, 𝄞",
        source=_QUERY,
    ),
]

"""BatchGetItem and BatchWriteItem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.engine import MOTO
from tests.engines.lab import item_of, key
from tests.engines.probe import ACCEPTED, INVALID, Probe

if TYPE_CHECKING:
    from tests.engines.lab import Lab

_GET = "API reference, BatchGetItem"
_WRITE = "API reference, BatchWriteItem"


def _sixteen_megabytes(lab: Lab) -> str:
    # One partition each: of one alone, DynamoDB returns no more than 1 MB at a time.
    keys = [key(name=f"{number:03}") for number in range(42)]
    for partition in keys:
        lab.put({**item_of(400_000), **partition})
    reply = lab.batch_get(*keys)
    found = len(reply["Responses"][lab.table])
    left = len(reply.get("UnprocessedKeys", {}).get(lab.table, {}).get("Keys", ()))
    return f"some unprocessed, {found + left} in all" if left else "all at once"


def _missing(lab: Lab) -> str:
    lab.put_versions(1)
    reply = lab.batch_get(key(1), key(2))
    return f"{len(reply['Responses'][lab.table])} item, {len(reply['UnprocessedKeys'])} unprocessed"


PROBES = [
    Probe(
        name="batch read of 100 keys",
        does=lambda lab: lab.batch_get(*(key(version) for version in range(100))),
        source=_GET,
    ),
    Probe(
        name="batch read of 101 keys",
        does=lambda lab: lab.batch_get(*(key(version) for version in range(101))),
        answer=INVALID,
        source=_GET,
    ),
    Probe(
        name="batch read of one key twice",
        does=lambda lab: lab.batch_get(key(), key()),
        answer=INVALID,
        source=_GET,
    ),
    Probe(
        name="batch read of nothing",
        does=lambda lab: lab.batch_get(),
        answer=INVALID,
        source=_GET,
        instead={MOTO: ACCEPTED},
    ),
    Probe(
        name="batch read, one of two items missing",
        does=_missing,
        answer="1 item, 0 unprocessed",
        source=_GET,
    ),
    Probe(
        name="batch read of more than 16 MB",
        does=_sixteen_megabytes,
        answer="some unprocessed, 42 in all",
        source=_GET,
    ),
    Probe(
        name="batch write of 25 items",
        does=lambda lab: lab.batch_put(*(key(version) for version in range(25))),
        source=_WRITE,
    ),
    Probe(
        name="batch write of 26 items",
        does=lambda lab: lab.batch_put(*(key(version) for version in range(26))),
        answer=INVALID,
        source=_WRITE,
        instead={MOTO: ACCEPTED},
    ),
    Probe(
        name="batch write of one item twice",
        does=lambda lab: lab.batch_put(key(), key()),
        answer=INVALID,
        source=_WRITE,
    ),
    Probe(
        name="batch write with an item that is too large",
        does=lambda lab: lab.batch_put(key(1), item_of(400 * 1024 + 1, 2)),
        answer=INVALID,
        source=_WRITE,
    ),
]

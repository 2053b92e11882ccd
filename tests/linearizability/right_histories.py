"""Small correct histories, made by hand, and the tools to make them."""

from __future__ import annotations

from math import inf
from typing import Final

from tests.linearizability.histories import (
    Append,
    Call,
    Delete,
    Found,
    Load,
    Operation,
    Outcome,
    Save,
)

WHOLE = Load(1)
NOTHING = Found(None, (), ())


def append(expected: int | None, *labels: str) -> Append:
    return Append(expected, labels)


def these(*labels: str, first: int = 1, after: tuple[int, str] | None = None) -> Found:
    return Found(after, labels, tuple(range(first, first + len(labels))))


def ok(who: str, call: Call, begin: int, end: int, found: Found | None = None) -> Operation:
    return Operation(who, 1, call, begin, end, Outcome.OK, found)


def refused(who: str, call: Call, begin: int, end: int, actual: int | None = None) -> Operation:
    return Operation(who, 1, call, begin, end, Outcome.REFUSED, actual=actual)


def unknown(who: str, call: Call, begin: int, end: float = inf) -> Operation:
    return Operation(who, 1, call, begin, end, Outcome.UNKNOWN)


def failed(who: str, call: Call, begin: int, end: int) -> Operation:
    return Operation(who, 1, call, begin, end, Outcome.FAILED)


CREATED = ok("a", append(0, "x", "y"), 1, 2)
DELETED = ok("a", Delete(), 11, 12)

RIGHT: Final[dict[str, list[Operation]]] = {
    "appends and loads, one after the other": [
        CREATED,
        ok("b", append(2, "z"), 3, 4),
        ok("a", WHOLE, 5, 6, these("x", "y", "z")),
        ok("a", Load(2, 3), 7, 8, these("y", first=2)),
        ok("a", Load(4), 9, 10, NOTHING),
    ],
    "a load beside an append may see it or not": [
        CREATED,
        ok("a", append(2, "z"), 3, 9),
        ok("b", WHOLE, 4, 5, these("x", "y")),
        ok("c", WHOLE, 6, 7, these("x", "y", "z")),
    ],
    "appends beside each other happen in either order": [
        ok("a", append(None, "x"), 1, 9),
        ok("b", append(None, "y"), 2, 8),
        ok("c", WHOLE, 10, 11, these("y", "x")),
    ],
    "the same events again are a success": [
        CREATED,
        ok("a", append(0, "x", "y"), 3, 4),
        ok("a", WHOLE, 5, 6, these("x", "y")),
    ],
    "an append whose outcome is unknown may be stored": [
        CREATED,
        unknown("a", append(2, "z"), 3, 4),
        ok("a", WHOLE, 5, 6, these("x", "y", "z")),
    ],
    "or later": [
        CREATED,
        unknown("a", append(2, "z"), 3, 4),
        ok("a", WHOLE, 5, 6, these("x", "y")),
        ok("a", WHOLE, 7, 8, these("x", "y", "z")),
    ],
    "or never": [
        CREATED,
        unknown("a", append(2, "z"), 3, 4),
        ok("b", append(2, "v"), 5, 6),
        ok("a", WHOLE, 7, 8, these("x", "y", "v")),
    ],
    "an unknown append that is repeated is stored once": [
        CREATED,
        unknown("a", append(2, "z"), 3, 4),
        ok("a", append(2, "z"), 5, 6),
        ok("a", WHOLE, 7, 8, these("x", "y", "z")),
    ],
    "an unknown deletion may happen later": [
        CREATED,
        unknown("a", Delete(), 3, 4),
        ok("a", WHOLE, 5, 6, these("x", "y")),
        ok("a", WHOLE, 7, 8, NOTHING),
    ],
    "a conflict at a wrong version": [CREATED, refused("a", append(1, "z"), 3, 4, 2)],
    "a creation of what is there": [CREATED, refused("a", append(0, "z"), 3, 4, 2)],
    "an append to what is not there": [refused("a", append(3, "z"), 3, 4, 0)],
    "a conflict with what is appended meanwhile": [
        CREATED,
        refused("a", append(2, "z"), 3, 9, 3),
        ok("b", append(2, "v"), 4, 8),
    ],
    "a conflict at the right version, in a generation that the writer does not know": [
        CREATED,
        ok("b", Delete(), 3, 4),
        ok("b", append(0, "v", "w"), 5, 6),
        refused("a", append(2, "z"), 7, 8, 2),
    ],
    "a failed append is not there": [
        CREATED,
        failed("a", append(2, "z"), 3, 4),
        ok("a", WHOLE, 5, 6, these("x", "y")),
    ],
    "a snapshot and what follows it": [
        CREATED,
        ok("a", Save(1, "s"), 3, 4),
        ok("a", Load(), 5, 6, these("y", first=2, after=(1, "s"))),
        ok("a", WHOLE, 7, 8, these("x", "y")),
        ok("a", Load(None, 2), 9, 10, Found((1, "s"), (), ())),
    ],
    "an older snapshot is dropped": [
        CREATED,
        ok("a", Save(2, "s"), 3, 4),
        ok("a", Save(1, "t"), 5, 6),
        ok("a", Load(), 7, 8, Found((2, "s"), (), ())),
        ok("a", Load(None, 2), 9, 10, these("x")),
    ],
    "a snapshot saved meanwhile may be missed": [
        CREATED,
        ok("a", Load(), 3, 9, these("x", "y", "z")),
        ok("b", Save(2, "s"), 4, 5),
        ok("b", append(2, "z"), 6, 7),
    ],
    "a snapshot by a writer that knows an earlier generation is dropped": [
        CREATED,
        ok("b", Delete(), 3, 4),
        ok("b", append(0, "v", "w"), 5, 6),
        ok("a", Save(2, "s"), 7, 8),
        ok("a", Load(), 9, 10, these("v", "w")),
    ],
    "a snapshot ahead of the stream": [CREATED, refused("a", Save(3, "s"), 3, 4)],
    "generations, one after the other": [
        CREATED,
        ok("a", Save(1, "s"), 3, 4),
        DELETED,
        ok("a", WHOLE, 13, 14, NOTHING),
        ok("a", Delete(), 15, 16),
        ok("b", append(0, "v"), 17, 18),
        ok("a", Load(), 19, 20, these("v")),
    ],
    "a creation that was under way before the deletion": [
        CREATED,
        unknown("b", append(0, "v"), 3, 4),
        DELETED,
        ok("a", WHOLE, 13, 14, these("v")),
    ],
    "streams do not know each other": [
        CREATED,
        Operation("a", 2, append(0, "v"), 3, 4, Outcome.OK),
        Operation("a", 2, WHOLE, 5, 6, Outcome.OK, these("v")),
    ],
}

"""Small wrong histories of each kind, made by hand, with the verdict that each must get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.linearizability.histories import Delete, Found, Load, Save
from tests.linearizability.right_histories import (
    CREATED,
    DELETED,
    NOTHING,
    WHOLE,
    append,
    failed,
    ok,
    refused,
    these,
    unknown,
)

if TYPE_CHECKING:
    from tests.linearizability.histories import Operation

WRONG: Final[dict[str, tuple[str, list[Operation]]]] = {
    "an append that is not there": (
        "acknowledged, and lost: z",
        [
            CREATED,
            ok("b", append(2, "z"), 3, 4),
            ok("a", WHOLE, 5, 6, these("x", "y")),
        ],
    ),
    "an event that is not there": (
        "acknowledged, and lost: x",
        [CREATED, ok("a", WHOLE, 5, 6, Found(None, ("y",), (2,)))],
    ),
    "a refused append that is there": (
        "stored, though refused: z",
        [
            CREATED,
            refused("b", append(1, "z"), 3, 4, 2),
            ok("a", WHOLE, 5, 6, these("x", "y", "z")),
        ],
    ),
    "a failed append that is there": (
        "stored, though failed: z",
        [
            CREATED,
            failed("b", append(2, "z"), 3, 4),
            ok("a", WHOLE, 5, 6, these("x", "y", "z")),
        ],
    ),
    "an append that is seen before it fails": (
        "failed, and happened all the same",
        [
            CREATED,
            failed("b", append(2, "z"), 3, 8),
            ok("a", WHOLE, 5, 6, these("x", "y", "z")),
        ],
    ),
    "a conflict at the right version": (
        "b: append z at 2: refused without a reason",
        [CREATED, refused("b", append(2, "z"), 3, 4, 2)],
    ),
    "a creation refused where nothing is": (
        "append v at 0: refused without a reason",
        [refused("b", append(0, "v"), 3, 4, 1)],
    ),
    "a conflict with its own events": (
        "append z at 2: refused without a reason",
        [
            # Its own events, stored by the first attempt.
            CREATED,
            unknown("b", append(2, "z"), 3, 4),
            ok("a", WHOLE, 5, 6, these("x", "y", "z")),
            refused("b", append(2, "z"), 7, 8, 3),
        ],
    ),
    "a conflict at the right version, in a generation that the writer knows": (
        "append w at 2: refused without a reason",
        [
            # No deletion since the writer saw the stream.
            CREATED,
            ok("a", Delete(), 3, 4),
            ok("a", append(0, "v", "u"), 5, 6),
            ok("b", WHOLE, 7, 8, these("v", "u")),
            refused("b", append(2, "w"), 9, 10, 2),
        ],
    ),
    "a conflict at a version that the stream has not reached": (
        "append z at 1: refused without a reason",
        [
            # It says that the stream is at a version which it has not reached.
            CREATED,
            refused("b", append(1, "z"), 3, 4, 3),
        ],
    ),
    "a snapshot of a version that is there, refused": (
        "snapshot s of 2: refused without a reason",
        [CREATED, refused("b", Save(2, "s"), 3, 4)],
    ),
    "a success at a wrong version": (
        "z at 1: acknowledged, though it was not possible",
        [CREATED, ok("b", append(1, "z"), 3, 4)],
    ),
    "a second creation": (
        "append v at 0: acknowledged, though it was not possible",
        [
            CREATED,
            ok("b", append(0, "v"), 3, 4),
        ],
    ),
    "two win the same version": (
        "acknowledged, though it was not possible",
        [
            CREATED,
            ok("b", append(2, "z"), 3, 9),
            ok("a", append(2, "v"), 4, 8),
        ],
    ),
    "stored in part": (
        "any more): v",
        [
            CREATED,
            unknown("b", append(2, "v", "w"), 3, 4),
            ok("a", WHOLE, 5, 6, these("x", "y", "v")),
        ],
    ),
    "stored twice": (
        "stored, though it should not be there (any more): z",
        [
            CREATED,
            unknown("b", append(2, "z"), 3, 4),
            ok("b", append(2, "z"), 5, 6),
            DELETED,
            ok("a", append(0, "v", "w"), 13, 14),
            ok("a", WHOLE, 15, 16, these("v", "w", "z")),
        ],
    ),
    "any version, stored twice": (
        "any more): z z",
        [
            CREATED,
            unknown("b", append(None, "z"), 3, 4),
            ok("a", WHOLE, 5, 6, these("x", "y", "z", "z")),
        ],
    ),
    "an unknown append comes and goes": (
        "acknowledged, and lost: x y z",
        [
            CREATED,
            unknown("b", append(2, "z"), 3, 4),
            ok("a", WHOLE, 5, 6, these("x", "y", "z")),
            ok("a", WHOLE, 7, 8, NOTHING),
        ],
    ),
    "a late append in a later generation": (
        "any more): z",
        [
            CREATED,
            unknown("b", append(2, "z"), 3, 4),
            DELETED,
            ok("a", append(0, "v", "w"), 13, 14),
            ok("a", WHOLE, 15, 16, these("v", "w", "z")),
        ],
    ),
    "a late creation after a later generation": (
        "any more): u",
        [
            CREATED,
            unknown("b", append(0, "u"), 3, 4),
            DELETED,
            ok("a", append(0, "v"), 13, 14),
            ok("a", Delete(), 15, 16),
            ok("a", WHOLE, 17, 18, these("u")),
        ],
    ),
    "a late deletion of a later generation": (
        "acknowledged, and lost: v",
        [
            CREATED,
            unknown("b", Delete(), 3, 4),
            DELETED,
            ok("a", append(0, "v"), 13, 14),
            ok("a", WHOLE, 15, 16, NOTHING),
        ],
    ),
    "deleted, and still there": (
        "any more): x y",
        [
            CREATED,
            DELETED,
            ok("a", WHOLE, 13, 14, these("x", "y")),
        ],
    ),
    "a hole": (
        "no state of the stream that was",
        [
            CREATED,
            ok("a", append(2, "z"), 3, 4),
            ok("a", Load(2), 5, 6, Found(None, ("z",), (3,))),
        ],
    ),
    "a stale load": (
        "acknowledged, and lost: z",
        [
            CREATED,
            ok("a", append(2, "z"), 3, 4),
            ok("a", WHOLE, 5, 6, these("x", "y", "z")),
            ok("b", WHOLE, 7, 8, these("x", "y")),
        ],
    ),
    "a snapshot that is lost": (
        "no state of the stream that was",
        [
            CREATED,
            ok("a", Save(2, "s"), 3, 4),
            ok("a", Load(), 5, 6, these("x", "y")),
        ],
    ),
    "a snapshot of an earlier generation": (
        "no state of the stream that was",
        [
            CREATED,
            ok("a", Save(1, "s"), 3, 4),
            DELETED,
            ok("a", append(0, "v"), 13, 14),
            ok("a", Load(), 15, 16, Found((1, "s"), (), ())),
        ],
    ),
    "a replay that begins with a snapshot": (
        "acknowledged, and lost: x",
        [
            CREATED,
            ok("a", Save(1, "s"), 3, 4),
            ok("a", WHOLE, 5, 6, these("y", first=2, after=(1, "s"))),
        ],
    ),
    "a snapshot that was refused": (
        "no state of the stream that was",
        [
            CREATED,
            refused("a", Save(3, "s"), 3, 4),
            ok("a", append(2, "z"), 5, 6),
            ok("a", Load(), 7, 8, Found((3, "s"), (), ())),
        ],
    ),
}

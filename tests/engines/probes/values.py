"""Which values can be stored, and how they come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.engine import MOTO
from tests.engines.lab import key, number, text
from tests.engines.probe import ACCEPTED, INVALID, Probe

if TYPE_CHECKING:
    from tests.engines.lab import Lab

_EMPTY = "API reference, PutItem"
_NUMBERS = "developer guide, Supported data types and naming rules, Number"
_SETS = "developer guide, Supported data types and naming rules, Sets"
_DEPTH = "developer guide, Constraints, Attributes: nested attribute depth"


def _back(lab: Lab, value: dict[str, Any]) -> str:
    lab.put({**key(), "content": value})
    ((kind, content),) = lab.get()["Item"]["content"].items()
    return f"{kind} {content!r}"


def _nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = text("x")
    for _ in range(levels):
        value = {"L": [value]}
    return value


def _store(value: dict[str, Any]) -> Any:
    return lambda lab: lab.put({**key(), "content": value})


PROBES = [
    Probe(name="empty text", does=lambda lab: _back(lab, text("")), answer="S ''", source=_EMPTY),
    Probe(
        name="empty binary", does=lambda lab: _back(lab, {"B": b""}), answer="B b''", source=_EMPTY
    ),
    Probe(
        name="empty list and empty map",
        does=lambda lab: _back(lab, {"L": [{"M": {}}]}),
        answer="L [{'M': {}}]",
        source="developer guide, Supported data types and naming rules, Document types",
    ),
    Probe(name="empty set of texts", does=_store({"SS": []}), answer=INVALID, source=_SETS),
    Probe(
        name="set of texts with one of them twice",
        does=_store({"SS": ["x", "x"]}),
        answer=INVALID,
        source=_SETS,
        instead={MOTO: ACCEPTED},
    ),
    Probe(
        name="set of numbers with one of them twice",
        does=_store({"NS": ["1", "1.0"]}),
        answer=INVALID,
        source=_SETS,
        instead={MOTO: ACCEPTED},
    ),
    Probe(
        name="set with an empty text",
        does=_store({"SS": ["", "x"]}),
        source=_SETS,
    ),
    Probe(
        name="number of 38 digits",
        does=lambda lab: _back(lab, number("9" * 38)),
        answer=f"N '{'9' * 38}'",
        source=_NUMBERS,
    ),
    Probe(
        name="number of 39 digits",
        does=_store(number("9" * 39)),
        answer=INVALID,
        source=_NUMBERS,
        instead={MOTO: ACCEPTED},
    ),
    Probe(
        name="number 1E126",
        does=_store(number("1E126")),
        answer=INVALID,
        source=_NUMBERS,
        instead={MOTO: ACCEPTED},
    ),
    Probe(name="number NaN", does=_store(number("NaN")), answer=INVALID, source=_NUMBERS),
    Probe(
        name="number that is a word", does=_store(number("many")), answer=INVALID, source=_NUMBERS
    ),
    Probe(
        name="number 007",
        does=lambda lab: _back(lab, number("007")),
        answer="N '7'",
        source=_NUMBERS,
        instead={MOTO: "N '007'"},
    ),
    Probe(
        name="number 1.50",
        does=lambda lab: _back(lab, number("1.50")),
        answer="N '1.5'",
        source=_NUMBERS,
        instead={MOTO: "N '1.50'"},
    ),
    Probe(name="text in 31 lists, one in another", does=_store(_nested(31)), source=_DEPTH),
    Probe(
        name="text in 33 lists, one in another",
        does=_store(_nested(33)),
        answer=INVALID,
        source=_DEPTH,
        instead={MOTO: ACCEPTED},
    ),
    Probe(
        name="binary with all bytes",
        does=lambda lab: str(_back(lab, {"B": bytes(range(256))}) == f"B {bytes(range(256))!r}"),
        answer="True",
        source="developer guide, Supported data types and naming rules, Binary",
    ),
    Probe(
        name="text beyond the basic plane, and a zero character",
        does=lambda lab: _back(lab, text("𝄞\x00")),
        answer=f"S {chr(0x1D11E) + chr(0)!r}",
        source="developer guide, Supported data types and naming rules, String",
    ),
]

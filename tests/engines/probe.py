"""One question to an engine, DynamoDB's answer, and the engines that answer differently."""

from __future__ import annotations

from dataclasses import dataclass, field
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.engines.lab import Lab


ACCEPTED = "accepted"
INVALID = "ValidationException"
REFUSED = "ConditionalCheckFailedException"
CANCELED = "TransactionCanceledException"
UNKNOWN = "UnknownOperationException"

SEEN = "not documented; an error message of DynamoDB, as public tests of other projects quote it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A question, put by a few requests to a fresh table.

    Attributes:
        name: what is done, unique.
        does: does it, and returns what came of it in words, or None if nothing but success did.
            The code of an error of the engine is what came of it, too.
        answer: what comes of it on DynamoDB.
        source: where DynamoDB's documentation says so: guide or reference, and page.
        instead: what engines are known to answer instead, by name of the engine.
    """

    name: str
    does: Callable[[Lab], object]
    answer: str = ACCEPTED
    source: str
    instead: Mapping[str, str] = field(default_factory=dict)

    def answer_of(self, engine: str) -> str:
        """What this engine is known to answer."""
        return self.instead.get(engine, self.answer)


def ask(probe: Probe, lab: Lab) -> str:
    """Put the question to an engine and return its answer."""
    return outcome(lambda: probe.does(lab))


def outcome(action: Callable[[], object]) -> str:
    """What comes of an action, in words: what it returns, or the code of its error."""
    try:
        result = action()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    except Exception as error:
        if not _came_from_moto(error):
            raise
        return f"{type(error).__name__} raised in this process"
    return result if isinstance(result, str) else ACCEPTED


def _came_from_moto(error: Exception) -> bool:
    """Whether the engine in this process broke, rather than the probe."""
    frames = walk_tb(error.__traceback__)
    return any(frame.f_globals["__name__"].startswith("moto.") for frame, _ in frames)


def error_of(action: Callable[[], object]) -> dict[str, Any]:
    """Return the whole reply to an action that the engine refuses."""
    try:
        action()
    except ClientError as error:
        return dict(error.response)
    raise AssertionError("the engine did not refuse it")


def objection(probe: Probe, engine: str, found: str) -> str | None:
    """What is wrong with an answer, and what to do about it; None if it is as known."""
    if found == probe.answer_of(engine):
        return None
    if engine not in probe.instead:
        return (
            f"{engine} answers {found!r} to {probe.name!r}; DynamoDB answers {probe.answer!r} "
            f"({probe.source}). If that is how {engine} is, put it into `instead` of the probe, "
            "and see that no test relies on it."
        )
    if found == probe.answer:
        return (
            f"{engine} now answers to {probe.name!r} as DynamoDB does: {found!r}. Take its line "
            "out of `instead` of the probe; tests may rely on it from now on."
        )
    return (
        f"{engine} answers {found!r} to {probe.name!r}, neither as DynamoDB ({probe.answer!r}) "
        f"nor as it did ({probe.instead[engine]!r}). Bring `instead` of the probe up to date."
    )

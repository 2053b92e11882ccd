"""The suite as classes, one for each subject. pytest collects the classes that a module imports."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from dynamo_es.testing.conformance import (
    all_or_none,
    any_version,
    append,
    append_results,
    bad_input,
    bad_payloads,
    boundaries,
    boundary_generations,
    boundary_groups,
    concurrency,
    conflicts,
    crashes,
    delete,
    idempotency,
    identity,
    iteration,
    keys,
    leases,
    log,
    long_streams,
    many,
    model,
    payloads,
    positions,
    ranges,
    round_trips,
    snapshots,
    states,
    tag_index,
    unchanged,
    versionless,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

__all__ = [
    "TestAllOrNone",
    "TestAnyVersion",
    "TestAppend",
    "TestAppendResults",
    "TestBadInput",
    "TestBadPayloads",
    "TestBoundaries",
    "TestConcurrency",
    "TestConflicts",
    "TestCrashes",
    "TestDelete",
    "TestIdempotency",
    "TestIdentity",
    "TestIteration",
    "TestKeys",
    "TestLeases",
    "TestLog",
    "TestLongStreams",
    "TestMany",
    "TestModel",
    "TestPayloads",
    "TestPositions",
    "TestRanges",
    "TestRoundTrips",
    "TestSnapshots",
    "TestStates",
    "TestTagIndex",
    "TestUnchanged",
    "TestVersionless",
]


def tests_of(module: ModuleType, name: str, *more: ModuleType) -> type[Any]:
    """Return a class with the tests and fixtures of a module, and of others that use them."""
    members: dict[str, Any] = {"__doc__": module.__doc__, "__module__": __name__}
    for key, value in (pair for each in (module, *more) for pair in vars(each).items()):
        if key.startswith("test_"):
            members[key] = staticmethod(value)
        elif (declared := _declaration(value)) is not None:
            members[key] = declared(_method(inspect.unwrap(value)))
    if (marks := getattr(module, "pytestmark", None)) is not None:
        members["pytestmark"] = marks
    return type(name, (), members)


def _declaration(value: object) -> Callable[[Any], Any] | None:
    """Return the call of ``pytest.fixture`` that made a fixture; None for other objects."""
    # pytest 8.3 uses the second name.
    for attribute in ("_fixture_function_marker", "_pytestfixturefunction"):
        found: Callable[[Any], Any] | None = inspect.getattr_static(value, attribute, None)
        if found is not None:
            return found
    return None


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function as a method, because pytest does not accept static methods as fixtures."""

    def method(_self: object, **fixtures: Any) -> Any:
        return function(**fixtures)

    own = inspect.signature(function)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[itself, *own.parameters.values()]
    )
    method.__name__ = function.__name__
    method.__doc__ = function.__doc__
    return method


TestAllOrNone = tests_of(all_or_none, "TestAllOrNone")
TestAnyVersion = tests_of(any_version, "TestAnyVersion")
TestAppend = tests_of(append, "TestAppend")
TestAppendResults = tests_of(append_results, "TestAppendResults")
TestBadInput = tests_of(bad_input, "TestBadInput")
TestBadPayloads = tests_of(bad_payloads, "TestBadPayloads")
TestBoundaries = tests_of(boundaries, "TestBoundaries", boundary_generations, boundary_groups)
TestConcurrency = tests_of(concurrency, "TestConcurrency")
TestConflicts = tests_of(conflicts, "TestConflicts")
TestCrashes = tests_of(crashes, "TestCrashes")
TestDelete = tests_of(delete, "TestDelete")
TestIdempotency = tests_of(idempotency, "TestIdempotency")
TestIdentity = tests_of(identity, "TestIdentity")
TestIteration = tests_of(iteration, "TestIteration")
TestKeys = tests_of(keys, "TestKeys")
TestLeases = tests_of(leases, "TestLeases")
TestLog = tests_of(log, "TestLog")
TestLongStreams = tests_of(long_streams, "TestLongStreams")
TestMany = tests_of(many, "TestMany")
TestModel = tests_of(model, "TestModel")
TestPayloads = tests_of(payloads, "TestPayloads")
TestPositions = tests_of(positions, "TestPositions")
TestRanges = tests_of(ranges, "TestRanges")
TestRoundTrips = tests_of(round_trips, "TestRoundTrips")
TestSnapshots = tests_of(snapshots, "TestSnapshots")
TestStates = tests_of(states, "TestStates")
TestTagIndex = tests_of(tag_index, "TestTagIndex")
TestUnchanged = tests_of(unchanged, "TestUnchanged")
TestVersionless = tests_of(versionless, "TestVersionless")

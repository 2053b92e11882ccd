"""The fixtures of the conformance suite, as a pytest plugin. You add the fixture ``engine``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dynamo_es.testing.conformance.language import Given, Then, When, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.testing.conformance.engine import Engine


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of the suite."""
    for mark in (
        "concurrent: threads race each other",
        "inline: the processes of the test give their appends positions",
        "needs(*capabilities): not run on an engine that lacks one of them",
    ):
        config.addinivalue_line("markers", mark)


@pytest.fixture(autouse=True)
def _has_what_the_test_needs(request: pytest.FixtureRequest) -> None:
    """Skip a test of the suite if the engine lacks a capability that it needs."""
    needed = [name for mark in request.node.iter_markers("needs") for name in mark.args]
    if not needed or "engine" not in request.fixturenames:
        return
    engine: Engine = request.getfixturevalue("engine")
    for name in needed:
        if name in engine.lacks:
            pytest.skip(f"{engine.name} lacks {name}: {engine.lacks[name]}")


@pytest.fixture
def world(engine: Engine, request: pytest.FixtureRequest) -> Iterator[World]:
    """The processes and the last outcome of one test."""
    world = World(engine, inline=request.node.get_closest_marker("inline") is not None)
    yield world
    engine.tidy()
    world.raise_unclaimed()


@pytest.fixture
def given(world: World) -> Given:
    """The steps that prepare a test."""
    return Given(world)


@pytest.fixture
def when(world: World) -> When:
    """The steps that act."""
    return When(world)


@pytest.fixture
def then(world: World) -> Then:
    """The steps that assert."""
    return Then(world)

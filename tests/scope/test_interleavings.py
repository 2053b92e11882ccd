"""Sequencers of tenants' logs race and die, in every order of their requests.

Each log keeps the invariants of the log of all tenants, whatever happens in the others. And a table
that processes open with different scopes at the same moment gets logs of one scope only.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from dynamo_es import StreamId
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb.log import sequencer
from dynamo_es.dynamodb.streams.items import commit_item
from dynamo_es.exceptions import LogScopeError
from dynamo_es.testing.conformance.language import events
from tests.log import worlds
from tests.log.worlds import A_LOG_OF_EACH_TENANT, ONE_LOG, World, a_sequencer, explore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.dynamodb.wire.steps import Item, Steps


def commit(tenant: str, number: int, version: int = 1, size: int = 1) -> Item:
    stream = StreamId(UUID(int=number), category="order")
    item, _ = commit_item(
        stream_key(tenant_prefix(tenant), stream),
        None,
        events(stream, size),
        version=version,
        generation=1,
        versionless=False,
    )
    return item


ACME_1, ACME_2, ACME_4 = commit("acme", 1), commit("acme", 1, 2, 2), commit("acme", 1, 4)
OTHER_1, OTHER_2 = commit("other", 1), commit("other", 1, 2)
OURS = commit("", 2)


def in_each_tenants(name: str, *batches: list[Item]) -> Steps[None]:
    return a_sequencer(name, *batches, logs=A_LOG_OF_EACH_TENANT)


SCENARIOS = {
    "hints of two tenants, in another order": (
        World.of(ACME_1, OTHER_1, logs=A_LOG_OF_EACH_TENANT),
        (
            lambda: in_each_tenants("a", [ACME_1, OTHER_1]),
            lambda: in_each_tenants("b", [OTHER_1, ACME_1]),
        ),
    ),
    "hints missing, late, and again": (
        World.of(ACME_1, ACME_2, ACME_4, OTHER_1, logs=A_LOG_OF_EACH_TENANT),
        (
            lambda: in_each_tenants("a", [ACME_2], [OTHER_1]),
            lambda: in_each_tenants("b", [ACME_4], [ACME_1]),
        ),
    ),
    "logs that exist": (
        worlds.sequenced(
            World.of(ACME_1, ACME_2, OTHER_1, OTHER_2, OURS, logs=A_LOG_OF_EACH_TENANT),
            [ACME_1, OTHER_1],
        ),
        (
            lambda: in_each_tenants("a", [ACME_2, OTHER_2]),
            lambda: in_each_tenants("b", [OTHER_2, OURS]),
        ),
    ),
}


@pytest.mark.parametrize(("world", "processes"), SCENARIOS.values(), ids=SCENARIOS)
def test_each_log_keeps_its_invariants_in_every_order(world, processes):
    assert explore(world, *processes) > 100


def test_a_log_that_is_not_registered_before_its_first_page_is_noticed(monkeypatch):
    def nothing(_: Any) -> Iterator[Any]:
        return iter(())

    monkeypatch.setattr(sequencer, "register", nothing)
    world, processes = SCENARIOS["hints of two tenants, in another order"]
    with pytest.raises(AssertionError, match="a log is in the registry"):
        explore(world, *processes)


def test_of_two_scopes_at_the_same_moment_one_is_refused(monkeypatch):
    seen = set()

    def check(world: World) -> None:
        scopes = frozenset(log != "log" for log in world.pages_by_log)
        assert len(scopes) < 2, "a table has logs of one scope"
        seen.update(scopes)

    def until_refused(steps: Steps[None]) -> Steps[None]:
        with suppress(LogScopeError):
            yield from steps

    monkeypatch.setattr(worlds, "check_repaired", check)
    explore(
        World.of(ACME_1, OTHER_1),
        lambda: until_refused(a_sequencer("one", [ACME_1], [OTHER_1], logs=ONE_LOG)),
        lambda: until_refused(in_each_tenants("each", [ACME_1], [OTHER_1])),
    )
    assert seen == {False, True}

"""Every fault at every request of a sequencer; called again, it leaves one sound log."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_DNS, uuid5

import pytest

from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.marking import read_markers, versions_of
from dynamo_es.dynamodb.log.pages import read_page
from dynamo_es.dynamodb.log.pointers import Pointer
from dynamo_es.dynamodb.log.sequencer import Tables, sequence
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.exceptions import ServiceError
from dynamo_es.testing.faults import Fault, Network
from tests.log.stores import emulated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.log.stores import Store

# Every fault at every request: some seconds.
pytestmark = pytest.mark.ci

TABLES = Tables("events", "log")
STREAMS = 30
"""Two batches of markers."""


def hints_of(run: int, version: int) -> list[Pointer]:
    """Return one commit of each stream of a run."""
    keys = [f"#order#{uuid5(NAMESPACE_DNS, f'{run} {number}')}" for number in range(STREAMS)]
    traits: dict[str, Any] = {"outbox": False, "versionless": False}
    return [Pointer(key, None, 1, version, 1, ("N",), **traits) for key in keys]


class Process:
    """A sequencer with a memory of its own, whose requests may fail."""

    def __init__(self, store: Store, network: Network, parallel: int) -> None:
        config = replace(store.config, max_parallel=parallel)
        self._gateway = Gateway(
            lambda: store.client, config, sleep=network.sleep, monotonic=network.monotonic
        )
        self._memory = SequencerMemory()

    def sequence(self, hints: Sequence[Pointer]) -> None:
        self.run(sequence(TABLES, hints, self._memory))

    def run(self, steps: Any) -> Any:
        return self._gateway.run("sequence", "", None, steps)


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("fault", list(Fault))
def test_a_sequencer_that_is_called_again_leaves_one_log(fault, parallel, lasting):
    with emulated() as store:
        network = Network(store.client)
        sequenced: list[Pointer] = []
        for position in range(5):
            network.plan(lambda _: None)
            process = Process(store, network, parallel)
            first, second = hints_of(position, 1), hints_of(position, 2)
            process.sequence(first)
            network.plan(_at(position, fault, lasting))
            with network.between():
                failed = _fails(process, second)
            # Every other time a process goes on that knows nothing.
            after = process if position % 2 else Process(store, network, parallel)
            network.heal()
            after.sequence(second)
            sequenced += first + second
            assert lasting or not failed, f"{fault} at request {position} was not survived"
        _check(store, Process(store, network, parallel), sequenced)


def _at(position: int, fault: Fault, lasting: bool) -> Callable[[int], Fault | None]:
    def choose(number: int) -> Fault | None:
        hit = number >= position if lasting else number == position
        return fault if hit else None

    return choose


def _fails(process: Process, hints: Sequence[Pointer]) -> bool:
    try:
        process.sequence(hints)
    except ServiceError:
        return True
    return False


def _check(store: Store, process: Process, sequenced: list[Pointer]) -> None:
    following, pointers, versions = 1, [], {}
    for item in store.client.query(**requests.pages_from(LogKeys("log"), 1, limit=None).params)[
        "Items"
    ]:
        page = read_page(item)
        assert page.first == following, "positions are dense"
        following = page.following
        pointers += page.pointers
        versions.update(versions_of(page))
    assert sorted(pointers) == sorted(sequenced), "a commit has one position"
    assert process.run(read_markers("log", versions)) == versions

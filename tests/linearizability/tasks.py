"""Workers as tasks of one event loop, which may be cancelled wherever they wait."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.aio import AsyncDynamoBackend, unknown_outcome
from dynamo_es.dynamodb.wire.attempts.watching import watch
from dynamo_es.exceptions import UnavailableError
from dynamo_es.testing.faults import Fault, RandomNetwork
from tests.aio.cancelling import Awaits
from tests.linearizability.callers import call_on
from tests.linearizability.histories import Operation
from tests.linearizability.joint_workload import JointWorker
from tests.linearizability.workload import Worker
from tests.without_moto import without_moto

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.linearizability.callers import Task

_CALLS_OF_A_PROCESS: Final = 60
_CANCELLED: Final = 0.15
"""How likely a call is cancelled, at one of its first waits."""
_MOST_WAITS: Final = 4


@dataclass(slots=True)
class _Process:
    """An asynchronous backend that remembers nothing, on a network with faults."""

    backend: AsyncDynamoBackend
    network: RandomNetwork
    awaits: Awaits


async def call_together(tasks: list[Task]) -> tuple[list[Operation], int]:
    """Do the tasks at the same time; return what all of them saw, and how many were cancelled."""
    with without_moto():
        done = await asyncio.gather(*map(_do, tasks))
    seen = [operation for operations, _ in done for operation in operations]
    return seen, sum(cancelled for _, cancelled in done)


async def _do(task: Task) -> tuple[list[Operation], int]:
    random = Random(f"{task.seed} {task.letter}")
    worker_class = JointWorker if task.jointly else Worker
    worker = worker_class(task.letter, Random(random.random()), task.streams)
    seen: list[Operation] = []
    cancelled = 0
    processes: list[_Process] = []
    for number in range(-(-task.calls // _CALLS_OF_A_PROCESS)):
        process = await _new_process(task, random)
        processes.append(process)
        for _ in range(min(_CALLS_OF_A_PROCESS, task.calls - len(seen))):
            stream, call = worker.next_call()
            begun = Operation(f"{task.letter}.{number}", stream, call, time.monotonic_ns())
            if random.random() < _CANCELLED:
                at, done = random.randrange(_MOST_WAITS), random.random() < 0.5
                process.awaits = Awaits(at, done=done)
            result = await _made(process, begun)
            cancelled += isinstance(result, asyncio.CancelledError)
            seen.append(begun.told(time.monotonic_ns(), _as_error(begun, result)))
            worker.learn(seen[-1])
            process.awaits = Awaits()
    for process in processes:
        bridge: Any = process.backend._bridge
        await bridge.run(process.network.deliver_late)
        sender: Any = process.backend._sync.sender()
        sender._endpoint.http_session = process.network._ordinary
        await process.backend.close()
    return seen, cancelled


async def _new_process(task: Task, random: Random) -> _Process:
    backend = AsyncDynamoBackend(task.config)
    bridge: Any = backend._bridge
    client: Any = await bridge.run(backend._sync.sender)
    watch(client)
    network = RandomNetwork(client, random, dict.fromkeys(Fault, task.fault_rate))
    client._sleep = network.sleep
    gateway: Any = backend._sync._gateway
    gateway._sleep, gateway._monotonic = network.sleep, network.monotonic
    process = _Process(backend, network, Awaits())
    own = bridge.wait_for

    def wait_for(awaitable: Coroutine[Any, Any, Any]) -> Any:
        return own(process.awaits.instead(awaitable))

    bridge.wait_for = wait_for
    return process


async def _made(process: _Process, operation: Operation) -> object:
    try:
        return await asyncio.create_task(
            _awaited(call_on(process.backend.storage, operation.stream, operation.call))
        )
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the verdict judges it
        return error


async def _awaited(called: Any) -> Any:
    return await called


def _as_error(operation: Operation, result: object) -> object:
    """Return what a cancelled call tells its caller, as the error of a call that was not."""
    if not isinstance(result, asyncio.CancelledError):
        return result
    lost = UnavailableError("a request", "Cancelled", "the task was cancelled.", str(operation))
    return unknown_outcome(result) or lost

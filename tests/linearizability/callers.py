"""Workers on a DynamoDB that serves several at once: threads or processes."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from dynamo_es import ANY_VERSION, DynamoBackend, DynamoConfig, ExplicitVersioning
from dynamo_es.contracts import StreamAppend, StreamCheck
from dynamo_es.dynamodb.wire.client import make_client
from dynamo_es.testing.faults import Fault, RandomNetwork
from tests.grafting import graft
from tests.linearizability import histories
from tests.linearizability.boundary_workload import BoundaryWorker
from tests.linearizability.histories import (
    Append,
    AppendAll,
    Delete,
    Find,
    Load,
    Operation,
    Save,
    Several,
    Unless,
)
from tests.linearizability.joint_workload import JointWorker
from tests.linearizability.workload import Worker
from tests.without_moto import without_moto

if TYPE_CHECKING:
    from dynamo_es import StorageStrategy
    from tests.linearizability.histories import Call

_CALLS_OF_A_PROCESS: Final = 60
"""Calls after which a process ends and another begins: with no head in its memory, and a new
quota of retries, which the SDK would have used up soon at such a rate of faults."""

_PATIENCE: Final = 1_800
"""Seconds for all calls."""


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker has to do.

    Attributes:
        config: where.
        seed: of all its decisions, and those of its network.
        letter: its name.
        streams: how many it shares with the others.
        calls: how many it makes.
        fault_rate: how likely each kind of fault is, for each HTTP request.
        boundaries: whether the streams are boundaries.
        jointly: whether it appends to several streams, too.
    """

    config: DynamoConfig
    seed: int
    letter: str
    streams: int
    calls: int
    fault_rate: float = 0.05
    boundaries: bool = False
    jointly: bool = False


def call_together(tasks: list[Task], *, processes: bool = False) -> list[Operation]:
    """Do the tasks at the same time, and return what all of them saw."""
    executor: Executor
    if processes:
        # Forked ones would inherit the locks of other threads.
        fresh = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(len(tasks), mp_context=fresh, initializer=_never_sleep)
    else:
        executor = ThreadPoolExecutor(len(tasks))
    with executor, without_moto(), patch("botocore.endpoint.time.sleep", _no_sleep):
        seen = executor.map(do, tasks, timeout=_PATIENCE)
        return [operation for operations in seen for operation in operations]


def do(task: Task) -> list[Operation]:
    """Make the calls of one worker, one after the other, by several processes."""
    random = Random(f"{task.seed} {task.letter}")
    kind: type[Worker] = BoundaryWorker if task.boundaries else Worker
    if task.jointly:
        kind = JointWorker
    worker = kind(task.letter, Random(random.random()), task.streams)
    seen: list[Operation] = []
    made = 0
    late: list[RandomNetwork] = []
    for number in range(-(-task.calls // _CALLS_OF_A_PROCESS)):
        network, storage = _process(task, random)
        name = f"{task.letter}.{number}"
        for _ in range(min(_CALLS_OF_A_PROCESS, task.calls - made)):
            made += 1
            stream, call = worker.next_call()
            for told in make(storage, Operation(name, stream, call, time.monotonic_ns())):
                seen.append(told)
                worker.learn(told)
        if task.config.transport == "default":
            assert network.directly == network.sent > 0, "the default transport stepped back"
        late.append(network)
    for network in late:
        network.deliver_late()
    return seen


def _no_sleep(_: float) -> None:
    """The SDK waits before it tries again; a test has no need to."""


def _never_sleep() -> None:
    patch("botocore.endpoint.time.sleep", _no_sleep).start()


def _process(task: Task, random: Random) -> tuple[RandomNetwork, StorageStrategy]:
    client = make_client(task.config)
    graft(client, task.config)
    network = RandomNetwork(client, random, dict.fromkeys(Fault, task.fault_rate))
    backend = DynamoBackend(task.config, client, monotonic=network.monotonic, sleep=network.sleep)
    return network, backend.storage


def make(storage: StorageStrategy, operation: Operation) -> list[Operation]:
    """Make a call, and return the operations of it as its caller saw them end."""
    result: object = None
    try:
        result = _call(storage, operation.stream, operation.call)
    except Exception as error:  # noqa: BLE001 - the verdict says whether it is a right one
        result = error
    return operation.each_told(time.monotonic_ns(), result)


def _call(storage: StorageStrategy, number: int, call: Call) -> object:  # noqa: PLR0911 - one a case
    stream_id = histories.stream_id(number)
    match call:
        case Append(expected, labels):
            versioning = ANY_VERSION if expected is None else ExplicitVersioning(expected)
            events = [histories.event(number, label) for label in labels]
            return storage.insert_events(stream_id, versioning, events)
        case AppendAll(parts, unchanged):
            return storage.insert_all(
                [
                    StreamAppend(
                        histories.stream_id(at),
                        ExplicitVersioning(append.expected or 0),
                        [histories.event(at, label) for label in append.events],
                    )
                    for at, append in parts
                ],
                unchanged=[
                    StreamCheck(histories.stream_id(at), ExplicitVersioning(version))
                    for at, version in unchanged
                ],
            )
        case Load(start, stop):
            return storage.fetch_events(stream_id, start, stop)
        case Save():
            return storage.save_snapshot(histories.snapshot(number, call))
        case Delete():
            return storage.delete_stream(stream_id)
        case Find(query, _, _):
            seen = histories.seen_to(call)
            return storage.fetch_matching(stream_id, histories.query_of(query), seen)
        case Unless():
            [result] = storage.insert_unless(stream_id, [histories.conditional(number, call)])
            return result
        case Several(parts):
            appends = [histories.conditional(number, part) for part in parts]
            return storage.insert_unless(stream_id, appends)


def look(config: DynamoConfig, streams: int) -> list[Operation]:
    """Load every stream, when all is over, by a process that remembers nothing."""
    storage = DynamoBackend(config).storage
    return [
        told
        for number in range(1, streams + 1)
        for call in (Load(), Load(1))
        for told in make(storage, Operation("z", number, call, time.monotonic_ns()))
    ]


def in_moments(history: list[Operation]) -> list[Operation]:
    """Return a history with small numbers for times, in the same order."""
    times = sorted({at for one in history for at in (one.invoked, one.returned)})
    moment = {at: number for number, at in enumerate(times, 1)}
    return [one.between(moment[one.invoked], moment[one.returned]) for one in history]

"""A table whose eventually consistent queries show any older state, of the page or of each item.

DynamoDB answers them from a replica that is mostly milliseconds late. No local engine does. This
one is later than any replica ever is, and each item of a page may be of another time.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

from dynamo_es import DynamoConfig
from dynamo_es.dynamodb.storage import DynamoStorage
from dynamo_es.dynamodb.streams.remembered.heads import RememberedHeads
from dynamo_es.dynamodb.subject_keys.storage import DynamoKeyStorage
from dynamo_es.dynamodb.wire.errors import OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Pause, Together
from dynamo_es.facade.event_store import EventStoreAccess
from dynamo_es.values import DEFAULT_TENANT
from tests.linearizability.tiny_dynamo import TinyDynamo
from tests.parts import requests_of

if TYPE_CHECKING:
    from random import Random

    from dynamo_es import EventStore
    from dynamo_es.dynamodb.wire.steps import Item, Request, Response, Steps, T

CONFIG: Final = DynamoConfig(events_table="events", log_table="log", keys_table="keys")

_State = dict[str, dict[int, "Item"]]


class StaleDynamo(TinyDynamo):
    """The table.

    Args:
        random: chooses how old each answer is.

    Attributes:
        requests: operations so far, each with whether it was consistent.
    """

    def __init__(self, random: Random) -> None:
        super().__init__(lambda: random.choice([None, None, 1, 2, 5]))
        self._random = random
        self._states: list[_State] = [{}]
        self.requests: list[tuple[str, bool]] = []

    def answer(self, request: Request, token: str | None = None) -> Response:
        consistent = request.params.get("ConsistentRead", True)
        self.requests.append((request.operation, consistent))
        if request.operation == "query" and not consistent:
            now, self._partitions = self._partitions, self._older()
            try:
                return super().answer(request, token)
            finally:
                self._partitions = now
        try:
            return super().answer(request, token)
        finally:
            if request.operation not in {"query", "get_item"}:
                self._states.append({key: dict(at) for key, at in self._partitions.items()})

    def _older(self) -> _State:
        random = self._random
        oldest = random.choice([0, max(len(self._states) - 4, 0), len(self._states) - 1])
        if random.random() < 0.5:
            return self._states[random.randrange(oldest, len(self._states))]
        mixed: _State = {}
        for key in {key for state in self._states[oldest:] for key in state}:
            places = {at for state in self._states[oldest:] for at in state.get(key, {})}
            for at in places:
                state = self._states[random.randrange(oldest, len(self._states))]
                if at in state.get(key, {}):
                    mixed.setdefault(key, {})[at] = state[key][at]
        return mixed


class Direct:
    """A gateway to the table, without retries: nothing fails on the way."""

    def __init__(self, table: StaleDynamo) -> None:
        self._table = table

    def run(self, operation: str, tenant_id: str, stream_id: object, steps: Steps[T]) -> T:
        """Run an algorithm; see `Gateway.run`."""
        answer: Any = None
        failure: Exception | None = None
        while True:
            try:
                request = steps.send(answer) if failure is None else steps.throw(failure)
            except StopIteration as end:
                return end.value
            except OutcomeUnknown as unknown:
                raise unknown.error from unknown
            answer, failure = None, None
            if isinstance(request, Pause):
                answer = {}
                continue
            answers = [self._answer(part) for part in requests_of(request)]
            if isinstance(request, Together):
                answer = answers
            elif isinstance(answers[0], Exception):
                failure = answers[0]
            else:
                answer = answers[0]

    def _answer(self, request: Request) -> Response | Exception:
        try:
            return self._table.answer(request)
        except Exception as error:  # noqa: BLE001 - the algorithm decides
            return error


class Processes:
    """Processes that share a table.

    Args:
        table: the table.
    """

    def __init__(self, table: StaleDynamo) -> None:
        self._gateway: Any = Direct(table)
        ticks = itertools.count(1_700_000_000_000)
        self._clock = lambda: next(ticks) / 1000

    def storage(self, remembered: int = 9) -> DynamoStorage:
        """Return the storage of a new process."""
        heads = RememberedHeads(remembered, self._clock)
        return DynamoStorage(CONFIG, self._gateway, heads, self._clock)

    def event_store(self, storage: DynamoStorage) -> EventStore:
        """Return the event store over a storage, whose loads need not be consistent."""
        keys = DynamoKeyStorage(CONFIG, self._gateway, self._clock)
        access = EventStoreAccess(lambda: keys, None, self._clock, consistent=False)
        return access.event_store(storage, DEFAULT_TENANT)

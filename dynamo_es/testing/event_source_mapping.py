"""`EventSourceMapping`: delivers the records of a table's stream as Lambda does."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from dynamo_es.contracts.checks.arguments import check_callable, check_kind
from dynamo_es.contracts.checks.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.exceptions import InputError
from dynamo_es.testing.batches import (
    Batch,
    Rules,
    after_failure,
    after_success,
    answer_error,
    failed_from,
    failure_record,
    numbers_of,
    reason_to_give_up,
)
from dynamo_es.testing.clock import FrozenClock
from dynamo_es.testing.lambda_context import Killed, LambdaContext
from dynamo_es.testing.stream_records import (
    ShardRecord,
    check_count,
    shard_of,
    slot_of,
    stream_records,
    wrapped,
)
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable

Result: TypeAlias = Literal["done", "partly", "failed"]

_LONGEST_WAIT: Final = 60.0
_DOUBLINGS: Final = 6
_MOST_SLOTS: Final = 10


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of the function.

    Attributes:
        lane: shard and slot of the records, 0-based; the calls of a lane come one after the other.
        numbers: sequence numbers of the records.
        result: ``done``: all records were handled; ``partly``: only the first ones; ``failed``:
            none.
        error: the error that the function raised.
    """

    lane: tuple[int, int]
    numbers: tuple[str, ...]
    result: Result
    error: BaseException | None = None


@dataclass(slots=True)
class Delivery:
    """The calls that `EventSourceMapping.deliver` made.

    Attributes:
        invocations: the calls, in the order in which they ended.
        discarded: the failure records of discarded batches, for the on-failure destination.
    """

    invocations: list[Invocation] = field(default_factory=list)
    discarded: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class _Lane:
    """Records that Lambda delivers one batch after the other."""

    place: tuple[int, int]
    unread: deque[list[ShardRecord]] = field(default_factory=deque)
    current: list[Batch] = field(default_factory=list)
    failures: int = 0

    @property
    def busy(self) -> bool:
        return bool(self.unread or self.current)


class EventSourceMapping:
    """Calls a function with the records of a table's stream, by Lambda's rules.

    ::

        mapping = EventSourceMapping(handler, batch_size=10, duplicates=0.2, seed=1)
        delivery = mapping.deliver(backend)
        assert [call.result for call in delivery.invocations] == ["done"]

    - The records of a shard come in order, in batches. No later record is read before a batch is
      done or discarded. Shards do not wait for each other.
    - After an error, the batch comes again. After a report of failures, the records from the lowest
      failed one on come again.
    - A batch is discarded after the last retry, or when its records are too old. It goes to the
      on-failure destination, and the shard continues.

    A test does not wait. The waits between tries (1 s, then twice as long each time, at most 60 s)
    pass on the mapping's own clock, or on ``clock``.

    Args:
        handler: called with an event and a context, as by Lambda. Raise `Killed` in it to imitate
            an end without a reply, such as a time-out.
        batch_size: the most records in a call.
        report_batch_item_failures: whether Lambda reads the failures that the function reports, as
            all handlers of `dynamo_es.aws_lambda` do. With False, Lambda's own default, it ignores
            the report and treats all records as done.
        bisect_batch_on_function_error: whether to halve a batch after an error, without using a
            retry.
        maximum_retry_attempts: the most retries of a batch; -1: no limit.
        maximum_record_age: how many seconds a record may wait after it was read; -1: a day, after
            which the stream drops it.
        shards: number of shards. The partition keys decide on the shard of a record.
        parallelization_factor: how many batches of a shard are delivered at the same time, 1 to 10.
            Lambda keeps only the order of each item, so the events of a stream may come out of
            order.
        duplicates: the probability that Lambda calls again with a batch that was done, from 0 to
            below 1.
        concurrent: whether to call the function for each shard in a separate thread.
        on_failure: a list that gets the failure records, or a function that is called with each;
            None: a discarded batch fails the test.
        wanted: returns whether Lambda's filter passes a record; None: all records pass.
        context: returns Lambda's context for a call; None: one with 60 s.
        table: name of the table; None: the events table.
        clock: a clock that the waits between tries move; None: the mapping has its own.
        seed: seed for the order of the shards and for the duplicates.

    Raises:
        InputError: a value out of range.
    """

    def __init__(  # noqa: PLR0913 - the settings of a mapping, each by its name
        self,
        handler: Callable[[dict[str, Any], Any], object],
        *,
        batch_size: int = 100,
        report_batch_item_failures: bool = True,
        bisect_batch_on_function_error: bool = False,
        maximum_retry_attempts: int = -1,
        maximum_record_age: float = -1,
        shards: int = 1,
        parallelization_factor: int = 1,
        duplicates: float = 0.0,
        concurrent: bool = False,
        on_failure: list[dict[str, Any]] | Callable[[dict[str, Any]], object] | None = None,
        wanted: Callable[[dict[str, Any]], bool] | None = None,
        context: Callable[[], Any] | None = None,
        table: str | None = None,
        clock: FrozenClock | None = None,
        seed: int = 0,
    ) -> None:
        check_callable("handler", handler)
        refuse_asynchronous(handler, "handler")
        check_count("batch_size", batch_size)
        check_count("shards", shards)
        check_count("parallelization_factor", parallelization_factor)
        check_count("maximum_retry_attempts", maximum_retry_attempts, -1)
        if parallelization_factor > _MOST_SLOTS:
            raise InputError(
                f"parallelization_factor must be 1 to {_MOST_SLOTS}, not "
                f"{shown(parallelization_factor)}."
            )
        if isinstance(duplicates, bool) or not 0 <= duplicates < 1:
            raise InputError(f"duplicates must be from 0 to below 1, not {shown(duplicates)}.")
        if clock is not None:
            check_kind("clock", clock, FrozenClock)
        self._handler = handler
        self._batch_size = batch_size
        self._rules = Rules(
            report_batch_item_failures,
            bisect_batch_on_function_error,
            maximum_retry_attempts,
            maximum_record_age,
        )
        self._shards = shards
        self._slots = parallelization_factor
        self._duplicates = duplicates
        self._concurrent = concurrent
        self._on_failure = on_failure
        self._wanted = wanted
        self._context = context or LambdaContext
        self._table = table
        self._clock = clock or FrozenClock()
        self._random = Random(seed)  # noqa: S311 - for the order of a test
        self._lanes: dict[tuple[int, int], _Lane] = {}
        self._read: defaultdict[str, int] = defaultdict(lambda: -1)
        self._lock = Lock()

    def deliver(self, source: DynamoBackend | Iterable[dict[str, Any]]) -> Delivery:
        """Call the function until all records are done or discarded.

        Args:
            source: a backend: delivers the records that its stream got since the last call or gets
                in the meantime. Or records. Or events of `lambda_events`, each of which stays one
                batch.

        Raises:
            AssertionError: a batch was discarded, and there is no on-failure destination.
            InputError: the source has no stream, or the function returned something that Lambda
                does not read.
        """
        delivery = Delivery()
        if not isinstance(source, DynamoBackend):
            if not isinstance(source, Iterable):
                raise InputError(
                    "deliver needs a DynamoBackend, whose tables have streams, or records, not "
                    f"{shown(source)}: use the fixture dynamo_backend, or DynamoBackend.local()."
                )
            self._take_given(list(source))
            self._drain(delivery)
            return delivery
        while self._take_new(source):
            self._drain(delivery)
        return delivery

    def _take_new(self, backend: DynamoBackend) -> bool:
        """Take the new records of the stream; return whether there are any."""
        fresh = []
        for one in stream_records(backend, self._table):
            if int(one.number) > self._read[one.shard_id]:
                self._read[one.shard_id] = int(one.number)
                fresh.append(one)
        self._divide(fresh)
        return any(lane.busy for lane in self._lanes.values())

    def _take_given(self, given: list[dict[str, Any]]) -> None:
        for one in given:
            check_kind("A record", one, dict)
        if all("Records" in one for one in given):
            lane = self._lane((0, 0))
            for event in given:
                kept = [one for one in wrapped(event["Records"]) if self._passes(one)]
                if kept:
                    lane.unread.append(kept)
            return
        self._divide(wrapped(given))

    def _divide(self, records: list[ShardRecord]) -> None:
        """Put records into their lanes, in batches."""
        divided: defaultdict[tuple[int, int], list[ShardRecord]] = defaultdict(list)
        for one in records:
            if self._passes(one):
                place = (shard_of(one.record, self._shards), slot_of(one.record, self._slots))
                divided[place].append(one)
        for place, found in divided.items():
            lane = self._lane(place)
            for at in range(0, len(found), self._batch_size):
                lane.unread.append(found[at : at + self._batch_size])

    def _passes(self, one: ShardRecord) -> bool:
        return self._wanted is None or bool(self._wanted(one.record))

    def _lane(self, place: tuple[int, int]) -> _Lane:
        return self._lanes.setdefault(place, _Lane(place))

    def _drain(self, delivery: Delivery) -> None:
        """Call the function until no lane has work."""
        if self._concurrent:
            with ThreadPoolExecutor(max(1, len(self._lanes))) as threads:
                runs = [
                    threads.submit(self._finish, lane, delivery) for lane in self._lanes.values()
                ]
                for run in runs:
                    run.result()
            return
        while busy := [lane for lane in self._lanes.values() if lane.busy]:
            self._call(self._random.choice(busy), delivery)

    def _finish(self, lane: _Lane, delivery: Delivery) -> None:
        while lane.busy:
            self._call(lane, delivery)

    def _call(self, lane: _Lane, delivery: Delivery) -> None:
        """Call the function once for a lane, or discard the lane's batch."""
        if not lane.current:
            lane.current = [Batch(tuple(lane.unread.popleft()), self._clock())]
        batch = lane.current.pop(0)
        reason = reason_to_give_up(self._rules, batch, self._clock())
        if reason is not None:
            self._give_up(batch, reason, delivery)
            lane.failures = 0
            return
        event = {"Records": [deepcopy(one.record) for one in batch.records]}
        error: BaseException | None = None
        answer: object = None
        try:
            answer = self._handler(event, self._context())
        except (Exception, Killed) as raised:  # noqa: BLE001 - Lambda treats all errors the same
            error = raised
        refuse_unfinished(answer, self._handler, "handler")
        error = error or answer_error(answer)
        self._record(lane, batch, answer, error, delivery)

    def _record(
        self,
        lane: _Lane,
        batch: Batch,
        answer: object,
        error: BaseException | None,
        delivery: Delivery,
    ) -> None:
        """Record a call, and put the batches to try next before the lane's other batches."""
        first_failed = 0 if error is not None else failed_from(self._rules, batch, answer)
        result: Result = "done"
        again: list[Batch] = []
        if error is not None:
            result, again = "failed", after_failure(self._rules, batch, error)
        elif first_failed is not None:
            result = "partly" if first_failed else "failed"
            again = after_success(self._rules, batch, first_failed)
        with self._lock:
            delivery.invocations.append(
                Invocation(lane.place, numbers_of(batch.records), result, error)
            )
            if result == "done" and self._random.random() < self._duplicates:
                again = [batch]
            elif result == "failed":
                self._clock.advance(min(2.0 ** min(lane.failures, _DOUBLINGS), _LONGEST_WAIT))
        lane.failures = lane.failures + 1 if result == "failed" else 0
        lane.current[:0] = again

    def _give_up(self, batch: Batch, reason: str, delivery: Delivery) -> None:
        told = failure_record(batch, reason)
        with self._lock:
            delivery.discarded.append(told)
        if self._on_failure is None:
            count = len(batch.records)
            raise AssertionError(
                f"Lambda discards {count} record{'' if count == 1 else 's'} after {batch.calls} "
                f"calls ({reason}), but the mapping has no on_failure destination. The records "
                f"are {numbers_of(batch.records)}."
            ) from batch.error
        if isinstance(self._on_failure, list):
            self._on_failure.append(told)
        else:
            self._on_failure(told)

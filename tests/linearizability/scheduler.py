"""Runs several processes in one thread, interleaved request by request, by a seed.

The store's algorithms are generators. So the scheduler decides which process goes next, whether
each attempt of a request arrives, when late attempts arrive, and where a process dies. The same
seed makes the same history. One second has more races than threads have in an hour.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from dynamo_es import ANY_VERSION, ExplicitVersioning, StreamId
from dynamo_es.contracts.boundaries.candidates import (
    Candidate,
)
from dynamo_es.contracts.stream_keys import stream_key
from dynamo_es.dynamodb.streams import delete as deletion
from dynamo_es.dynamodb.streams import snapshot as snapshots
from dynamo_es.dynamodb.streams.appending import append as appending
from dynamo_es.dynamodb.streams.appending import append_unless
from dynamo_es.dynamodb.streams.appending.append_many import append_to_many
from dynamo_es.dynamodb.streams.boundaries.matching import fetch_matching
from dynamo_es.dynamodb.streams.loading import load as reading
from dynamo_es.dynamodb.streams.remembered.heads import HEAD_SECONDS, RememberedHeads
from dynamo_es.dynamodb.streams.stream import Stream
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.partiql.statements import execute
from dynamo_es.dynamodb.wire.steps import Pause, Request, Together
from dynamo_es.exceptions import (
    ContentionError,
    EventStoreError,
    ThrottledError,
    UnavailableError,
)
from dynamo_es.testing.faults import Fault
from tests.linearizability import histories
from tests.linearizability.conditions import Conditions
from tests.linearizability.histories import (
    Append,
    AppendAll,
    Delete,
    Find,
    Load,
    Operation,
    Outcome,
    Save,
    Several,
    Unless,
)
from tests.linearizability.tiny_dynamo import TinyDynamo
from tests.linearizability.under_way import Part, Run, as_told
from tests.linearizability.workload import Worker
from tests.parts import parts_of, requests_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.dynamodb.wire.steps import Response, Steps
    from tests.linearizability.histories import Call

_READS: Final = {"get_item", "query", "batch_get_item"}
_LATEST: Final = 7
"""Days after which no request is under way any more, and no fence has to stand."""
_MOST_RACES: Final = 30
"""Lost in a row, after which the deadline of an operation is over."""


class Dynamo(Protocol):
    """What carries out requests."""

    def answer(self, request: Request, token: str | None = None) -> Response: ...


class Process:
    """A process, which has a memory and a clock of its own."""

    def __init__(self, schedule: Schedule, worker: Worker, skew: float) -> None:
        self._schedule, self.worker, self._skew = schedule, worker, skew
        self.starts = 0
        self.run: Run | None = None
        self.restart()

    @property
    def name(self) -> str:
        return f"{self.worker.letter}.{self.starts}"

    def restart(self) -> None:
        """Begin with an empty memory."""
        self.starts += 1
        self.run = None
        self._heads = RememberedHeads(100, self.clock)

    def clock(self) -> float:
        return self._schedule.now + self._skew

    def steps(self, number: int, call: Call) -> Steps[Any]:  # noqa: PLR0911 - one a case
        stream = self.stream(number)
        match call:
            case Append(expected, labels):
                versioning = ANY_VERSION if expected is None else ExplicitVersioning(expected)
                events = [histories.event(number, label) for label in labels]
                append = appending.Append.of(stream, versioning, events)
                return self._with_another(append) if self._schedule.chance(0.3) else append.run()
            case Load(start, stop):
                return reading.load(stream, start, stop)
            case Save(version, _):
                return snapshots.save_snapshot(stream, histories.snapshot(number, call), version)
            case Delete():
                return deletion.delete_stream(stream)
            case Find(query, _, _):
                return fetch_matching(stream, histories.query_of(query), histories.seen_to(call))
            case Unless():
                return self._unless(stream, number, [call])
            case Several(parts):
                return self._unless(stream, number, parts)
            case AppendAll():
                raise AssertionError("a joint schedule carries it out")

    def _unless(self, stream: Stream, number: int, calls: Sequence[Unless]) -> Steps[Any]:
        appends = [histories.conditional(number, call) for call in calls]
        candidates = [Candidate(stream.id, append) for append in appends]
        results = yield from append_unless.ConditionalAppends(stream, candidates).run()
        if len(results) > 1:
            return results
        if isinstance(results[0], Exception):
            raise results[0]
        return results[0]

    def stream(self, number: int) -> Stream:
        """Return a stream, as this process remembers it."""
        stream_id = histories.stream_id(number)
        return Stream("events", stream_key("", stream_id), stream_id, self._heads, self.clock)

    def _with_another(self, append: appending.Append) -> Steps[Any]:
        """Append, in one call with an append to a stream that nobody else uses."""
        name = f"another {self._schedule.moment()}"
        other = StreamId(name=name)
        stream = Stream("events", stream_key("", other), other, self._heads, self.clock)
        event = replace(histories.event(1, name), stream_id=other)
        both = [append, appending.Append.of(stream, ExplicitVersioning(0), [event])]
        result = (yield from append_to_many(both))[0]
        if isinstance(result, Exception):
            raise result
        return result


class Schedule:
    """One history, from nothing to a store that has come to rest.

    Args:
        seed: decides everything.
        conditions: None: the seed decides.
        dynamo: what carries out the requests; None: a `TinyDynamo` with small pages.
        worker: chooses the calls.

    Attributes:
        history: the operations that have ended.
        conditions: under which it came about.
        now: seconds since the epoch.
    """

    process_class: ClassVar[type[Process]] = Process

    def __init__(
        self,
        seed: int,
        conditions: Conditions | None = None,
        dynamo: Dynamo | None = None,
        worker: type[Worker] = Worker,
    ) -> None:
        self._seed = seed
        self._worker_class = worker
        self._random = random = Random(seed)
        self.conditions = Conditions.any(random) if conditions is None else conditions
        page = random.choice((None, 1, 2, 3, 5))
        self._dynamo = TinyDynamo(lambda: page) if dynamo is None else dynamo
        self.history: list[Operation] = []
        self._stormy = True
        self.now = 1_700_000_000.0
        self._moments = 0
        self._late: deque[tuple[Request, str]] = deque()
        self._processes = [
            self.process_class(self, self.worker(letter), random.uniform(0, self.conditions.skew))
            for letter in "abcdefgh"[: self.conditions.workers]
        ]

    def worker(self, letter: str) -> Worker:
        """Return what decides the calls of a process."""
        seed = self._random.random()
        return self._worker_class(
            letter, Random(seed), self.conditions.streams, self.conditions.deletions
        )

    def run(self, operations: int = 60) -> list[Operation]:
        """Return the history of that many operations, and of a last process that looks."""
        while operations:
            self._tick()
            if self._late and self._random.random() < 0.05:
                self._deliver(self._random.randrange(len(self._late)))
            if not any(process.run for process in self._processes):
                self._leap()
            process = self._random.choice(self._processes)
            if process.run is not None:
                self._step(process)
            else:
                self._invoke(process, *process.worker.next_call())
                operations -= 1
        self._come_to_rest()
        self._look()
        return self.history

    def _come_to_rest(self) -> None:
        self._stormy = False
        while busy := [process for process in self._processes if process.run]:
            self._tick()
            self._step(self._random.choice(busy))
        while self._late:
            self._deliver(0)

    def _look(self) -> None:
        """From wherever the stream is, a process alone can read, append, delete and create."""
        last = self.process_class(self, Worker("z", self._random, 0), 0)
        for stream in range(1, self.conditions.streams + 1):
            calls: tuple[Call, ...] = (
                Load(),
                Load(1),
                Append(None, (f"z{stream}a",)),
                Load(1),
                Delete(),
                Load(1),
                Append(0, (f"z{stream}b", f"z{stream}c")),
                Append(2, (f"z{stream}d",)),
                Load(),
            )
            for call in calls:
                self._invoke(last, stream, call)
                while last.run is not None:
                    self._tick()
                    self._step(last)
                told = self.history[-1]
                answered = told.outcome in (Outcome.OK, Outcome.REFUSED)
                assert answered, f"seed {self._seed}: nobody else is there, and yet: {told}"

    def _tick(self) -> None:
        self.now += self.conditions.tick

    def moment(self) -> int:
        """Return the next of the numbers that stand for times."""
        self._moments += 1
        return self._moments

    def chance(self, likely: float) -> bool:
        """Return True this often."""
        return self._random.random() < likely

    def _leap(self) -> None:
        if self._random.random() >= self.conditions.leap_rate:
            return
        days = self._random.choice((0.5, 1.5, _LATEST + 1))
        self.now += days * HEAD_SECONDS
        if days > _LATEST and isinstance(self._dynamo, TinyDynamo):
            self._late.clear()
            self._dynamo.expire(self.now, lambda: self._random.random() < 0.5)

    def _deliver(self, place: int) -> None:
        request, token = self._late[place]
        del self._late[place]
        with suppress(ConditionRefused):  # nobody is told
            self._dynamo.answer(request, token)

    def _invoke(self, process: Process, stream: int, call: Call) -> None:
        operation = Operation(process.name, stream, call, self.moment())
        steps = process.steps(stream, call)
        process.run = Run(operation, steps, Pause(0))
        self._go_on(process, process.run, None)

    def _go_on(self, process: Process, run: Run, reply: Any) -> None:
        """Hand an algorithm what came back; it says what it sends next, or ends."""
        try:
            if isinstance(reply, Exception):
                run.sending = run.steps.throw(reply)
            else:
                run.sending = run.steps.send(reply)  # None begins it
        except StopIteration as end:
            self._end(process, run, end.value)
        except OutcomeUnknown as unknown:
            self._end(process, run, unknown.error)
        except EventStoreError as error:
            self._end(process, run, error)
        else:
            sending = run.sending
            requests = () if isinstance(sending, Pause) else requests_of(sending)
            run.parts = [
                Part(request, self._random.choice((1, 2, 4)), f"token {self.moment()}")
                for request in requests
            ]

    def _end(self, process: Process, run: Run, result: object) -> None:
        for operation in run.operation.each_told(self.moment(), result):
            self.history.append(operation)
            process.worker.learn(operation)
        process.run = None

    def _step(self, process: Process) -> None:
        run = process.run
        assert run is not None
        if self._stormy and self._random.random() < self.conditions.crash_rate:
            self._crash(process, run)
        elif not isinstance(run.sending, Pause):
            self._attempt(run, self._random.choice(run.left))
            if not run.left:
                outcomes = [part.outcome for part in run.parts]
                together = isinstance(run.sending, Together)
                self._go_on(process, run, outcomes if together else outcomes[0])
        elif run.in_time and run.sending.attempt < _MOST_RACES:
            self._go_on(process, run, {})
        else:
            self._go_on(process, run, ContentionError("PutItem", "LostRaces", "too often."))

    def _crash(self, process: Process, run: Run) -> None:
        for part in run.left:
            if self._random.random() < 0.5:
                self._put_off(part)
        process.restart()
        is_read = isinstance(run.operation.call, Load | Find)
        outcome = Outcome.FAILED if is_read else Outcome.UNKNOWN
        for lost in run.operation.each_told(self.moment(), None):
            self.history.append(replace(lost, outcome=outcome, error="crash: it died"))

    def _put_off(self, part: Part) -> None:
        """Let a request arrive late: a batch statement by statement, and perhaps not all of it."""
        if part.request.operation in _READS:
            return
        pieces = parts_of(part.request)
        kept = [piece for piece in pieces if len(pieces) == 1 or self._random.random() < 0.8]
        self._late += [(piece, part.token) for piece in kept]

    def _attempt(self, run: Run, part: Part) -> None:
        """Send a request once, as the SDK would, and let it try again if that fails."""
        fault = self._fault()
        reply: Response | Exception | None = None
        if fault is Fault.LATE:
            self._put_off(part)
        if fault is Fault.PARTLY_THROTTLED:
            reply = self._answer_in_part(part)
            fault = None
        elif fault not in (Fault.LATE, Fault.LOST_REQUEST, Fault.THROTTLED):
            reply = self._answer(part)
        if fault is Fault.DELIVERED_TWICE:
            reply = self._answer(part)
        if fault is Fault.PAST_THE_DEADLINE:
            run.in_time = False
        if fault in (None, Fault.DELIVERED_TWICE, Fault.PAST_THE_DEADLINE):
            part.outcome = as_told(part, reply)
            return
        part.maybe_landed = part.maybe_landed or fault is not Fault.THROTTLED
        part.attempts_left -= 1
        if not part.attempts_left:
            kind = ThrottledError if fault is Fault.THROTTLED else UnavailableError
            failure: Exception = kind(part.request.operation, str(fault), "injected.")
            if part.maybe_landed and part.request.operation not in _READS:
                failure = OutcomeUnknown(failure)  # type: ignore[arg-type]  # made above
            part.outcome = failure

    def _answer_in_part(self, part: Part) -> Response | Exception:
        """Carry out some statements of a batch; throttle the others."""
        if part.request.operation != "batch_execute_statement":
            return self._answer(part)
        answers: list[Any] = []
        for statement in part.request.params["Statements"]:
            if self._random.random() < 0.5:
                answers.append({"Error": {"Code": "ThrottlingError"}})
            else:
                answers += self._dynamo.answer(execute([statement]))["Responses"]
        return {"Responses": answers}

    def _answer(self, part: Part) -> Response | Exception:
        try:
            return self._dynamo.answer(part.request, part.token)
        except ConditionRefused as refused:
            return refused

    def _fault(self) -> Fault | None:
        if not self._stormy or not self.conditions.fault_rate:
            return None
        place = int(self._random.random() / self.conditions.fault_rate)
        kinds: list[Fault] = list(Fault)
        return kinds[place] if place < len(kinds) else None

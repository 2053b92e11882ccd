"""Both tables as values: the effect of requests, and every state that can be reached."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dynamo_es.dynamodb.log.keys import is_pages_key
from dynamo_es.dynamodb.log.logs import Logs, Memories
from dynamo_es.dynamodb.log.pages import SCOPE, Page, read_page
from dynamo_es.dynamodb.log.pointers import Pointer, pointer_to
from dynamo_es.dynamodb.log.sequencer import Tables, sequence
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.streams.items import fence_item, is_fence
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Pause, Request, Together
from tests.linearizability.tiny_dynamo import holds
from tests.parts import answer_batch, parts_of, reply_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from dynamo_es.dynamodb.wire.steps import Item, Response, Steps

TABLES: Final = Tables("events", "log")
ONE_LOG: Final = Logs("events", "log")
A_LOG_OF_EACH_TENANT: Final = Logs("events", "log", per_tenant=True)


class World(NamedTuple):
    """Both tables; never changed, so that many worlds can be kept."""

    log: Mapping[tuple[str, str], Item]
    events: Mapping[tuple[str, int], Item]
    logs: Logs = ONE_LOG

    @classmethod
    def of(cls, *commits: Item, logs: Logs = ONE_LOG) -> World:
        return cls({}, {_event_key(item): item for item in commits}, logs)

    @property
    def print(self) -> tuple[Any, ...]:
        return (
            tuple(sorted((key, repr(item)) for key, item in self.log.items())),
            tuple(sorted((key, repr(item)) for key, item in self.events.items())),
        )

    @property
    def pages(self) -> list[Page]:
        """The pages of all logs."""
        return [page for log in sorted(self.pages_by_log) for page in self.pages_by_log[log]]

    @property
    def pages_by_log(self) -> dict[str, list[Page]]:
        """The pages of each log, by its key."""
        found: dict[str, list[Page]] = {}
        for key in sorted(self.log):
            if is_pages_key(key[0]) and SCOPE not in self.log[key]:
                found.setdefault(key[0], []).append(read_page(self.log[key]))
        return found

    @property
    def hints(self) -> list[Pointer]:
        return [pointer_to(item) for _, item in sorted(self.events.items()) if not is_fence(item)]

    def answer(self, request: Request) -> tuple[World, Response]:  # noqa: PLR0911 - one for each kind
        """Carry out a request: the next world, and the reply."""
        params = request.params
        match request.operation:
            case "write_event":
                item = params["Item"]
                return self._replace(events={**self.events, _event_key(item): item}), {}
            case "query" if params["TableName"] == TABLES.log:
                return self, self._pages(params)
            case "query":
                return self, self._commits(**params["ExpressionAttributeValues"])
            case "get_item":
                found = self.log.get(log_key(params["Key"]))
                return self, {} if found is None else {"Item": found}
            case "batch_get_item":
                keys = [log_key(key) for key in params["RequestItems"][TABLES.log]["Keys"]]
                items = [self.log[key] for key in keys if key in self.log]
                return self, {"Responses": {TABLES.log: items}}
            case "put_item":
                key = log_key(params["Item"])
                if "ConditionExpression" in params and key in self.log:
                    raise ConditionRefused([None], maybe_landed=False)
                return self._replace(log={**self.log, key: params["Item"]}), {}
            case "update_item":
                return self._updated(params), {}
            case "batch_execute_statement":
                return self._executed(request)
        raise NotImplementedError(request.operation)

    def _pages(self, params: Mapping[str, Any]) -> Response:
        log = params["ExpressionAttributeValues"][":log"]["S"]
        keys = sorted(key for key in self.log if key[0] == log)
        if not params.get("ScanIndexForward", True):
            return {"Items": [self.log[key] for key in keys[-1:]]}
        start, limit = params["ExpressionAttributeValues"][":place"]["S"], params["Limit"]
        found = [self.log[key] for key in keys if key[1] >= start]
        more = {} if len(found) <= limit else {"LastEvaluatedKey": {}}
        return {"Items": found[:limit], **more}

    def _updated(self, params: Mapping[str, Any]) -> World:
        key, values = log_key(params["Key"]), params["ExpressionAttributeValues"]
        stored = self.log.get(key)
        if not holds(params["ConditionExpression"], stored or {}, values):
            all_old = "ReturnValuesOnConditionCheckFailure" in params
            raise ConditionRefused([stored if all_old else None], maybe_landed=False)
        # Only the version of a marker is ever changed.
        (version,) = (values[name] for name in values if name in {":version", ":set0"})
        return self._replace(log={**self.log, key: {**params["Key"], "last_version": version}})

    def _executed(self, request: Request) -> tuple[World, Response]:
        world = self

        def write(one: Request) -> None:
            nonlocal world
            world, _ = world.answer(one)

        reply = answer_batch(request, write)
        return world, reply

    def _commits(self, **values: Any) -> Response:
        start, end = int(values[":start"]["N"]), int(values[":end"]["N"])
        found = [
            self.events.get((values[":key"]["S"], version)) for version in range(start, end + 1)
        ]
        generation = values[":generation"]
        return {"Items": [item for item in found if item and item.get("generation") == generation]}


def _event_key(item: Item) -> tuple[str, int]:
    return item["stream_key"]["S"], int(item["version"]["N"])


def log_key(item: Item) -> tuple[str, str]:
    return item["log_key"]["S"], item["place"]["S"]


def a_sequencer(name: str, *batches: Iterable[Item | Pointer], logs: Logs = ONE_LOG) -> Steps[None]:
    """A process that is given hints, batch after batch; it writes each log by itself."""
    numbers = count()
    memories = Memories(SequencerMemory(new_id=lambda: f"{name}{next(numbers)}"))
    for batch in batches:
        hints = [item if isinstance(item, Pointer) else pointer_to(item) for item in batch]
        for tables, some in logs.by_log(hints).items():
            yield from sequence(tables, some, memories.of(tables))


def a_writer(*items: Item) -> Steps[None]:
    """A process that appends or deletes, by what stands in the events table afterwards."""
    for item in items:
        yield Request("write_event", {"Item": item})


def an_appender(name: str, *items: Item) -> Steps[None]:
    """A process that sequences what it has just appended."""
    yield from a_writer(*items)
    yield from a_sequencer(name, [item for item in items if not is_fence(item)])


def fence(item: Item) -> Item:
    return fence_item(
        item["stream_key"]["S"],
        version=int(item["version"]["N"]),
        closed=int(item["generation"]["N"]),
        expires_at=None,
    )


def advance(
    steps: Steps[Any], reply: Response | list[Any] | Exception | None
) -> Request | Together | None:
    """Hand on a reply; return what is sent next, None at the end. A pause takes no time here."""
    with suppress(StopIteration):
        while True:
            sent = (
                steps.throw(reply)
                if isinstance(reply, Exception)
                else next(steps)
                if reply is None
                else steps.send(reply)  # type: ignore[arg-type]
            )
            if not isinstance(sent, Pause):
                return sent
            reply = {}
    return None


def send(world: World, request: Request) -> tuple[World, Response | Exception]:
    try:
        return world.answer(request)
    except ConditionRefused as refused:
        return world, refused


def repaired(world: World) -> World:
    """The world after a scan has found every commit, and a sequencer was given them."""
    return sequenced(world, world.hints[::-1])


def sequenced(world: World, hints: Iterable[Item | Pointer]) -> World:
    """The world after a sequencer was given hints, with no other at work."""
    steps = a_sequencer("repair", hints, logs=world.logs)
    sent = advance(steps, None)
    while sent is not None:
        answers = []
        for part in parts_of(sent):
            world, answer = send(world, part)
            answers.append(answer)
        sent = advance(steps, reply_to(sent, answers))
    return world


def check(world: World) -> None:
    """What no reader may ever find otherwise."""
    pointers: list[Pointer] = []
    for log, pages in world.pages_by_log.items():
        following = 1
        for page in pages:
            assert page.first == following, "positions are dense"
            following = page.following
            assert {world.logs.of_stream(one.stream_key).keys.pages for one in page.pointers} == {
                log
            }, "a log has its own tenant's events"
            pointers += page.pointers
        tenant = log.removesuffix("log")
        assert not tenant or ("logs", tenant) in world.log, "a log is in the registry"
    assert len(pointers) == len(set(pointers)), "a commit has one position"
    last: dict[tuple[str, int], int] = {}
    for pointer in pointers:
        stream = pointer.stream_key, pointer.generation
        assert pointer.first_version > last.get(stream, 0), "events are in version order"
        last[stream] = pointer.last_version


def check_repaired(world: World) -> None:
    """What is true of every world when it has come to rest."""
    check(world)
    after = repaired(world)
    check(after)
    for log, pages in world.pages_by_log.items():
        assert after.pages_by_log[log][: len(pages)] == pages, "a position never changes"
    pointed = {pointer for page in after.pages for pointer in page.pointers}
    assert pointed >= set(after.hints), "every commit has a position"


class _Process:
    """A process that may be at any of its steps: each step has a number, by what led there."""

    def __init__(self, begin: Callable[[], Steps[None]]) -> None:
        self._begin = begin
        self._told: list[tuple[Any, ...]] = [()]
        self._after: dict[tuple[int, str], int] = {}
        self._parts: list[list[Request]] = []
        self._sent: list[Request | Together | None] = []
        self._replies: list[Any] = []
        self._numbers: dict[str, int] = {}
        self._reach(0)

    def parts(self, step: int) -> list[Request]:
        """Return the parts of a step; none at the end."""
        return self._parts[step]

    def keep(self, reply: Any) -> int:
        """Return the number of a reply."""
        number = self._numbers.setdefault(repr(reply), len(self._replies))
        if number == len(self._replies):
            self._replies.append(reply)
        return number

    def next(self, step: int, answers: list[int]) -> int:
        """Return the step after one, given the numbers of the replies to its parts."""
        sent = self._sent[step]
        assert sent is not None
        reply = reply_to(sent, [self._replies[number] for number in answers])
        key = step, repr(reply)
        if key not in self._after:
            self._after[key] = len(self._told)
            self._told.append((*self._told[step], reply))
            self._reach(self._after[key])
        return self._after[key]

    def _reach(self, step: int) -> None:
        steps = self._begin()
        sent = advance(steps, None)
        for reply in self._told[step]:
            sent = advance(steps, reply)
        self._sent.append(sent)
        self._parts.append([] if sent is None else parts_of(sent))


class _State(NamedTuple):
    """Where everything is.

    Attributes:
        world: number of the tables' state.
        steps: where each process is.
        done: the parts of each process's step that are carried out, with the replies' numbers.
    """

    world: int
    steps: tuple[int, ...]
    done: tuple[tuple[tuple[int, int], ...], ...]


def explore(start: World, *begins: Callable[[], Steps[None]]) -> int:
    """Check each world that any order of requests leads to; return how many states there are.

    Requests that run at once, and the statements of a batch, are carried out one by one in every
    order. A process that dies leaves the world as it is then, so every crash is covered.
    """
    processes = [_Process(begin) for begin in begins]
    worlds = _Worlds()
    number = len(processes)
    first = _State(worlds.number_of(start), (0,) * number, ((),) * number)
    seen = {first}
    stack = [first]
    while stack:
        state = stack.pop()
        for place, process in enumerate(processes):
            for after in _next_states(state, place, process, worlds):
                if after not in seen:
                    seen.add(after)
                    stack.append(after)
    return len(seen)


class _Worlds:
    """The states of the tables that were reached, each checked once."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._known: list[World] = []
        self._after: dict[tuple[int, int], tuple[int, Response | Exception]] = {}
        self._parts: dict[int, tuple[Request, int]] = {}
        self._texts: dict[str, int] = {}

    def number_of(self, world: World) -> int:
        number = self._numbers.setdefault(world.print, len(self._numbers))
        if number == len(self._known):
            self._known.append(world)
            check_repaired(world)
        return number

    def after(self, number: int, part: Request) -> tuple[int, Response | Exception]:
        """Return the world after a request, and the reply."""
        key = number, self._number_of_part(part)
        if key not in self._after:
            world, reply = send(self._known[number], part)
            self._after[key] = self.number_of(world), reply
        return self._after[key]

    def _number_of_part(self, part: Request) -> int:
        # Parts are kept for as long as their processes, so their ids are theirs alone.
        if id(part) not in self._parts:
            number = self._texts.setdefault(repr(part), len(self._texts))
            self._parts[id(part)] = part, number
        return self._parts[id(part)][1]


def _next_states(state: _State, place: int, process: _Process, worlds: _Worlds) -> Iterator[_State]:
    step = state.steps[place]
    done = dict(state.done[place])
    parts = process.parts(step)
    for number, part in enumerate(parts):
        if number in done:
            continue
        world, answer = worlds.after(state.world, part)
        now = {**done, number: process.keep(answer)}
        after = step
        if len(now) == len(parts):
            after, now = process.next(step, [now[each] for each in range(len(parts))]), {}
        yield _State(
            world,
            (*state.steps[:place], after, *state.steps[place + 1 :]),
            (*state.done[:place], tuple(sorted(now.items())), *state.done[place + 1 :]),
        )

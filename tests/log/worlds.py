"""Both tables as values: the effect of requests, and every state that can be reached."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dynamo_es.dynamodb.log.pages import Page, read_page
from dynamo_es.dynamodb.log.pointers import Pointer, pointer_to
from dynamo_es.dynamodb.log.sequencer import Tables, sequence
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.streams.items import fence_item, is_fence
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Pause, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dynamo_es.dynamodb.wire.steps import Item, Response, Steps

TABLES: Final = Tables("events", "log")


class World(NamedTuple):
    """Both tables; never changed, so that many worlds can be kept."""

    log: Mapping[tuple[str, str], Item]
    events: Mapping[tuple[str, int], Item]

    @classmethod
    def of(cls, *commits: Item) -> World:
        return cls({}, {_event_key(item): item for item in commits})

    @property
    def print(self) -> tuple[Any, ...]:
        return (
            tuple(sorted((key, repr(item)) for key, item in self.log.items())),
            tuple(sorted((key, repr(item)) for key, item in self.events.items())),
        )

    @property
    def pages(self) -> list[Page]:
        keys = sorted(key for key in self.log if key[0] == "log")
        return [read_page(self.log[key]) for key in keys]

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
                keys = sorted(key for key in self.log if key[0] == "log")
                return self, {"Items": [self.log[key] for key in keys[-1:]]}
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
                key, version = (
                    log_key(params["Key"]),
                    params["ExpressionAttributeValues"][":version"],
                )
                if key in self.log and int(self.log[key]["last_version"]["N"]) >= int(version["N"]):
                    raise ConditionRefused([None], maybe_landed=False)
                return self._replace(
                    log={**self.log, key: {**params["Key"], "last_version": version}}
                ), {}
        raise NotImplementedError(request.operation)

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


def a_sequencer(name: str, *batches: Iterable[Item | Pointer]) -> Steps[None]:
    """A process that is given hints, batch after batch."""
    numbers = count()
    memory = SequencerMemory(new_id=lambda: f"{name}{next(numbers)}")
    for batch in batches:
        hints = [item if isinstance(item, Pointer) else pointer_to(item) for item in batch]
        yield from sequence(TABLES, hints, memory)


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


def advance(steps: Steps[Any], reply: Response | Exception | None) -> Request | None:
    """Hand on a reply; return what is sent next, None at the end. A pause takes no time here."""
    with suppress(StopIteration):
        while True:
            sent = (
                steps.throw(reply)
                if isinstance(reply, Exception)
                else next(steps)
                if reply is None
                else steps.send(reply)
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
    steps = a_sequencer("repair", world.hints[::-1])
    request = advance(steps, None)
    while request is not None:
        world, reply = send(world, request)
        request = advance(steps, reply)
    return world


def check(world: World) -> None:
    """What no reader may ever find otherwise."""
    following, pointers = 1, []
    for page in world.pages:
        assert page.first == following, "positions are dense"
        following = page.following
        pointers += page.pointers
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
    assert after.pages[: len(world.pages)] == world.pages, "a position never changes"
    pointed = {pointer for page in after.pages for pointer in page.pointers}
    assert pointed >= set(after.hints), "every commit has a position"


def explore(start: World, *processes: Callable[[], Steps[None]]) -> int:  # noqa: C901 - with its memory inside
    """Check each world that any order of requests leads to; return how many states there are."""
    worlds: dict[tuple[Any, ...], int] = {}
    known: list[World] = []
    requests: dict[tuple[int, tuple[str, ...]], Request | None] = {}
    replies: dict[str, Response | Exception] = {}
    outcomes: dict[tuple[int, int, tuple[str, ...]], tuple[int, str]] = {}

    def number_of(world: World) -> int:
        number = worlds.setdefault(world.print, len(worlds))
        if number == len(known):
            known.append(world)
            check_repaired(world)
        return number

    def request_of(process: int, heard: tuple[str, ...]) -> Request | None:
        if (process, heard) not in requests:
            steps = processes[process]()
            request = advance(steps, None)
            for reply in heard:
                request = advance(steps, replies[reply])
            requests[process, heard] = request
        return requests[process, heard]

    first: tuple[int, tuple[tuple[str, ...], ...]] = (number_of(start), ((),) * len(processes))
    seen = {first}
    stack = [first]
    while stack:
        world, histories = stack.pop()
        for process, heard in enumerate(histories):
            request = request_of(process, heard)
            if request is None:
                continue
            if (world, process, heard) not in outcomes:
                after, reply = send(known[world], request)
                replies[repr(reply)] = reply
                outcomes[world, process, heard] = number_of(after), repr(reply)
            number, text = outcomes[world, process, heard]
            state = (number, (*histories[:process], (*heard, text), *histories[process + 1 :]))
            if state not in seen:
                seen.add(state)
                stack.append(state)
    return len(seen)

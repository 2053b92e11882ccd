"""A replica region of a global table: each item arrives by itself, in any order.

What the region shows of an item is what the item was at some earlier time, and never goes back.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dynamo_es.contracts import Selection
from dynamo_es.dynamodb.log.arrivals import Arrivals
from dynamo_es.dynamodb.log.pages import Page, page_item
from dynamo_es.dynamodb.log.pointers import find_pointer
from dynamo_es.dynamodb.log.reader import DynamoLogReader
from dynamo_es.dynamodb.log.sequencer import Tables
from dynamo_es.dynamodb.streams.items import commit_item, fence_item, snapshot_item
from dynamo_es.dynamodb.wire.steps import Pause, Together
from dynamo_es.exceptions import ThrottledError
from dynamo_es.testing.conformance.language import events, numbered
from tests.linearizability.tiny_dynamo import TinyDynamo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dynamo_es.dynamodb.wire.steps import Item, Request, Response
    from dynamo_es.values import StreamId

NOW: Final = 1_700_000_000.0
"""Seconds since the epoch: when every page here was put, and what the clock shows."""


class Write(NamedTuple):
    """A write of the region that writes: what an item is from then on."""

    table: str
    item: Item

    @property
    def place(self) -> tuple[str, str, str]:
        names = ("stream_key", "version") if self.table == "events" else ("log_key", "place")
        key, place = (next(iter(self.item[name].values())) for name in names)
        return self.table, key, place


def a_commit(stream: StreamId, version: int, size: int = 1, generation: int = 1) -> Write:
    item, _ = commit_item(
        f"#order#{stream}",
        None,
        events(stream, size),
        version=version,
        generation=generation,
        versionless=False,
    )
    return Write("events", item)


def a_snapshot(stream: StreamId, version: int, generation: int = 1) -> Write:
    (snapshot,) = numbered(events(stream, 1), version)
    item, _ = snapshot_item(f"#order#{stream}", snapshot, generation=generation)
    return Write("events", item)


def a_fence(stream: StreamId, version: int, closed: int = 1) -> Write:
    key = f"#order#{stream}"
    return Write("events", fence_item(key, version=version, closed=closed, expires_at=None))


def a_page(first: int, *commits: Write, put_at: float = NOW) -> Write:
    pointers = tuple(hint for one in commits if (hint := find_pointer(one.item)) is not None)
    return Write("log", page_item(Page(first, pointers, "w", round(put_at * 1_000_000))))


class Region(TinyDynamo):
    """The replica, and the gateway of its readers.

    Attributes:
        to_come: what arrives while a reader waits, one write each time. Without any, the deadline
            passes.
        waits: number of waits.
        requests: the requests so far.
    """

    def __init__(self, writes: Iterable[Write] = ()) -> None:
        super().__init__()
        self._log: dict[str, Item] = {}
        self.to_come: deque[Write] = deque()
        self.waits = 0
        self.requests: list[Request] = []
        for write in writes:
            self.arrive(write)

    def arrive(self, write: Write) -> None:
        if write.table == "log":
            self._log[write.place[2]] = write.item
        else:
            _, key, version = write.place
            self._partitions.setdefault(key, {})[int(version)] = write.item

    def run(self, operation: str, tenant_id: str, stream_id: StreamId | None, steps: Any) -> Any:
        del operation, tenant_id, stream_id
        value: Any = None
        send = steps.send
        while True:
            try:
                asked = send(value)
            except StopIteration as end:
                return end.value
            send = steps.send
            if not isinstance(asked, Pause):
                assert not isinstance(asked, Together)
                value = self.answer(asked)
            elif self.to_come:
                self.waits += 1
                self.arrive(self.to_come.popleft())
                value = {}
            else:
                send = steps.throw
                value = ThrottledError("BatchGetItem", "UnprocessedKeys", "the deadline")

    def answer(self, request: Request, token: str | None = None) -> Response:
        self.requests.append(request)
        params = request.params
        if request.operation == "batch_get_item":
            asked = params["RequestItems"]["events"]
            names = asked["ProjectionExpression"].split(", ")
            found = [item for key in asked["Keys"] if (item := self._find(key)) is not None]
            shown = [{name: item[name] for name in names if name in item} for item in found]
            return {"Responses": {"events": shown}}
        if params["TableName"] != "log":
            return super().answer(request, token)
        place = params["ExpressionAttributeValues"][":place"]["S"]
        if "<=" in params["KeyConditionExpression"]:
            below = sorted(at for at in self._log if at <= place)
            return {"Items": [self._log[at] for at in below[-1:]]}
        return {"Items": [self._log[at] for at in sorted(self._log) if at >= place]}

    def reader(self, after: int = 0, *, now: float = NOW, waits: bool = True) -> DynamoLogReader:
        gateway: Any = self
        arrivals = Arrivals(lambda: now) if waits else None
        reader = DynamoLogReader(
            Tables("events", "log"), gateway, after, Selection(), arrivals=arrivals
        )
        self.run("read_log", "", None, reader.begin())
        return reader


def orders(writes: Sequence[Write]) -> Iterator[list[Write]]:
    """Yield every order in which writes may arrive: those of an item stay in their order."""
    if not writes:
        yield []
        return
    tried = set()
    for index, write in enumerate(writes):
        if write.place not in tried:  # the first one of its item
            tried.add(write.place)
            for rest in orders([*writes[:index], *writes[index + 1 :]]):
                yield [write, *rest]

"""Runs an algorithm against a script of its requests and their replies.

::

    assert play(
        newest_commit(stream),
        (READ_HEAD, page()),
    ) is None

It sends nothing. Each exchange is the exact request that must come next, and the reply or the error
that it gets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from dynamo_es import ExplicitVersioning, StreamId
from dynamo_es.dynamodb.streams.appending.append import Append
from dynamo_es.dynamodb.streams.items import (
    Head,
    commit_item,
    fence_item,
    generation_of,
    is_fence,
    read_commit,
    snapshot_item,
    version_of,
)
from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.streams.remembered.heads import FENCE_SECONDS, RememberedHeads
from dynamo_es.dynamodb.streams.requests import (
    delete_snapshot,
    expire_fence,
    get_item,
    put_closing_fence,
    put_commit,
    put_fence_over,
    put_snapshot,
    query_down,
    turn_into_fence,
)
from dynamo_es.dynamodb.streams.stream import Stream
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.partiql.statements import execute
from dynamo_es.dynamodb.wire.steps import Together
from dynamo_es.exceptions import UnavailableError
from dynamo_es.testing.conformance.language import events, numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es import RawEvent, Versioning
    from dynamo_es.dynamodb.wire.steps import (
        Item,
        Pause,
        Request,
        Response,
        Steps,
    )

TABLE: Final = "events"
STREAM: Final = StreamId(UUID(int=7), category="order")
KEY: Final = "#order#00000000-0000-0000-0000-000000000007"
NOW: Final = 1_700_000_000.0
"""Seconds since the epoch: what the clock of every stream here shows."""
NEXT_GENERATION: Final = 1_700_000_000_000_000
"""The generation that begins now."""
GENERATION: Final = NEXT_GENERATION - 5_000_000
"""The generation that is live, unless a test says otherwise."""
LAST_GENERATION: Final = NEXT_GENERATION - 9_000_000
"""The generation before."""
EXPIRY: Final = int(NOW) + FENCE_SECONDS

READ_HEAD: Final = query_down(TABLE, KEY, below=SNAPSHOT_VERSION, limit=1)
SURVEY: Final = query_down(TABLE, KEY, outline=True)
LOAD: Final = query_down(TABLE, KEY, limit=8)
"""The first page of a load by a process that never saw the stream."""
LOAD_SEEN: Final = query_down(TABLE, KEY, limit=128)
"""The same by a process that saw the stream, and no snapshot."""
RANGE: Final = query_down(TABLE, KEY, below=SNAPSHOT_VERSION, limit=4)
"""The first page of a range, near the head or of a stream that the process never saw."""
REPLAY: Final = query_down(TABLE, KEY, below=SNAPSHOT_VERSION)
"""The first page of all events, without the snapshot: nothing in it is unwanted."""
NEW: Final = events(STREAM, 2)
"""What is appended, mostly."""
OTHERS: Final = events(STREAM, 2)
"""What is there already."""
EVENTS: Final = numbered(events(STREAM, 6))
"""The events of a stream of three commits."""
DONE: Final[Response] = {}
"""The reply to a write that was carried out."""


def play(
    steps: Steps[Any],
    *script: tuple[Request | Pause | Together, Response | list[Any] | Exception],
) -> Any:
    """Run an algorithm through exactly these exchanges, and return or raise what it ends with.

    The answer to requests at once is a list: for each its reply or its failure. An end before the
    last exchange, of whatever kind, is an `AssertionError`.
    """
    answer: Any = None
    for number, (expected, reply) in enumerate(script):
        try:
            sent = _step(steps, answer)
        except StopIteration as end:
            raise AssertionError(f"ended with {end.value!r} before {expected}") from None
        except Exception as error:
            raise AssertionError(f"failed before exchange {number}, {expected}") from error
        assert sent == expected, f"exchange {number}: sent {sent}, not {expected}"
        answer = reply
    try:
        more = _step(steps, answer)
    except StopIteration as end:
        return end.value
    raise AssertionError(f"went on with {more}")


def _step(steps: Steps[Any], answer: Any) -> Request | Pause | Together:
    if isinstance(answer, Exception):
        return steps.throw(answer)
    return next(steps) if answer is None else steps.send(answer)


def a_stream(
    head: Head | None = None,
    stream_id: StreamId = STREAM,
    capacity: int = 9,
    *,
    seen_ago: float = 0.0,
) -> Stream:
    """Return the stream, of which the process saw a head so many seconds ago, or never."""
    now = NOW - seen_ago
    heads = RememberedHeads(capacity, lambda: now)
    if head is not None:
        heads.remember(KEY, head)
    now = NOW
    return Stream(TABLE, KEY, stream_id, heads, lambda: NOW)


def append(
    stream: Stream, expected: int | Versioning, new: Sequence[RawEvent] = NEW
) -> Steps[int | None]:
    """Return the steps of an append; a number stands for ``ExplicitVersioning``."""
    versioning = ExplicitVersioning(expected) if isinstance(expected, int) else expected
    return Append.of(stream, versioning, new).run()


def head_of(stream: Stream) -> Head | None:
    """Return the head that is remembered of the stream."""
    return stream.heads.get(KEY)


def at(version: int, generation: int = GENERATION, *, versionless: bool = False) -> Head:
    """Return a head."""
    return Head(generation, version, versionless)


def a_commit(
    events: Sequence[RawEvent],
    version: int,
    generation: int = GENERATION,
    *,
    versionless: bool = False,
    name: str | None = None,
) -> Item:
    """Return the item of a commit whose first event has a version."""
    item, _ = commit_item(
        KEY, name, events, version=version, generation=generation, versionless=versionless
    )
    return item


def outline(item: Item) -> Item:
    """Return an item as a survey sees it."""
    named = ("version", "generation", "closed", "event_count", "snapshot_version", "expires_at")
    return {name: item[name] for name in named if name in item}


def a_fence(version: int, closed: int = GENERATION, expires_at: int | None = EXPIRY) -> Item:
    """Return a fence, of a deletion that is complete or (``expires_at=None``) is not."""
    return fence_item(KEY, version=version, closed=closed, expires_at=expires_at)


def a_snapshot_item(snapshot: RawEvent, generation: int = GENERATION) -> Item:
    """Return the item of a snapshot."""
    item, _ = snapshot_item(KEY, snapshot, generation=generation)
    return item


def put(item: Item) -> Request:
    """Return the request that puts a commit."""
    return put_commit(TABLE, item)


def put_snapshot_of(item: Item) -> Request:
    """Return the request that puts a snapshot."""
    return put_snapshot(TABLE, item)


def close(version: int, generation: int = GENERATION) -> Request:
    """Return the request that ends a generation, after its last version."""
    return put_closing_fence(TABLE, a_fence(version, generation, None))


def fence_over(commit: Item) -> Request:
    """Return the request that puts a fence in the place of a commit."""
    old = read_commit(commit)
    return put_fence_over(TABLE, old, a_fence(old.version, old.generation))


def fence_all(*commits: Item) -> Together:
    """Return the requests that turn commits into fences, in batches."""
    statements = [turn_into_fence(TABLE, KEY, read_commit(commit), EXPIRY) for commit in commits]
    batches = [statements[begin : begin + 25] for begin in range(0, len(statements), 25)]
    return Together(tuple(execute(batch) for batch in batches))


def carried_out(number: int, **refusals: str) -> Response:
    """Return the reply to a batch of so many statements; ``_2="Code"`` refuses the third."""
    replies: list[dict[str, Any]] = [{"TableName": TABLE} for _ in range(number)]
    for place, code in refusals.items():
        replies[int(place[1:])]["Error"] = {"Code": code}
    return {"Responses": replies}


def expire(version: int, closed: int = GENERATION) -> Request:
    """Return the request that lets a closing fence expire."""
    return expire_fence(TABLE, KEY, version=version, closed=closed, expires_at=EXPIRY)


def survey(*items: Item) -> tuple[Request, Any]:
    """Return the exchange that surveys a stream of these items, newest first."""
    return SURVEY, page(*(outline(item) for item in items))


def survey_after(last: Item) -> Request:
    """Return the request for the next page of a survey."""
    return query_down(TABLE, KEY, after=place_of(last), outline=True)


def load_from(lowest: int) -> Request:
    """Return the first page of a load by a process that remembers a snapshot."""
    return query_down(TABLE, KEY, lowest=lowest, limit=32)


def ranging(limit: int | None = 4, below: int = SNAPSHOT_VERSION, lowest: int = 1) -> Request:
    """Return the request for a page of a range, between two versions."""
    return query_down(TABLE, KEY, below=below, lowest=lowest, limit=limit)


def page(*items: Item, more: bool = False) -> Response:
    """Return a page of a query, newest first; with ``more``, it is not the last."""
    return {"Items": list(items)} | ({"LastEvaluatedKey": place_of(items[-1])} if more else {})


def reading_head(*items: Item) -> list[tuple[Request, Response]]:
    """Return the exchanges that look for the newest commit of a stream of these items."""
    if not items:
        return [(READ_HEAD, page())]
    first = (READ_HEAD, page(items[0], more=True))
    if not is_fence(items[0]):
        return [first]
    rest = query_down(TABLE, KEY, below=version_of(items[0]), limit=8)
    exchanges: list[tuple[Request, Response]] = [first, (rest, page(*items[1:]))]
    newest = next((item for item in items if not is_fence(item)), None)
    if newest is not None and generation_of(newest) > max(
        generation_of(item) for item in items[: items.index(newest)]
    ):
        # Found below the first page: is it the newest still?
        exchanges.append((get_item(TABLE, KEY, read_commit(newest).last + 1), {}))
    return exchanges


def place_of(item: Item) -> Item:
    """Return the key of an item."""
    return {"stream_key": {"S": KEY}, "version": item["version"]}


def refused(*items: Item | None, maybe_landed: bool = False) -> ConditionRefused:
    """Return the refusal of a write by what stands in its way."""
    return ConditionRefused(list(items), maybe_landed=maybe_landed)


def lost() -> OutcomeUnknown:
    """Return the failure of a write that may have been carried out."""
    return OutcomeUnknown(timed_out("PutItem"))


def timed_out(operation: str = "Query") -> UnavailableError:
    """Return the failure of a request that got no reply."""
    return UnavailableError(operation, "ReadTimeoutError", "no reply.", str(STREAM))


LOW, MIDDLE, HIGH = (a_commit(EVENTS[n : n + 2], n + 1) for n in (0, 2, 4))
"""The commits of `EVENTS`: versions 1 and 2, 3 and 4, 5 and 6."""
ALL: Final = [HIGH, MIDDLE, LOW]
CLEAR_SNAPSHOT: Final = delete_snapshot(TABLE, KEY, GENERATION)

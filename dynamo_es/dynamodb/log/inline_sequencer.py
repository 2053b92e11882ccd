"""`InlineSequencer`: gives a process's own appends their positions, right after each append."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.pages import read_page
from dynamo_es.dynamodb.log.pointers import find_pointer, pointer_to
from dynamo_es.dynamodb.log.sequencer import sequence
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.exceptions import EventStoreError, describe_stream
from dynamo_es.forking import tell_of_forks
from dynamo_es.waiting import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dynamo_es.dynamodb.log.keys import LogKeys
    from dynamo_es.dynamodb.log.logs import Logs
    from dynamo_es.dynamodb.log.pages import Page
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.dynamodb.streams.appending.append import Append
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import Position, StreamId, TenantId

_log = logging.getLogger("dynamo_es")

_MOST_WAITING: Final = 10_000
"""The most commits without a position that are kept for the next append."""
_MOST_KNOWN: Final = 1_000
"""The most commits whose positions are remembered."""
_MOST_LOGS: Final = 500
"""The most logs for which a process keeps an inline sequencer."""
_PAGES_A_QUERY: Final = 50
_MOST_QUERIES: Final = 20
"""The most queries that search the newest pages for a commit's position."""


class CommitKey(NamedTuple):
    """Identifies a commit, for `InlineSequencer.position_of`.

    Attributes:
        stream_key: partition key of the stream.
        generation: generation of the stream to which the commit belongs.
        first_version: version of the first event, 1-based.
    """

    stream_key: str
    generation: int
    first_version: int

    @classmethod
    def of(cls, pointer: Pointer) -> CommitKey:
        """Return the key of the commit that a pointer points to."""
        return cls(pointer.stream_key, pointer.generation, pointer.first_version)


class InlineSequencer:
    """Gives a process's own appends their positions. Safe to share between threads.

    Threads and tasks take turns. After waiting for its turn, a thread often finds that another one
    has already sequenced its commit.

    The append has succeeded before sequencing begins. So a failure here is logged and not raised.
    Commits without a position get one with the next append of the process, or from any other
    sequencer.

    Args:
        tables: names of the tables.
        gateway: sends the requests.
        clock: returns seconds since the epoch.
    """

    def __init__(
        self, tables: Tables, gateway: Gateway, clock: Callable[[], float] = time.time
    ) -> None:
        self._tables = tables
        self._gateway = gateway
        self._clock = clock
        self.after_fork()
        tell_of_forks(self)

    def after_fork(self) -> None:
        """Forget all commits in a forked child, because the parent sequences those that wait."""
        self._memory = SequencerMemory(clock=self._clock)
        self._turn = Turn()
        self._guard = Lock()
        self._waiting: dict[CommitKey, Pointer] = {}
        self._known: OrderedDict[CommitKey, Position] = OrderedDict()

    @property
    def idle(self) -> bool:
        """Whether no commit is waiting for its position."""
        return not self._waiting and not self._turn.taken

    def sequence(self, tenant_id: TenantId, appends: Sequence[Append]) -> list[CommitKey | None]:
        """Sequence the commits of appends that were made together, one after the other.

        Returns:
            For each append the key of its first commit, for `position_of`. None if sequencing
            failed (which is logged), or if the commit no longer exists.
        """
        stream_id = appends[0].stream.id
        try:
            found = self._gateway.run("sequence", tenant_id, stream_id, self._hints(appends))
            with self._guard:
                self._waiting.update(
                    (CommitKey.of(hint), hint) for hints in found for hint in hints
                )
                self._forget_some()
            with self._turn:
                with self._guard:
                    batch = dict(self._waiting)
                if batch:
                    steps = sequence(self._tables, batch.values(), self._memory)
                    pages = self._gateway.run("sequence", tenant_id, stream_id, steps)
                    self._remember(batch, pages)
        except Exception as error:  # noqa: BLE001 - the append succeeded, so it must not raise
            _log.warning(
                "Stream %s: the events are stored, but have no position yet. The next append of "
                "this process tries again. You can also run `dynamo-es log repair`. %s",
                describe_stream(stream_id),
                trace_error(error),
            )
            return [None] * len(appends)
        return [CommitKey.of(hints[0]) if hints else None for hints in found]

    def position_of(
        self, tenant_id: TenantId, stream_id: StreamId, key: CommitKey
    ) -> Position | None:
        """Return the position of a commit that was sequenced recently; None if it is not found.

        Cost: no request if this process gave the commit its position; otherwise 1 to 20.
        """
        with self._guard:
            known = self._known.get(key)
        if known is not None:
            return known
        try:
            return self._gateway.run(
                "position", tenant_id, stream_id, _find(self._tables.keys, key)
            )
        except EventStoreError:
            _log.warning(
                "Stream %s: the events are stored, but reading their position failed.",
                describe_stream(stream_id),
            )
            return None

    def _hints(self, appends: Sequence[Append]) -> Steps[list[list[Pointer]]]:
        found: list[list[Pointer]] = []
        for append in appends:
            found += [(yield from self._hints_of(append))]
        return found

    def _hints_of(self, append: Append) -> Steps[list[Pointer]]:
        if append.commits:
            return [pointer_to(commit.item) for commit in append.commits]
        # The events were stored earlier, maybe by a process that died before it sequenced them.
        stream = append.stream
        response = yield requests.commit_at(stream.table, stream.key, append.last)
        items: list[Item] = [
            {**item, "stream_key": {"S": stream.key}} for item in response["Items"]
        ]
        return [hint for hint in map(find_pointer, items) if hint is not None]

    def _remember(self, batch: Iterable[CommitKey], pages: list[Page]) -> None:
        """Remember the positions in the pages; the commits of the batch no longer wait."""
        with self._guard:
            for key in batch:
                self._waiting.pop(key, None)
            for page in pages:
                for key, position in _positions(page):
                    self._known[key] = position
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    def _forget_some(self) -> None:
        if len(self._waiting) <= _MOST_WAITING:
            return
        _log.error(
            "Sequencing keeps failing: %d commits of this process have no position. This process "
            "gives up on the oldest, so run `dynamo-es log repair`.",
            len(self._waiting),
        )
        while len(self._waiting) > _MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]


def _positions(page: Page) -> Iterable[tuple[CommitKey, Position]]:
    position = page.first
    for pointer in page.pointers:
        yield CommitKey.of(pointer), position
        position += pointer.event_count


def _find(log: LogKeys, key: CommitKey) -> Steps[Position | None]:
    """Search the newest pages for a commit that another sequencer has just put there."""
    after: Item | None = None
    for _ in range(_MOST_QUERIES):
        response = yield requests.newest_pages(log, _PAGES_A_QUERY, after)
        for item in response["Items"]:
            for found, position in _positions(read_page(item)):
                if found == key:
                    return position
        after = response.get("LastEvaluatedKey")
        if after is None:
            break
    return None


class InlineSequencers:
    """The inline sequencers of a process, one for each log. Safe to share between threads.

    Args:
        logs: the logs.
        gateway: sends the requests.
        clock: returns seconds since the epoch.
    """

    def __init__(
        self, logs: Logs, gateway: Gateway, clock: Callable[[], float] = time.time
    ) -> None:
        self._logs = logs
        self._gateway = gateway
        self._clock = clock
        self._all: dict[str, InlineSequencer] = {}

    def of(self, tenant_id: TenantId) -> InlineSequencer:
        """Return the sequencer of the log that holds a tenant's events."""
        tables = self._logs.of_tenant(tenant_id)
        found = self._all.get(tables.prefix)
        if found is None:
            self._drop_oldest()
            # If two threads get here at once, both return the one that is stored first.
            new = InlineSequencer(tables, self._gateway, self._clock)
            found = self._all.setdefault(tables.prefix, new)
        return found

    def _drop_oldest(self) -> None:
        """Drop the oldest idle sequencers. Two sequencers of one log do no harm."""
        while len(self._all) >= _MOST_LOGS:
            idle = [prefix for prefix, one in self._all.copy().items() if one.idle]
            if not idle:
                return
            self._all.pop(idle[0], None)

    def forget(self) -> None:
        """Drop what this process remembers of the logs, because the tables are empty now."""
        for one in tuple(self._all.values()):
            one.after_fork()

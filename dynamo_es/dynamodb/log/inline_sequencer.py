"""Sequencing right after an append, in the process that made it: positions known at once."""

from __future__ import annotations

import logging
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeAlias

from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.hints import find_hint
from dynamo_es.dynamodb.log.items import read_page
from dynamo_es.dynamodb.log.sequencer import SequencerMemory, hint_of, sequence
from dynamo_es.exceptions import EventStoreError
from dynamo_es.forking import tell_of_forks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dynamo_es.dynamodb.log.items import Page
    from dynamo_es.dynamodb.log.sequencer import Hint, Tables
    from dynamo_es.dynamodb.streams.append import Append
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import Position, StreamId, TenantId

_log = logging.getLogger("dynamo_es")

_MOST_WAITING: Final = 10_000
_MOST_KNOWN: Final = 1_000
_PAGES_A_LOOK: Final = 50
_MOST_LOOKS: Final = 20

_Key: TypeAlias = tuple[str, int, int]
"""Stream, generation and first version of a commit."""


class InlineSequencer:
    """Gives a process's own appends their positions. Safe to share between threads.

    Threads take turns: who has waited often finds that another has sequenced its commit along
    with its own. An append has succeeded when this begins, whatever happens here: a failure is
    logged, and what is left without a position gets it with the process's next append, or from
    any other sequencer.

    Args:
        tables: where the commits and the log are.
        gateway: what sends the requests.
    """

    def __init__(self, tables: Tables, gateway: Gateway) -> None:
        self._tables = tables
        self._gateway = gateway
        self.after_fork()
        tell_of_forks(self)

    def after_fork(self) -> None:
        """Begin with nothing: what waits is the parent's, which may be half done with it."""
        self._memory = SequencerMemory()
        self._turn = Lock()
        self._guard = Lock()
        self._waiting: dict[_Key, Hint] = {}
        self._known: OrderedDict[_Key, Position] = OrderedDict()

    def sequence(self, tenant_id: TenantId, appends: Sequence[Append]) -> list[_Key | None]:
        """Sequence the commits of appends that were made together, one after the other.

        Returns:
            For each append the key of its first commit, for `position_of`; None: the log says why
            the position is not known.
        """
        stream_id = appends[0].stream.id
        try:
            found = self._gateway.run("sequence", tenant_id, stream_id, self._hints(appends))
            with self._guard:
                self._waiting.update((_key(hint), hint) for hints in found for hint in hints)
                self._forget_some()
            with self._turn:
                with self._guard:
                    batch = dict(self._waiting)
                if batch:
                    steps = sequence(self._tables, batch.values(), self._memory)
                    pages = self._gateway.run("sequence", tenant_id, stream_id, steps)
                    self._settle(batch, pages)
        except Exception as error:  # noqa: BLE001 - the append is done: nothing makes it look failed
            _log.warning(
                "Stream %s: stored, but without a position so far. The next append of this "
                "process tries again; so does `dynamo-es log repair`. %s",
                stream_id,
                trace_error(error),
            )
            return [None] * len(appends)
        return [_key(hints[0]) if hints else None for hints in found]

    def position_of(self, tenant_id: TenantId, stream_id: StreamId, key: _Key) -> Position | None:
        """Return the position of a commit that was sequenced lately; None if it is not found.

        Cost: nothing where this process gave it the position; else a request, or more.
        """
        with self._guard:
            known = self._known.get(key)
        if known is not None:
            return known
        try:
            return self._gateway.run("position", tenant_id, stream_id, _find(self._tables.log, key))
        except EventStoreError:
            _log.warning("Stream %s: stored, but its position was not found.", stream_id)
            return None

    def _hints(self, appends: Sequence[Append]) -> Steps[list[list[Hint]]]:
        found: list[list[Hint]] = []
        for append in appends:
            found += [(yield from self._hints_of(append))]
        return found

    def _hints_of(self, append: Append) -> Steps[list[Hint]]:
        if append.commits:
            return [hint_of(commit.item) for commit in append.commits]
        # They were stored already, maybe by a process that has died before it came to this.
        stream = append.stream
        response = yield requests.commit_at(stream.table, stream.key, append.last)
        items: list[Item] = [
            {**item, "stream_key": {"S": stream.key}} for item in response["Items"]
        ]
        return [hint for hint in map(find_hint, items) if hint is not None]

    def _settle(self, batch: Iterable[_Key], pages: list[Page]) -> None:
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
            "Nothing could be sequenced for %d commits: the oldest are left to "
            "`dynamo-es log repair`.",
            len(self._waiting),
        )
        while len(self._waiting) > _MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]


def _key(hint: Hint) -> _Key:
    return hint.stream_key, hint.generation, hint.first_version


def _positions(page: Page) -> Iterable[tuple[_Key, Position]]:
    position = page.first
    for pointer in page.pointers:
        yield _key(pointer), position
        position += pointer.event_count


def _find(log_table: str, key: _Key) -> Steps[Position | None]:
    """Look through the newest pages: it has been put just now, by somebody else."""
    after: Item | None = None
    for _ in range(_MOST_LOOKS):
        response = yield requests.newest_pages(log_table, _PAGES_A_LOOK, after)
        for item in response["Items"]:
            for found, position in _positions(read_page(item)):
                if found == key:
                    return position
        after = response.get("LastEvaluatedKey")
        if after is None:
            break
    return None

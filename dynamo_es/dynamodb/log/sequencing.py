"""`Sequencing`: gives commits of any tenants their positions, each log by itself."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, Protocol

from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.dynamodb.log.logs import Memories
from dynamo_es.dynamodb.log.registry import register
from dynamo_es.dynamodb.log.sequencer import sequence
from dynamo_es.dynamodb.log.set_aside import set_aside
from dynamo_es.exceptions import (
    CredentialsError,
    ServiceError,
    StoredItemError,
    TableNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dynamo_es.dynamodb.log.logs import Logs
    from dynamo_es.dynamodb.log.pages import Page
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Steps, T
    from dynamo_es.values import TenantId

_log = logging.getLogger("dynamo_es")


class Runs(Protocol):
    """Runs an algorithm; `Gateway.run` without a stream."""

    def __call__(self, operation: str, tenant_id: TenantId, steps: Steps[T]) -> T:
        """Run an algorithm and return its result."""


class Sequenced(NamedTuple):
    """What a call has done.

    Attributes:
        pages: the pages that it put, of all logs.
        positions: number of positions given, one for each event.
        waiting: number of hints left out because an earlier commit of their stream is set aside.
        left: hints of logs that AWS did not let it write: give them again.
        failure: the first error of such a log; None: no log has failed.
    """

    pages: list[Page]
    positions: int
    waiting: int
    left: list[Pointer]
    failure: ServiceError | None


class Sequencing:
    """Gives hinted commits their positions. Use it in one thread.

    With a log of each tenant, the hints of a call are grouped by log, and a log that fails does not
    stop the others.

    Args:
        logs: the logs.
        run: runs an algorithm.
        memory: what the process remembers of the first log; None: a new one.
    """

    def __init__(self, logs: Logs, run: Runs, memory: SequencerMemory | None = None) -> None:
        self._logs = logs
        self._run = run
        self._memories = Memories(memory)

    @classmethod
    def over(
        cls, logs: Logs, gateway: Gateway, memory: SequencerMemory | None = None
    ) -> Sequencing:
        """Return one that sends its requests through a gateway."""

        def run(operation: str, tenant_id: TenantId, steps: Steps[T]) -> T:
            return gateway.run(operation, tenant_id, None, steps)

        return cls(logs, run, memory)

    def memory_of(self, tables: Tables) -> SequencerMemory:
        """Return what this process remembers of a log."""
        return self._memories.of(tables)

    def sequence(self, hints: Iterable[Pointer]) -> Sequenced:
        """Give hinted commits their positions; see `dynamo_es.dynamodb.log.sequencer.sequence`.

        With a log of each tenant, a log whose newest page is unreadable is passed over with an
        error in the program's log, until `dynamo-es log repair` has repaired it.

        Raises:
            CredentialsError, TableNotFoundError: no log can be written.
            LogScopeError: the table is in use with another ``log_scope``.
            StoredItemError, ServiceError: of the log of all tenants.
        """
        if not self._logs.per_tenant:
            return self._sequence(self._logs.shared, list(hints))
        done = Sequenced([], 0, 0, [], None)
        for tables, some in self._logs.by_log(hints).items():
            try:
                found = self._sequence(tables, some)
            except (CredentialsError, TableNotFoundError):
                raise
            except ServiceError as error:
                done = done._replace(left=done.left + some, failure=done.failure or error)
            except StoredItemError as error:
                _log.error(
                    "%d commits of a tenant have no position, because its log cannot be written. "
                    "Run `dynamo-es log repair`. %s",
                    len(some),
                    describe_error(error),
                )
            else:
                done = Sequenced(
                    done.pages + found.pages,
                    done.positions + found.positions,
                    done.waiting + found.waiting,
                    done.left,
                    done.failure,
                )
        return done

    def set_aside(self, errors: Sequence[StoredItemError]) -> None:
        """Set commits aside that cannot be read, each in the log of its tenant.

        Raises:
            ServiceError: AWS refused or did not answer. Call again.
        """
        by_log: defaultdict[Tables, list[StoredItemError]] = defaultdict(list)
        for error in errors:
            by_log[self._logs.of_stream(error.stream_key)].append(error)
        for tables, some in by_log.items():
            steps = _set_aside(tables, some, self.memory_of(tables))
            self._run("set_aside", tables.tenant_id, steps)

    def _sequence(self, tables: Tables, hints: list[Pointer]) -> Sequenced:
        memory = self.memory_of(tables)
        waiting = memory.waiting
        pages = self._run("sequence", tables.tenant_id, sequence(tables, hints, memory))
        positions = sum(page.following - page.first for page in pages)
        return Sequenced(pages, positions, memory.waiting - waiting, [], None)


def _set_aside(
    tables: Tables, errors: list[StoredItemError], memory: SequencerMemory
) -> Steps[None]:
    # Who lists what is set aside finds the log in the registry.
    if memory.marked_below is None and not memory.set_aside:
        yield from register(tables.keys)
    yield from set_aside(tables.keys, errors, memory)

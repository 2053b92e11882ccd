"""`Sequencing`: gives commits of any tenants their positions, each log separately."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.dynamodb.log.logs import Logs, Memories
from dynamo_es.dynamodb.log.registry import register
from dynamo_es.dynamodb.log.sequencer import sequence
from dynamo_es.dynamodb.log.set_aside import set_aside
from dynamo_es.dynamodb.wire.parallel.at_once import AtOnce
from dynamo_es.exceptions import (
    CredentialsError,
    ServiceError,
    StoredItemError,
    TableNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.log.pages import Page
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Steps, T
    from dynamo_es.values import TenantId

_log = logging.getLogger("dynamo_es")

_OF_ALL_LOGS: Final = (CredentialsError, TableNotFoundError)
"""Errors that every other log would raise too."""


class Runs(Protocol):
    """Runs an algorithm, as `Gateway.run` does without a stream."""

    def __call__(self, operation: str, tenant_id: TenantId, steps: Steps[T]) -> T:
        """Run an algorithm and return its result."""


class Sequenced(NamedTuple):
    """The result of a call.

    Attributes:
        pages: the pages that it put, in all logs.
        positions: number of assigned positions, one for each event.
        waiting: number of hints left out because an earlier commit of their stream is set aside.
        left: hints of logs that could not be written; pass them again.
        failure: the first error of such a log; None: no log has failed.
    """

    pages: list[Page]
    positions: int
    waiting: int
    left: list[Pointer]
    failure: ServiceError | None


class Sequencing:
    """Gives hinted commits their positions. Not thread-safe.

    With one log for each tenant, the hints of a call are grouped by log. Several logs are written
    at once, and a log that fails does not stop the others.

    Args:
        logs: the logs.
        run: runs an algorithm; several threads call it if several logs are written at once.
        memory: the memory of the first log; None: a new one.
        parallel: the most logs that are written at once, 1 or more.
    """

    def __init__(
        self, logs: Logs, run: Runs, memory: SequencerMemory | None = None, *, parallel: int = 1
    ) -> None:
        self._logs = logs
        self._run = run
        self._memories = Memories(memory)
        self._at_once = AtOnce(parallel)

    @classmethod
    def over(
        cls, config: DynamoConfig, gateway: Gateway, memory: SequencerMemory | None = None
    ) -> Sequencing:
        """Return a `Sequencing` for the logs of a configuration. It sends through a gateway.

        Raises:
            ReplicaWriteError: the tables are replicas.
        """
        config.refuse_in_replica("sequence")

        def run(operation: str, tenant_id: TenantId, steps: Steps[T]) -> T:
            return gateway.run(operation, tenant_id, None, steps)

        return cls(Logs.of(config), run, memory, parallel=config.max_parallel)

    def memory_of(self, tables: Tables) -> SequencerMemory:
        """Return the memory of a log."""
        return self._memories.of(tables)

    def sequence(self, hints: Iterable[Pointer]) -> Sequenced:
        """Give hinted commits their positions; see `dynamo_es.dynamodb.log.sequencer.sequence`.

        With one log for each tenant, a log whose newest page is unreadable is skipped with a logged
        error, until `dynamo-es log repair` has repaired it.

        Raises:
            CredentialsError, TableNotFoundError: no log can be written.
            LogScopeError: the table is in use with another ``log_scope``.
            StoredItemError, ServiceError: only with one log for all tenants.
        """
        groups = list(self._logs.by_log(hints).items())
        # Get the memories in this thread, because `Memories` is not thread-safe.
        memories = [self.memory_of(tables) for tables, _ in groups]
        if not self._logs.per_tenant:
            ((tables, some),) = groups
            return self._sequence(tables, some, memories[0])

        def one(place: int) -> Sequenced:
            return self._sequence(*groups[place], memories[place])

        done = Sequenced([], 0, 0, [], None)
        for (_, some), outcome in zip(groups, self._at_once.run(one, len(groups)), strict=True):
            done = _added(done, some, outcome)
        return done

    def set_aside(self, errors: Sequence[StoredItemError]) -> None:
        """Set aside commits that cannot be read, each in the log of its tenant.

        Raises:
            ServiceError: AWS refused or did not answer. Call again.
        """
        by_log: defaultdict[Tables, list[StoredItemError]] = defaultdict(list)
        for error in errors:
            by_log[self._logs.of_stream(error.stream_key)].append(error)
        for tables, some in by_log.items():
            steps = _set_aside(tables, some, self.memory_of(tables))
            self._run("set_aside", tables.tenant_id, steps)

    def _sequence(self, tables: Tables, hints: list[Pointer], memory: SequencerMemory) -> Sequenced:
        waiting = memory.waiting
        pages = self._run("sequence", tables.tenant_id, sequence(tables, hints, memory))
        positions = sum(page.following - page.first for page in pages)
        return Sequenced(pages, positions, memory.waiting - waiting, [], None)


def _added(done: Sequenced, hints: list[Pointer], outcome: Sequenced | Exception) -> Sequenced:
    """Return a result that includes the outcome of one more log, given its hints."""
    if isinstance(outcome, Sequenced):
        return Sequenced(
            done.pages + outcome.pages,
            done.positions + outcome.positions,
            done.waiting + outcome.waiting,
            done.left,
            done.failure,
        )
    if isinstance(outcome, StoredItemError):
        _log.error(
            "%d commits of a tenant have no position, because its log cannot be written. "
            "Run `dynamo-es log repair`. %s",
            len(hints),
            describe_error(outcome),
        )
        return done
    if isinstance(outcome, ServiceError) and not isinstance(outcome, _OF_ALL_LOGS):
        return done._replace(left=done.left + hints, failure=done.failure or outcome)
    raise outcome


def _set_aside(
    tables: Tables, errors: list[StoredItemError], memory: SequencerMemory
) -> Steps[None]:
    # Register the log first: a listing of commits that are set aside finds the logs there.
    if memory.marked_below is None and not memory.set_aside:
        yield from register(tables.keys)
    yield from set_aside(tables.keys, errors, memory)

"""`Logs`: the logs in a table: one log for all tenants, or one log for each tenant."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.dynamodb.log.keys import prefix_of
from dynamo_es.dynamodb.log.sequencer import Tables
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.streams.keys import parse_stream_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.values import TenantId

_MOST_REMEMBERED: Final = 500
"""The most logs that a process remembers. A forgotten one costs two more reads."""


class Logs(NamedTuple):
    """Names of the tables, and whether each tenant has its own log.

    Attributes:
        events: name of the table of the commits.
        table: name of the table of the logs.
        per_tenant: whether each tenant has its own log; False: one log holds all tenants' events.
    """

    events: str
    table: str
    per_tenant: bool = False

    @classmethod
    def of(cls, config: DynamoConfig) -> Logs:
        """Return the logs of a configuration."""
        return cls(config.events_table, config.log_table, config.log_scope == "tenant")

    @property
    def shared(self) -> Tables:
        """The log of all tenants. If each tenant has a log, it has only items without a tenant."""
        return Tables(self.events, self.table)

    def of_tenant(self, tenant_id: TenantId) -> Tables:
        """Return the log that holds a tenant's events."""
        return self.shared._replace(prefix=prefix_of(tenant_id)) if self.per_tenant else self.shared

    def of_stream(self, stream_key: str) -> Tables:
        """Return the log that holds a stream's events; `shared` if the key is not a stream's."""
        if not self.per_tenant:
            return self.shared
        try:
            return self.of_tenant(parse_stream_key(stream_key)[0])
        except ValueError:
            return self.shared

    def by_log(self, hints: Iterable[Pointer]) -> dict[Tables, list[Pointer]]:
        """Group hints by log, in the given order."""
        if not self.per_tenant:
            return {self.shared: list(hints)}
        found: defaultdict[Tables, list[Pointer]] = defaultdict(list)
        for hint in hints:
            found[self.of_stream(hint.stream_key)].append(hint)
        return dict(found)


class Memories:
    """The facts that a process remembers of each log. Not thread-safe.

    Args:
        first: the memory of the first log; the others get the same clock and ids. None: a new one.
    """

    def __init__(self, first: SequencerMemory | None = None) -> None:
        self._first = first or SequencerMemory()
        self._all: OrderedDict[str, SequencerMemory] = OrderedDict()

    def of(self, tables: Tables) -> SequencerMemory:
        """Return the memory of a log."""
        if not self._all:
            self._all[tables.prefix] = self._first
        found = self._all.get(tables.prefix)
        if found is None:
            found = SequencerMemory(new_id=self._first.new_id, clock=self._first.clock)
            self._all[tables.prefix] = found
            if len(self._all) > _MOST_REMEMBERED:
                self._all.popitem(last=False)
        self._all.move_to_end(tables.prefix)
        return found

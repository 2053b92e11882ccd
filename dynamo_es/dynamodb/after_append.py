"""After an append: assigns its position, if this process does that, and calls the listener."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dynamo_es.contracts import AppendHooks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.log.inline_sequencer import CommitKey, InlineSequencer
    from dynamo_es.dynamodb.streams.append import Append
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.values import Position, TenantId


@dataclass(frozen=True, slots=True)
class Announcer:
    """Announces the appends of a process; shared by the storages of all tenants.

    Attributes:
        hooks: the listener, and the filter of the outbox.
        sequencer: assigns positions; None: another process does.
    """

    hooks: AppendHooks = field(default_factory=AppendHooks)
    sequencer: InlineSequencer | None = None

    @classmethod
    def of(cls, config: DynamoConfig, gateway: Gateway) -> Announcer:
        """Return an announcer with the configured sequencing."""
        if config.sequencing != "inline":
            return cls()
        from dynamo_es.dynamodb.log.inline_sequencer import InlineSequencer
        from dynamo_es.dynamodb.log.sequencer import Tables

        tables = Tables(config.events_table, config.log_table)
        return cls(sequencer=InlineSequencer(tables, gateway))

    def __bool__(self) -> bool:
        """Whether an append needs to be announced."""
        return self.sequencer is not None or bool(self.hooks.listener)

    def forget(self) -> None:
        """Forget what the sequencer remembers of the log, because the tables are empty now."""
        if self.sequencer is not None:
            self.sequencer.after_fork()

    def announce(self, tenant_id: TenantId, appends: Sequence[Append]) -> None:
        """Assign positions and call the listener; the events stay stored if that fails."""
        keys: list[CommitKey | None] = [None] * len(appends)
        if self.sequencer is not None:
            keys = self.sequencer.sequence(tenant_id, appends)
        for append, key in zip(appends, keys, strict=True):
            self._tell(tenant_id, append, key)

    def _tell(self, tenant_id: TenantId, append: Append, key: CommitKey | None) -> None:
        """Call the listener with the events of one append."""
        if not self.hooks.listener:
            return
        first = append.last - len(append.events) + 1
        position = self._position(tenant_id, append, key, first)
        events = [
            replace(event, version=None if append.versionless else version)
            for version, event in enumerate(append.events, first)
        ]
        self.hooks.listener(events, tenant_id, position, _generation(append, key))

    def _position(
        self, tenant_id: TenantId, append: Append, key: CommitKey | None, first: int
    ) -> Position | None:
        """Return the position of an append's first event, if the others follow it."""
        if self.sequencer is None or key is None:
            return None
        stream = append.stream
        found = self.sequencer.position_of(tenant_id, stream.id, key)
        if found is None:
            return None
        for commit in append.commits[1:]:  # another sequencer may come in between
            place = key._replace(generation=commit.generation, first_version=commit.version)
            expected = found + commit.version - key.first_version
            if self.sequencer.position_of(tenant_id, stream.id, place) != expected:
                return None
        # What was stored already may be in the middle of a commit.
        return found + first - key.first_version


def _generation(append: Append, key: CommitKey | None) -> int:
    """Return the generation of an append; 0 if it was stored before, unread."""
    if append.commits:
        return append.commits[0].generation
    return 0 if key is None else key.generation

"""After an append: assigns its position, if this process does that, and calls the listener."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dynamo_es.contracts import AppendHooks

if TYPE_CHECKING:
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.log.inline_sequencer import InlineSequencer
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

    def announce(self, tenant_id: TenantId, append: Append) -> None:
        """Assign positions and call the listener; the events stay stored if that fails."""
        stream_id = append.stream.id
        key = None
        if self.sequencer is not None:
            key = self.sequencer.sequence(tenant_id, stream_id, append)
        if not self.hooks.listener:
            return
        first = append.last - len(append.events) + 1
        position: Position | None = None
        if self.sequencer is not None and key is not None:
            commit = self.sequencer.position_of(tenant_id, stream_id, key)
            # Events that were stored already may begin in the middle of a commit.
            position = None if commit is None else commit + first - key[2]
        events = [
            replace(event, version=None if append.versionless else version)
            for version, event in enumerate(append.events, first)
        ]
        self.hooks.listener(events, tenant_id, position, _generation(append, key))


def _generation(append: Append, key: tuple[str, int, int] | None) -> int:
    """Return the generation of an append; 0 if it was stored before, unread."""
    if append.commits:
        return append.commits[0].generation
    return 0 if key is None else key[1]

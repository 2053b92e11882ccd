"""After an append: its position, if this process gives it, and those who listen."""

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
    """Makes the appends of a process known; shared by the storages of all tenants.

    Attributes:
        hooks: who listens, and what is chosen for the outbox.
        sequencer: gives positions; None: others do.
    """

    hooks: AppendHooks = field(default_factory=AppendHooks)
    sequencer: InlineSequencer | None = None

    @classmethod
    def of(cls, config: DynamoConfig, gateway: Gateway) -> Announcer:
        """Return one as configured."""
        if config.sequencing != "inline":
            return cls()
        from dynamo_es.dynamodb.log.inline_sequencer import InlineSequencer
        from dynamo_es.dynamodb.log.sequencer import Tables

        tables = Tables(config.events_table, config.log_table)
        return cls(sequencer=InlineSequencer(tables, gateway))

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return self.sequencer is not None or bool(self.hooks.listener)

    def announce(self, tenant_id: TenantId, append: Append) -> None:
        """Do all that follows an append; the append is done, whatever becomes of this."""
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
            # What was stored already may be in the middle of a commit.
            position = None if commit is None else commit + first - key[2]
        events = [
            replace(event, version=None if append.versionless else version)
            for version, event in enumerate(append.events, first)
        ]
        self.hooks.listener(events, tenant_id, position, _generation(append, key))


def _generation(append: Append, key: tuple[str, int, int] | None) -> int:
    """Return the generation that an append is of; 0 if it was stored before and nobody looked."""
    if append.commits:
        return append.commits[0].generation
    return 0 if key is None else key[1]

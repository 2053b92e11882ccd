"""`Announcer`: after an append, assigns positions (inline sequencing) and calls listeners."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dynamo_es.contracts import AppendHooks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.log.inline_sequencer import CommitKey, InlineSequencer, InlineSequencers
    from dynamo_es.dynamodb.streams.appending.append import Append
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.values import Position, TenantId


@dataclass(frozen=True, slots=True)
class Announcer:
    """Announces the appends of a process. The storages of all tenants share it.

    Attributes:
        hooks: the listener, and the filter of the outbox.
        sequencers: the inline sequencers, one for each log; None: another process sequences.
    """

    hooks: AppendHooks = field(default_factory=AppendHooks)
    sequencers: InlineSequencers | None = None

    @classmethod
    def of(
        cls, config: DynamoConfig, gateway: Gateway, clock: Callable[[], float] = time.time
    ) -> Announcer:
        """Return an announcer with the configured sequencing."""
        if config.sequencing != "inline":
            return cls()
        from dynamo_es.dynamodb.log.inline_sequencer import InlineSequencers
        from dynamo_es.dynamodb.log.logs import Logs

        return cls(sequencers=InlineSequencers(Logs.of(config), gateway, clock))

    def __bool__(self) -> bool:
        """Whether an append needs to be announced."""
        return self.sequencers is not None or bool(self.hooks.listener)

    def forget(self) -> None:
        """Drop what the sequencers remember of the log, because the tables are empty now."""
        if self.sequencers is not None:
            self.sequencers.forget()

    def announce(self, tenant_id: TenantId, appends: Sequence[Append]) -> None:
        """Assign positions and call the listener. If that fails, the events are still stored."""
        keys: list[CommitKey | None] = [None] * len(appends)
        sequencer = None if self.sequencers is None else self.sequencers.of(tenant_id)
        if sequencer is not None:
            keys = sequencer.sequence(tenant_id, appends)
        for append, key in zip(appends, keys, strict=True):
            self._notify(tenant_id, append, key, sequencer)

    def _notify(
        self,
        tenant_id: TenantId,
        append: Append,
        key: CommitKey | None,
        sequencer: InlineSequencer | None,
    ) -> None:
        """Call the listener with the events of one append."""
        if not self.hooks.listener:
            return
        first = append.last - len(append.events) + 1
        position = _position(tenant_id, append, key, first, sequencer)
        events = [
            replace(event, version=None if append.versionless else version)
            for version, event in enumerate(append.events, first)
        ]
        self.hooks.listener(events, tenant_id, position, _generation(append, key))


def _position(
    tenant_id: TenantId,
    append: Append,
    key: CommitKey | None,
    first: int,
    sequencer: InlineSequencer | None,
) -> Position | None:
    """Return the position of an append's first event; None unless the others follow directly."""
    if sequencer is None or key is None:
        return None
    stream = append.stream
    found = sequencer.position_of(tenant_id, stream.id, key)
    if found is None:
        return None
    for commit in append.commits[1:]:  # another sequencer may put other commits in between
        place = key._replace(generation=commit.generation, first_version=commit.version)
        expected = found + commit.version - key.first_version
        if sequencer.position_of(tenant_id, stream.id, place) != expected:
            return None
    # Events that were stored earlier may be in the middle of a commit.
    return found + first - key.first_version


def _generation(append: Append, key: CommitKey | None) -> int:
    """Return the generation of an append; 0 if it was stored earlier and not read again."""
    if append.commits:
        return append.commits[0].generation
    return 0 if key is None else key.generation

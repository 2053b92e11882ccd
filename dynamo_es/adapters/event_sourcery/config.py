"""The configuration of the backend: a pydantic model, like python-event-sourcery's."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from dynamo_es.dynamodb.config import DynamoConfig


class DynamoDBConfig(BaseModel):
    """Names of the tables, and options.

    Attributes:
        events_table: name of the table of streams.
        log_table: name of the table of the log, the outbox and the cursors.
        keys_table: name of the table of encryption keys.
        outbox_attempts: most tries to publish an event.
        sequencing: ``"inline"``: the process that appends events gives them their positions, and
            listeners get these positions. ``"stream"``: a sequencer on the table stream of the
            events table gives positions. An append is then one request, and listeners get position
            0.
        log_scope: ``"table"``: one log has the events of all tenants, and subscriptions read the
            whole log. ``"tenant"``: each tenant has its own log and positions, and subscriptions
            read the log of the backend's tenant.
        kms_key_id: AWS KMS key that wraps the keys of a `DynamoDBKeyStorage`; None: only the
            table's own encryption protects them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    events_table: str = Field(min_length=1)
    log_table: str = Field(min_length=1)
    keys_table: str = Field(min_length=1)
    outbox_attempts: PositiveInt = 3
    sequencing: Literal["inline", "stream"] = "inline"
    log_scope: Literal["table", "tenant"] = "table"
    kms_key_id: str | None = Field(default=None, min_length=1)

    def of_core(self) -> DynamoConfig:
        """Return the configuration of the underlying store."""
        return DynamoConfig(**self.model_dump(exclude={"outbox_attempts"}))

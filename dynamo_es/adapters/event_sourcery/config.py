"""What is set of a backend, in the manner of their configurations."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from dynamo_es.dynamodb.config import DynamoConfig


class DynamoDBConfig(BaseModel):
    """Names of the tables, and what else may be chosen.

    Attributes:
        events_table: name of the table of streams.
        log_table: name of the table of the log, the outbox and the cursors.
        keys_table: name of the table of encryption keys.
        outbox_attempts: most tries to publish an event, until it is given up.
        sequencing: who gives events their positions. ``"inline"``: the process that appends them,
            so that listeners are told of them. ``"stream"``: whoever reads the events table's
            stream; an append is one request then, and listeners are told position 0.
        kms_key_id: AWS KMS key that wraps the keys in a `DynamoDBKeyStorage`; None: they are
            stored as they are, under the table's own encryption.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    events_table: str = Field(min_length=1)
    log_table: str = Field(min_length=1)
    keys_table: str = Field(min_length=1)
    outbox_attempts: PositiveInt = 3
    sequencing: Literal["inline", "stream"] = "inline"
    kms_key_id: str | None = Field(default=None, min_length=1)

    def of_core(self) -> DynamoConfig:
        """Return the same as the store underneath takes it."""
        return DynamoConfig(**self.model_dump(exclude={"outbox_attempts"}))

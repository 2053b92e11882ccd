"""The settings of the handlers that need no code of yours, from the environment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from dynamo_es.environment import (
    OUTBOX_ATTEMPTS,
    OUTBOX_HOURS,
    OUTBOX_NAME,
    OUTBOX_SOURCE,
    OUTBOX_TARGET,
    SERVICE_NAME,
)
from dynamo_es.exceptions import ConfigurationError
from dynamo_es.outbox.terms import DEFAULT_AGE

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxSettings:
    """The settings of the handler ``dynamo_es.aws_lambda.outbox.handler``.

    Attributes:
        target: ARN of an event bus, a topic or a queue.
        source: source of the events on a bus.
        name: name of the outbox; None: ``outbox``.
        attempts: the most tries of an event; None: as many as ``give_up_after`` allows.
        give_up_after: how long an event is tried again.
    """

    target: str
    source: str = "dynamo_es"
    name: str | None = None
    attempts: int | None = None
    give_up_after: timedelta = DEFAULT_AGE

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Return the settings in the environment variables ``DYNAMO_ES_OUTBOX_…``.

        Args:
            environ: the variables; None: those of the process.

        Raises:
            ConfigurationError: the target is missing, or a number is out of range.
        """
        target = OUTBOX_TARGET.read(environ)
        if target is None:
            raise ConfigurationError(
                f"{OUTBOX_TARGET.name} is not set: set it to the ARN of a bus, a topic or a queue."
            )
        return cls(
            target=target,
            source=OUTBOX_SOURCE.read(environ) or SERVICE_NAME.read(environ) or "dynamo_es",
            name=OUTBOX_NAME.read(environ),
            attempts=OUTBOX_ATTEMPTS.read(environ),
            give_up_after=timedelta(hours=OUTBOX_HOURS.read(environ)),
        )

"""The environment variables of the handlers that need no code of yours.

`DynamoConfig.from_env` reads the variables of the store; this module reads the outbox's, and no
other module of the package reads any. All are in one table in ``docs/reference/configuration.md``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from dynamo_es.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

TARGET: Final = "DYNAMO_ES_OUTBOX_TARGET"
SOURCE: Final = "DYNAMO_ES_OUTBOX_SOURCE"
NAME: Final = "DYNAMO_ES_OUTBOX_NAME"
ATTEMPTS: Final = "DYNAMO_ES_OUTBOX_ATTEMPTS"
SERVICE: Final = "POWERTOOLS_SERVICE_NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxSettings:
    """What ``dynamo_es.aws_lambda.outbox.handler`` publishes, and where to.

    Attributes:
        target: ARN of an event bus, a topic or a queue.
        source: source of the events on a bus.
        name: name of the outbox; None: ``outbox``.
        attempts: most tries of an event.
    """

    target: str
    source: str = "dynamo_es"
    name: str | None = None
    attempts: int = 3

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the variables.

        Args:
            environ: the variables; None: those of the process.

        Raises:
            ConfigurationError: the target is missing, or the attempts are not a number from 1.
        """
        environ = os.environ if environ is None else environ
        target = environ.get(TARGET, "")
        if not target:
            raise ConfigurationError(
                f"{TARGET} is not set: give the ARN of an event bus, a topic or a queue."
            )
        attempts = environ.get(ATTEMPTS, "3")
        if not attempts.isdecimal() or int(attempts) < 1:
            raise ConfigurationError(
                f"{ATTEMPTS} must be an integer of 1 or more, not {attempts!r}."
            )
        return cls(
            target=target,
            source=environ.get(SOURCE) or environ.get(SERVICE) or "dynamo_es",
            name=environ.get(NAME) or None,
            attempts=int(attempts),
        )

"""What a user sets: tables, endpoint, time-outs, retries, remembered heads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Self

from dynamo_es.exceptions import ConfigurationError

ENVIRONMENT_PREFIX = "DYNAMO_ES_"

SEQUENCING: Final = ("stream", "inline")


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoConfig:
    """Where the tables are and how long a request may take.

    Attributes:
        events_table: name of the table of streams.
        log_table: name of the table of the log.
        keys_table: name of the table of encryption keys.
        endpoint_url: URL of an emulator; None: AWS itself.
        region: AWS region; None: the environment's.
        connect_timeout: seconds to wait for a connection.
        read_timeout: seconds to wait for a reply.
        max_attempts: HTTP attempts per request, the first included; throttling and
            transport failures are retried by the SDK.
        max_pool_connections: connections that stay open, and so requests at once, before others
            are opened and thrown away; at least the threads that use a backend (a web framework's
            are often 40).
        retry_deadline: seconds after which conflicts between transactions and lost races
            are not retried any more.
        remembered_heads: streams whose version is remembered between calls; 0 turns it off.
        report_capacity: ask DynamoDB for consumed units, for the observer.
        kms_key_id: AWS KMS key that wraps the encryption keys of data subjects: its id, ARN,
            alias name or alias ARN; None: they are stored as they are, under the table's own
            encryption.
        max_uncompressed_bytes: what the events of one append may take as JSON, before compression;
            a stored commit that takes more is not read. Set all programs alike.
        sequencing: who gives appends their positions. ``"stream"``: whoever reads the events
            table's stream (a Lambda function, `DynamoBackend.sequencer`); an append sends nothing
            more. ``"inline"``: the process itself, right after each append, with 4 requests more;
            for small deployments, local work and tests.

    Raises:
        ConfigurationError: a missing name, or a figure out of range.
    """

    events_table: str
    log_table: str
    keys_table: str
    endpoint_url: str | None = None
    region: str | None = None
    connect_timeout: float = 1.0
    read_timeout: float = 3.0
    max_attempts: int = 4
    max_pool_connections: int = 50
    retry_deadline: float = 10.0
    remembered_heads: int = 10_000
    report_capacity: bool = False
    kms_key_id: str | None = None
    sequencing: str = "stream"
    max_uncompressed_bytes: int = 32 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in ("events_table", "log_table", "keys_table"):
            if not getattr(self, name) or not isinstance(getattr(self, name), str):
                raise ConfigurationError(f"DynamoConfig.{name} must be the name of a table.")
        if self.kms_key_id is not None and (
            not self.kms_key_id or not isinstance(self.kms_key_id, str)
        ):
            raise ConfigurationError("DynamoConfig.kms_key_id must be that of a KMS key, or None.")
        if self.sequencing not in SEQUENCING:
            raise ConfigurationError(
                f"DynamoConfig.sequencing must be one of {', '.join(SEQUENCING)}, "
                f"not {self.sequencing!r}."
            )
        for name, least in (
            ("connect_timeout", 0.001),
            ("read_timeout", 0.001),
            ("max_attempts", 1),
            ("max_pool_connections", 1),
            ("retry_deadline", 0.0),
            ("remembered_heads", 0),
            ("max_uncompressed_bytes", 1),
        ):
            value = getattr(self, name)
            kinds = (int,) if isinstance(least, int) else (int, float)
            if isinstance(value, bool) or not isinstance(value, kinds) or not value >= least:
                raise ConfigurationError(
                    f"DynamoConfig.{name} must be a number of {least} or more, not {value!r}."
                )

    @property
    def tables(self) -> tuple[str, str, str]:
        """Names of all tables."""
        return self.events_table, self.log_table, self.keys_table

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read ``DYNAMO_ES_EVENTS_TABLE``, ``…_LOG_TABLE``, ``…_KEYS_TABLE``, ``…_ENDPOINT_URL``.

        Every other field may be set likewise: ``DYNAMO_ES_READ_TIMEOUT=5``.

        Raises:
            ConfigurationError: a variable is missing or not of its field's kind.
        """
        environ = os.environ if environ is None else environ
        if not isinstance(environ, Mapping):
            kind = type(environ).__name__
            raise ConfigurationError(f"environ must be a mapping of variables, not {kind}.")
        values: dict[str, object] = {}
        for field in fields(cls):
            variable = ENVIRONMENT_PREFIX + field.name.upper()
            text = environ.get(variable, "").strip()
            if text:
                values[field.name] = _parse(variable, text, str(field.type))
        missing = [
            ENVIRONMENT_PREFIX + name.upper()
            for name in ("events_table", "log_table", "keys_table")
            if name not in values
        ]
        if missing:
            raise ConfigurationError(f"Set the environment variables {', '.join(missing)}.")
        return cls(**values)  # type: ignore[arg-type]


def _parse(variable: str, text: str, kind: str) -> object:
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
        if kind == "bool":
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    except (ValueError, KeyError):
        raise ConfigurationError(f"{variable} must be a {kind}, not {text!r}.") from None
    return text

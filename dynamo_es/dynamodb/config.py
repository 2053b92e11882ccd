"""`DynamoConfig`: tables, endpoint, time-outs and retries, from code or from the environment."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias, get_args

from dynamo_es.contracts.checks.arguments import seconds_of
from dynamo_es.contracts.log_scope import LogScope, is_per_tenant
from dynamo_es.environment import AWS_REGION, PREFIX, of_field
from dynamo_es.exceptions import ConfigurationError, ReplicaWriteError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

ENVIRONMENT_PREFIX: Final = PREFIX

_Duration: TypeAlias = Literal["connect_timeout", "read_timeout", "retry_deadline"]

DEFAULT_TABLES: Final[Mapping[str, str]] = {
    "events_table": "dynamo-es-events",
    "log_table": "dynamo-es-log",
    "keys_table": "dynamo-es-keys",
}
"""Names of the tables if none is set: the defaults of ``infra/event-store.yaml``."""

Compression: TypeAlias = Literal["units", "always"]
"""When to compress stored events; see `DynamoConfig.compression`."""

COMPRESSION: Final[tuple[Compression, ...]] = get_args(Compression)

Sequencing: TypeAlias = Literal["stream", "inline"]
"""How appended events get their positions in the log; see `DynamoConfig.sequencing`."""

Transport: TypeAlias = Literal["default", "botocore", "lean"]
"""What sends the requests; see `DynamoConfig.transport`."""

Replication: TypeAlias = Literal["none", "replica", "strong"]
"""How the tables are replicated to other regions; see `DynamoConfig.replication`."""

_SHORTEST: Final[Mapping[_Duration, float]] = {
    "connect_timeout": 0.001,
    "read_timeout": 0.001,
    "retry_deadline": 0,
}

SEQUENCING: Final[tuple[Sequencing, ...]] = get_args(Sequencing)
REPLICATION: Final[tuple[Replication, ...]] = get_args(Replication)
TRANSPORTS: Final[tuple[Transport, ...]] = get_args(Transport)


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoConfig:
    """The settings of a `DynamoBackend`: tables, region, time-outs, retries, encryption.

    ``DynamoConfig(events_table="events", log_table="log", keys_table="keys")``

    Attributes:
        events_table: name of the table that holds the streams.
        log_table: name of the table that holds the log.
        keys_table: name of the table that holds the encryption keys.
        endpoint_url: URL of an emulator; None: AWS. An emulator on this machine (a loopback
            address) takes any region and credentials: if you configure none, ``us-east-1`` and
            dummy credentials are used.
        region: AWS region; None: that of the environment (``AWS_REGION``, ``AWS_DEFAULT_REGION``)
            or of the AWS profile.
        profile: AWS profile, a section of the AWS configuration files; it takes precedence over
            credentials in the environment. None: those of the environment (``AWS_PROFILE``).
        connect_timeout: how long to wait for a connection, a timedelta or seconds.
        read_timeout: how long to wait for a reply, a timedelta or seconds.
        max_attempts: HTTP attempts per request, the first one included. The SDK retries
            throttling and transport failures.
        max_pool_connections: number of connections that stay open. Set it to at least the number
            of threads that use the backend (web frameworks often run 40). Each request beyond it
            opens a connection and closes it again.
        max_parallel: the most requests of one operation that run at once, if they do not depend on
            each other, such as the markers of a page of the log, or batches of appends. They run
            on threads that all operations of a backend share. A sequencer also writes at most this
            many logs of tenants at once. 1: one after the other.
        retry_deadline: how long an operation tries again while other writers interfere, a timedelta
            or seconds.
        remembered_heads: number of streams whose version the backend remembers between calls;
            0 turns it off.
        report_capacity: whether to ask DynamoDB for the consumed units, for the observer.
        kms_key_id: AWS KMS key that wraps the encryption keys of data subjects: its id, ARN,
            alias name or alias ARN. None: only the encryption of the table protects the keys.
        max_uncompressed_bytes: the most bytes of one append's events as JSON, before compression.
            A larger stored commit cannot be read, so set the same limit in all programs.
        sequencing: how events get their positions. ``"stream"``: a reader of the events table's
            stream (a Lambda function, `DynamoBackend.sequencer`) assigns them, so an append needs
            no extra requests. ``"inline"``: the process assigns them right after each append, with
            2 to 4 more requests; for small deployments, local work and tests.
        consistent_loads: whether `EventStore.load_stream`, `EventStore.iter_stream` and the loads
            of a `Repository` see every append that finished before, unless the call or the
            repository says otherwise. False halves their read units. Then appends that other
            processes made in the last second may be missing, and a decision that misses one is
            refused when it is saved. This process's own appends are there if it remembers the
            stream.
        compression: ``"units"``: compress the events of an append if that lowers its write units.
            ``"always"``: compress them whenever that makes the item smaller, which saves storage
            and transfer. Programs with different settings can share tables.
        transport: what sends the requests. ``"default"``: boto3 finds credentials and endpoint and
            retries, and requests use its kind of connections without the layers in between, for a
            third less CPU time. If you gave a client, a proxy is configured, or a tool traces or
            mocks requests, boto3 does everything. ``"botocore"``: boto3 always does everything.
            ``"lean"``: only boto3's rules for retries are loaded, for a faster start and less than
            half of the CPU time. It needs static credentials and a region in the environment;
            without them, it does the same as ``"default"``.
        log_scope: ``"table"``: one log holds the events of all tenants. ``"tenant"``: each tenant
            has its own log, with its own positions. Every key of such a log begins with the tenant,
            so that an IAM policy can limit a session to one. All programs of a table must use the
            same value.
        tag_index: whether a process uses the tag index of a boundary, which `Boundary.index`
            writes, to read events that it does not remember. Such a read takes 4 requests, however
            long the boundary is.
        replication: ``"none"``: the tables are in one region, or this is the only region of a
            global table that writes. ``"replica"``: the tables are replicas of an eventually
            consistent global table. Reads then wait up to ``retry_deadline`` for items that arrive
            later than others, and raise `ReplicaLagError` after that; appends, deletions and all
            other writes of events are refused. ``"strong"``: the tables belong to a global table
            with multi-Region strong consistency, which takes appends in each region, but no
            transactions. An operation that needs one is refused.

    Raises:
        ConfigurationError: a table without a name, or a value out of range.
    """

    events_table: str
    log_table: str
    keys_table: str
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    connect_timeout: timedelta | float = 1.0
    read_timeout: timedelta | float = 3.0
    max_attempts: int = 4
    max_pool_connections: int = 50
    max_parallel: int = 4
    retry_deadline: timedelta | float = 10.0
    remembered_heads: int = 10_000
    report_capacity: bool = False
    kms_key_id: str | None = None
    sequencing: Sequencing = "stream"
    log_scope: LogScope = "table"
    max_uncompressed_bytes: int = 32 * 1024 * 1024
    consistent_loads: bool = True
    compression: Compression = "units"
    transport: Transport = "default"
    tag_index: bool = False
    replication: Replication = "none"

    def __post_init__(self) -> None:
        for name in ("events_table", "log_table", "keys_table"):
            if not getattr(self, name) or not isinstance(getattr(self, name), str):
                raise ConfigurationError(f"DynamoConfig.{name} must be the name of a table.")
        if self.profile is not None and (not self.profile or not isinstance(self.profile, str)):
            raise ConfigurationError(
                "DynamoConfig.profile must be the name of an AWS profile, or None."
            )
        if self.kms_key_id is not None and (
            not self.kms_key_id or not isinstance(self.kms_key_id, str)
        ):
            raise ConfigurationError(
                "DynamoConfig.kms_key_id must be the id, ARN or alias of a KMS key, or None."
            )
        is_per_tenant(self.log_scope)
        self._check_choice("sequencing", SEQUENCING)
        self._check_choice("compression", COMPRESSION)
        self._check_choice("transport", TRANSPORTS)
        self._check_choice("consistent_loads", (True, False))
        self._check_choice("tag_index", (True, False))
        self._check_choice("replication", REPLICATION)
        self._check_replica()
        for duration in _SHORTEST:
            self.seconds(duration)
        for name, least in (
            ("max_attempts", 1),
            ("max_pool_connections", 1),
            ("max_parallel", 1),
            ("remembered_heads", 0),
            ("max_uncompressed_bytes", 1),
        ):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ConfigurationError(
                    f"DynamoConfig.{name} must be an integer of {least} or more, "
                    f"not {shown(value)}."
                )

    def _check_choice(self, name: str, choices: tuple[str | bool, ...]) -> None:
        value = getattr(self, name)
        if not isinstance(value, type(choices[0])) or value not in choices:  # 1 is not True
            raise ConfigurationError(
                f"DynamoConfig.{name} must be one of {', '.join(map(str, choices))}, "
                f"not {shown(value, str)}."
            )

    def _check_replica(self) -> None:
        """Refuse settings that do not work in a replica: inline sequencing and the tag index."""
        if self.replication != "replica":
            return
        if self.sequencing == "inline":
            raise ConfigurationError(
                'DynamoConfig.sequencing must be "stream" if replication is "replica": the region '
                "that writes assigns the positions."
            )
        if self.tag_index:
            raise ConfigurationError(
                'DynamoConfig.tag_index must be False if replication is "replica": parts of the '
                "index may arrive later than the others, and a read would miss events."
            )

    def refuse_in_replica(self, operation: str) -> None:
        """Refuse an operation that writes events, positions or keys if the tables are replicas.

        Raises:
            ReplicaWriteError: the tables are replicas.
        """
        if self.replication == "replica":
            raise ReplicaWriteError(operation)

    def seconds(self, name: _Duration) -> float:
        """Return one of the durations in seconds."""
        label = f"DynamoConfig.{name}"
        return seconds_of(label, getattr(self, name), _SHORTEST[name], ConfigurationError)

    @property
    def tables(self) -> tuple[str, str, str]:
        """Names of the three tables: events, log, keys."""
        return self.events_table, self.log_table, self.keys_table

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Return a configuration from variables such as ``DYNAMO_ES_EVENTS_TABLE``.

        Each field has a variable: ``DYNAMO_ES_`` and the field's name in capitals
        (``DYNAMO_ES_READ_TIMEOUT=5``). Durations are seconds. Write ``true`` or ``1``, ``false`` or
        ``0`` for a switch. Set the names of all three tables, or of none. The defaults are
        ``dynamo-es-events``, ``dynamo-es-log`` and ``dynamo-es-keys``, as in
        ``infra/event-store.yaml``.

        Args:
            environ: the variables; None: those of the process.

        Raises:
            ConfigurationError: a value does not fit its field, or only some tables have a name.
        """
        values: dict[str, object] = {}
        for field in fields(cls):
            value = of_field(field.name, str(field.type)).read(environ)
            if value is not None:
                values[field.name] = value
        missing = [name for name in DEFAULT_TABLES if name not in values]
        if len(missing) == len(DEFAULT_TABLES):
            values.update(DEFAULT_TABLES)
        elif missing:
            # Custom names beside default names would mix the tables of two stores.
            names = ", ".join(ENVIRONMENT_PREFIX + name.upper() for name in missing)
            raise ConfigurationError(
                f"Set the environment variables {names}: name all three tables or none."
            )
        return cls(**values)  # type: ignore[arg-type]


def aws_region() -> str | None:
    """Return the region that Lambda sets in ``AWS_REGION``, which boto3 does not read."""
    return AWS_REGION.read()

"""Settings from an application's environment, and the runtime that its recorders share."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb.after_append import Announcer
from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.dynamodb.storage import DynamoStorage
from dynamo_es.dynamodb.streams.remembered.heads import RememberedHeads
from dynamo_es.dynamodb.streams.stream import Stream
from dynamo_es.dynamodb.wire.client import LazyClient
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.environment import POLL_INTERVAL, PREFIX, TENANT
from dynamo_es.forking import new_lock
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventsourcing.utils import Environment
    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.dynamodb.emulator.emulator import Emulator
    from dynamo_es.dynamodb.wire.steps import Steps, T
    from dynamo_es.values import StreamId, TenantId

EMULATOR: Final = "moto:"
"""Prefix of the URL of an emulator in this process; the text after it names the emulator."""

_MOST_INITIALS: Final = 10_000

_emulators: dict[str, Emulator] = {}
_guard: Final = new_lock()


class InitialVersions:
    """Remembers the first versions of up to 10,000 originators. Safe to share between threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, int] = OrderedDict()
        self._lock = new_lock()

    def get(self, key: str) -> int | None:
        """Return the first version of a stream's originator; None if it is not remembered."""
        with self._lock:
            return self._known.get(key)

    def remember(self, key: str, initial: int) -> None:
        """Remember the first version, which never changes within a generation of the stream."""
        with self._lock:
            self._known[key] = initial
            self._known.move_to_end(key)
            if len(self._known) > _MOST_INITIALS:
                self._known.popitem(last=False)

    def forget(self, key: str) -> None:
        """Forget the first version, because the stream may have another generation."""
        with self._lock:
            self._known.pop(key, None)


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts that all recorders of a factory share.

    Attributes:
        config: names of the tables, time-outs, retries.
        client: returns the client.
        gateway: sends the requests.
        heads: remembers the heads of streams.
        storage: appends events, and gives them their notification ids if sequencing is inline.
        unnumbered: appends events that get no notification ids.
        tenant_id: the tenant of the streams.
        poll_interval: seconds between two reads of a subscription for other processes' events.
        initials: first versions of originators.
        clock: returns seconds since the epoch.
    """

    config: DynamoConfig
    client: Callable[[], DynamoDBClient]
    gateway: Gateway
    heads: RememberedHeads
    storage: DynamoStorage
    unnumbered: DynamoStorage
    tenant_id: TenantId
    poll_interval: float
    initials: InitialVersions = field(default_factory=InitialVersions)
    clock: Callable[[], float] = time.time

    @classmethod
    def of(cls, env: Environment) -> Runtime:
        """Return the runtime that an application's environment configures.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        config = read_config(env)
        client = LazyClient(config, _emulated(config))
        gateway = Gateway(client, config)
        heads = RememberedHeads(config.remembered_heads, time.time)
        tenant_id = TENANT.read(env) or DEFAULT_TENANT

        def storage(announcer: Announcer) -> DynamoStorage:
            return DynamoStorage(config, gateway, heads, time.time, tenant_id, announcer=announcer)

        return cls(
            config=config,
            client=client,
            gateway=gateway,
            heads=heads,
            storage=storage(Announcer.of(config, gateway)),
            unnumbered=storage(Announcer()),
            tenant_id=tenant_id,
            poll_interval=POLL_INTERVAL.read(env),
        )

    def stream(self, stream_id: StreamId) -> Stream:
        """Return the object that the algorithms use for a stream."""
        return Stream(
            table=self.config.events_table,
            key=stream_key(tenant_prefix(self.tenant_id), stream_id),
            id=stream_id,
            heads=self.heads,
            clock=self.clock,
        )

    def run(self, operation: str, steps: Steps[T], stream_id: StreamId | None = None) -> T:
        """Run an algorithm to its end."""
        return self.gateway.run(operation, self.tenant_id, stream_id, steps)


def read_config(env: Environment) -> DynamoConfig:
    """Return the configuration in an application's environment; sequencing is inline by default.

    Raises:
        ConfigurationError: a setting is missing or wrong, or the tables are replicas.
    """
    found = {"DYNAMO_ES_SEQUENCING": "inline"}
    for setting in fields(DynamoConfig):
        variable = PREFIX + setting.name.upper()
        if value := env.get(variable):
            found[variable] = value
    # The keys table is not needed: applications encrypt with the cipher of ``eventsourcing``.
    events = found.get("DYNAMO_ES_EVENTS_TABLE")
    if events is not None:
        found.setdefault("DYNAMO_ES_KEYS_TABLE", f"{events}-keys")
    config = DynamoConfig.from_env(found)
    # Recorders read the log on their own, and would take a late commit for a deleted one.
    config.refuse_in_replica("the adapter for eventsourcing")
    return config


def category_of(name: str, purpose: str) -> str:
    """Return the category of an application's streams for a purpose."""
    return f"{name}_{purpose}" if name else purpose


def _emulated(config: DynamoConfig) -> DynamoDBClient | None:
    if config.endpoint_url is None or not config.endpoint_url.startswith(EMULATOR):
        return None
    from dynamo_es.dynamodb.emulator.emulator import Emulator

    with _guard:
        emulator = _emulators.get(config.endpoint_url)
        if emulator is None:
            emulator = _emulators[config.endpoint_url] = Emulator()
    return emulator.client(config)

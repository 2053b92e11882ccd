"""The boto3 clients: created at the first request, with the configured time-outs and retries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dynamo_es.dynamodb.config import aws_region
from dynamo_es.dynamodb.wire.attempts.watching import watch
from dynamo_es.dynamodb.wire.errors import translate
from dynamo_es.dynamodb.wire.session import make_session
from dynamo_es.dynamodb.wire.snapstart import tell_of_snapshots
from dynamo_es.forking import new_lock, tell_of_forks

if TYPE_CHECKING:
    from collections.abc import Callable

    from boto3.session import Session
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.wire.lean.client import LeanClient

ClientT = TypeVar("ClientT")


class Lazy(Generic[ClientT]):
    """Returns a client: the given one, or one that it creates at the first call.

    A forked process gets its own client, because two processes that read from one connection would
    get each other's replies.

    Args:
        make: creates a client.
        client: the caller's client, with the caller's time-outs and retries; None: create one.
    """

    def __init__(self, make: Callable[[], ClientT], client: ClientT | None) -> None:
        self._make = make
        self._given = client
        self._client: ClientT | None = None
        self._checking: ClientT | None = None
        self._inherited: list[object] = []
        self._lock = new_lock()
        tell_of_forks(self)
        tell_of_snapshots(self)

    def __call__(self) -> ClientT:
        """Return the client.

        Raises:
            CredentialsError: no region is configured, or the AWS profile does not exist.
        """
        if self._client is None:
            with self._lock:
                if self._client is None:
                    client = self._made() if self._given is None else self._given
                    self._prepare(client)
                    self._client = client
        return self._client

    @property
    def is_own(self) -> bool:
        """Whether this object creates the client, instead of the caller."""
        return self._given is None

    def for_users(self) -> ClientT:
        """Return a client for users, which also checks the parameters of each call.

        Raises:
            CredentialsError: no region is configured, or the AWS profile does not exist.
        """
        client = self()
        if client is self._given:
            return client
        if self._checking is None:
            self._checking = checking_parameters(client)
        return self._checking

    def after_fork(self) -> None:
        """Open new connections in a forked child, and leave the parent's alone."""
        # Keep the client: dropping it closes its connections, and waits for the parent's locks.
        self._inherited += [self._client, self._checking]
        if self._given is not None:
            self._inherited.append(leave_connections(self._given))
        self._client = self._checking = None

    def before_snapshot(self) -> None:
        """Close the connections; the client opens new ones when it is used again."""
        # A given stand-in may have no connections.
        close = getattr(self._client, "close", None)
        if close is not None:
            close()

    def _prepare(self, client: ClientT) -> None:
        """Prepare a client for its first request."""

    def _made(self) -> ClientT:
        try:
            return self._make()
        except Exception as error:
            raise translate(error, "connect") from error


class LazyClient(Lazy["DynamoDBClient"]):
    """Returns a client for the tables: the given one, or one that it creates at the first call.

    Args:
        config: endpoint, region, time-outs and attempts of a new client.
        client: the caller's client, with the caller's time-outs and retries; None: create one.
    """

    def __init__(self, config: DynamoConfig, client: DynamoDBClient | None) -> None:
        super().__init__(lambda: make_client(config), client)

    def _prepare(self, client: DynamoDBClient) -> None:
        watch(client)


class LazySender(Lazy[Any]):
    """Returns the sender of the store's own requests: the lean transport if chosen, or the client.

    Args:
        config: names the transport.
        client: the client for the tables.
    """

    def __init__(self, config: DynamoConfig, client: LazyClient) -> None:
        super().__init__(lambda: _lean_client(config, client) or client(), None)


class LazyStreamsClient(Lazy["DynamoDBStreamsClient"]):
    """Returns a client for the table streams, as `LazyClient` does for the tables."""

    def __init__(self, config: DynamoConfig, client: DynamoDBStreamsClient | None = None) -> None:
        super().__init__(lambda: make_streams_client(config), client)

    def _prepare(self, client: DynamoDBStreamsClient) -> None:
        watch(client)


def client_config(config: DynamoConfig) -> Config:
    """Return botocore's settings, all explicit, because its defaults change between releases."""
    from botocore.config import Config

    return Config(
        connect_timeout=config.seconds("connect_timeout"),
        read_timeout=config.seconds("read_timeout"),
        max_pool_connections=config.max_pool_connections,
        retries={"mode": "standard", "total_max_attempts": config.max_attempts},
        tcp_keepalive=True,
        # The tests validate every request that the library builds. Validating them here too would
        # cost a tenth of each call's CPU time.
        parameter_validation=False,
    )


def checking_parameters(client: ClientT) -> ClientT:
    """Return a client that checks the parameters of each call, over the same connections.

    Both clients share their event handlers.
    """
    from botocore.validate import ParamValidationDecorator, ParamValidator

    serializer = vars(client)["_serializer"]
    if isinstance(serializer, ParamValidationDecorator):
        return client
    # Not `copy.copy`: a client looks up each missing attribute in its service's model.
    twin = object.__new__(type(client))
    vars(twin).update(vars(client))
    vars(twin)["_serializer"] = ParamValidationDecorator(ParamValidator(), serializer)
    return twin


def leave_connections(client: Any) -> object:
    """Give a client new connections in a forked child; return the pools of the old ones.

    Keep the result: closing the pools would wait for locks that a thread of the parent may have
    held during the fork.
    """
    session = client._endpoint.http_session  # noqa: SLF001 - there is no public way
    pools = getattr(session, "_manager", None), getattr(session, "_proxy_managers", None)
    if pools[0] is not None:
        fresh = type(session)._get_pool_manager_kwargs(session)  # noqa: SLF001 - as its own code does
        session._manager = type(pools[0])(**fresh)  # noqa: SLF001
        session._manager.pool_classes_by_scheme = session._pool_classes_by_scheme  # noqa: SLF001
        session._proxy_managers = {}  # noqa: SLF001
    return pools


def region_of(config: DynamoConfig, session: Session) -> str | None:
    """Return the region of the configuration, of the SDK, or of Lambda, in this order."""
    return config.region or session.region_name or aws_region()


def make_client(config: DynamoConfig) -> DynamoDBClient:
    """Create a client in a new session; boto3's default session does not change."""
    from dynamo_es.dynamodb.wire.boto.parsing import parse_own_replies

    client: DynamoDBClient = _make("dynamodb", config)
    parse_own_replies(client)
    return client


def make_streams_client(config: DynamoConfig) -> DynamoDBStreamsClient:
    """Create a client for ``dynamodbstreams`` in a new session."""
    client: DynamoDBStreamsClient = _make("dynamodbstreams", config)
    return client


def sender_of(config: DynamoConfig, client: LazyClient) -> Callable[[], DynamoDBClient]:
    """Return the function from which a gateway gets its client.

    Args:
        config: names the transport.
        client: the client for the tables. If the caller gave it, it sends everything.
    """
    return LazySender(config, client) if config.transport == "lean" and client.is_own else client


def _lean_client(config: DynamoConfig, client: LazyClient) -> LeanClient | None:
    from dynamo_es.dynamodb.wire.lean.terms import terms_of

    terms = terms_of(config)
    if terms is None:
        return None
    from dynamo_es.dynamodb.wire.lean.client import LeanClient

    return LeanClient(terms, config, otherwise=client)


def _make(service: str, config: DynamoConfig) -> Any:
    # Importing boto3 takes most of a cold start, so it waits for the first request.
    session = make_session(config)
    client: Any = session.client(
        service,  # type: ignore[call-overload]
        region_name=region_of(config, session),
        endpoint_url=config.endpoint_url,
        config=client_config(config),
    )
    if config.transport != "botocore":
        from dynamo_es.dynamodb.wire.boto.sending import send_directly
        from dynamo_es.dynamodb.wire.boto.serializing import serialize_own_requests
        from dynamo_es.dynamodb.wire.boto.signing import sign_quickly

        serialize_own_requests(client)
        sign_quickly(client)
        send_directly(client)
    return client

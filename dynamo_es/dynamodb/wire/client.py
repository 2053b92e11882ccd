"""The boto3 client: made late, with time-outs and retries that are stated."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dynamo_es.dynamodb.wire.attempts import watch
from dynamo_es.dynamodb.wire.errors import translate
from dynamo_es.forking import new_lock, tell_of_forks

if TYPE_CHECKING:
    from collections.abc import Callable

    from boto3.session import Session
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

    from dynamo_es.dynamodb.config import DynamoConfig

ClientT = TypeVar("ClientT")


class Lazy(Generic[ClientT]):
    """Hands out a client: the one given, or one made at the first call.

    A process that is forked makes one of its own: replies on a connection that two processes
    read from are mixed up.

    Args:
        make: makes a client.
        client: a client of the caller's own; its time-outs and retries are the caller's too.
    """

    def __init__(self, make: Callable[[], ClientT], client: ClientT | None) -> None:
        self._make = make
        self._given = client
        self._client: ClientT | None = None
        self._checking: ClientT | None = None
        self._inherited: list[object] = []
        self._lock = new_lock()
        tell_of_forks(self)

    def __call__(self) -> ClientT:
        """Return the client.

        Raises:
            CredentialsError: no region is configured anywhere, or a profile that is not there.
        """
        if self._client is None:
            with self._lock:
                if self._client is None:
                    client = self._made() if self._given is None else self._given
                    self._prepare(client)
                    self._client = client
        return self._client

    def for_users(self) -> ClientT:
        """Return it as it is handed to users: it checks the parameters of a call, too.

        Raises:
            CredentialsError: as for the client itself.
        """
        client = self()
        if client is self._given:
            return client
        if self._checking is None:
            self._checking = checking_parameters(client)
        return self._checking

    def after_fork(self) -> None:
        """Leave the parent's connections alone, and make new ones."""
        # What is dropped closes its connections, and waits for locks that nobody releases here.
        self._inherited += [self._client, self._checking]
        if self._given is not None:
            self._inherited.append(leave_connections(self._given))
        self._client = self._checking = None

    def _prepare(self, client: ClientT) -> None:
        """Do what is to be done with a client before its first request."""

    def _made(self) -> ClientT:
        try:
            return self._make()
        except Exception as error:
            raise translate(error, "connect") from error


class LazyClient(Lazy["DynamoDBClient"]):
    """Hands out a client for the tables: the one given, or one made at the first call.

    Args:
        config: endpoint, region, time-outs and attempts of a client to be made.
        client: a client of the caller's own; its time-outs and retries are the caller's too.
    """

    def __init__(self, config: DynamoConfig, client: DynamoDBClient | None) -> None:
        super().__init__(lambda: make_client(config), client)

    def _prepare(self, client: DynamoDBClient) -> None:
        watch(client)


class LazyStreamsClient(Lazy["DynamoDBStreamsClient"]):
    """Hands out a client for the tables' streams; see `LazyClient`."""

    def __init__(self, config: DynamoConfig, client: DynamoDBStreamsClient | None = None) -> None:
        super().__init__(lambda: make_streams_client(config), client)

    def _prepare(self, client: DynamoDBStreamsClient) -> None:
        watch(client)


def client_config(config: DynamoConfig) -> Config:
    """Return botocore's settings: explicit, because its defaults changed between releases."""
    from botocore.config import Config

    return Config(
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
        max_pool_connections=config.max_pool_connections,
        retries={"mode": "standard", "total_max_attempts": config.max_attempts},
        tcp_keepalive=True,
        # Every request is built by `requests`, whose tests validate it; here it would cost
        # each call a tenth of its CPU time.
        parameter_validation=False,
    )


def checking_parameters(client: ClientT) -> ClientT:
    """Return a client that checks the parameters of each call, over the same connections.

    Whatever listens to the events of one hears of the requests of both.
    """
    from botocore.validate import ParamValidationDecorator, ParamValidator

    serializer = vars(client)["_serializer"]
    if isinstance(serializer, ParamValidationDecorator):
        return client
    # Not `copy.copy`: a client looks up each attribute that it lacks in its service's model.
    twin = object.__new__(type(client))
    vars(twin).update(vars(client))
    vars(twin)["_serializer"] = ParamValidationDecorator(ParamValidator(), serializer)
    return twin


def leave_connections(client: Any) -> object:
    """Give a client connections of its own in a forked child; return what held the parent's.

    Closing them would do no harm to the parent, but it waits for locks of the pool, which one of
    the parent's threads may have held when it was forked.
    """
    session = client._endpoint.http_session  # noqa: SLF001 - there is no public way
    pools = getattr(session, "_manager", None), getattr(session, "_proxy_managers", None)
    if pools[0] is not None:
        fresh = type(session)._get_pool_manager_kwargs(session)  # noqa: SLF001 - as its own code
        session._manager = type(pools[0])(**fresh)  # noqa: SLF001
        session._manager.pool_classes_by_scheme = session._pool_classes_by_scheme  # noqa: SLF001
        session._proxy_managers = {}  # noqa: SLF001
    return pools


def region_of(config: DynamoConfig, session: Session) -> str | None:
    """Return where to connect to: what is configured here, or else for the SDK."""
    # Lambda sets AWS_REGION, and boto3 reads AWS_DEFAULT_REGION only.
    return config.region or session.region_name or os.environ.get("AWS_REGION")


def make_client(config: DynamoConfig) -> DynamoDBClient:
    """Make a client of its own session: the process's default one stays as it is."""
    client: DynamoDBClient = _make("dynamodb", config)
    return client


def make_streams_client(config: DynamoConfig) -> DynamoDBStreamsClient:
    """Make a client for ``dynamodbstreams``, of its own session."""
    client: DynamoDBStreamsClient = _make("dynamodbstreams", config)
    return client


def _make(service: str, config: DynamoConfig) -> Any:
    # boto3 takes most of a cold start: it is loaded when the first request needs it.
    from boto3.session import Session

    session = Session()
    return session.client(
        service,  # type: ignore[call-overload]
        region_name=region_of(config, session),
        endpoint_url=config.endpoint_url,
        config=client_config(config),
    )

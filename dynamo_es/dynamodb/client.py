"""The boto3 client: made late, with time-outs and retries that are stated."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dynamo_es.dynamodb.errors import translate

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

    Args:
        make: makes a client.
        client: a client of the caller's own; its time-outs and retries are the caller's too.
    """

    def __init__(self, make: Callable[[], ClientT], client: ClientT | None) -> None:
        self._make = make
        self._client = client
        self._lock = Lock()

    def __call__(self) -> ClientT:
        """Return the client.

        Raises:
            CredentialsError: no region is configured anywhere, or a profile that is not there.
        """
        if self._client is None:
            with self._lock:
                if self._client is None:
                    try:
                        self._client = self._make()
                    except Exception as error:
                        raise translate(error, "connect") from error
        return self._client


class LazyClient(Lazy["DynamoDBClient"]):
    """Hands out a client for the tables: the one given, or one made at the first call.

    Args:
        config: endpoint, region, time-outs and attempts of a client to be made.
        client: a client of the caller's own; its time-outs and retries are the caller's too.
    """

    def __init__(self, config: DynamoConfig, client: DynamoDBClient | None) -> None:
        super().__init__(lambda: make_client(config), client)


class LazyStreamsClient(Lazy["DynamoDBStreamsClient"]):
    """Hands out a client for the tables' streams; see `LazyClient`."""

    def __init__(self, config: DynamoConfig, client: DynamoDBStreamsClient | None = None) -> None:
        super().__init__(lambda: make_streams_client(config), client)


def client_config(config: DynamoConfig) -> Config:
    """Return botocore's settings: explicit, because its defaults changed between releases."""
    from botocore.config import Config

    return Config(
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
        retries={"mode": "standard", "total_max_attempts": config.max_attempts},
        tcp_keepalive=True,
        # Every request is built by `requests`, whose tests validate it; here it would cost
        # each call a tenth of its CPU time.
        parameter_validation=False,
    )


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

"""The boto3 client: made late, with time-outs and retries that are stated."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING

from dynamo_es.dynamodb.errors import translate

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.dynamodb.config import DynamoConfig


class LazyClient:
    """Hands out a client: the one given, or one made at the first call.

    Args:
        config: endpoint, region, time-outs and attempts of a client to be made.
        client: a client of the caller's own; its time-outs and retries are the caller's too.
    """

    def __init__(self, config: DynamoConfig, client: DynamoDBClient | None) -> None:
        self._config = config
        self._client = client
        self._lock = Lock()

    def __call__(self) -> DynamoDBClient:
        """Return the client.

        Raises:
            CredentialsError: no region is configured anywhere, or a profile that is not there.
        """
        if self._client is None:
            with self._lock:
                if self._client is None:
                    try:
                        self._client = make_client(self._config)
                    except Exception as error:
                        raise translate(error, "connect") from error
        return self._client


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
    # boto3 takes most of a cold start: it is loaded when the first request needs it.
    from boto3.session import Session

    session = Session()
    return session.client(
        "dynamodb",
        region_name=region_of(config, session),
        endpoint_url=config.endpoint_url,
        config=client_config(config),
    )
